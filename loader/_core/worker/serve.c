/* serve.c: a lane and its thread: messages come, are done, and are answered. */
#define _GNU_SOURCE
#include "worker/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/* How long a thread looks for the next message before it sleeps. Calls come in rows: the next one of a row comes within
 * microseconds of the answer to the last one. */
enum { PATIENCE_NS = 50000 };

static void wait_for_host(struct lane *lane)
{
    struct wire_lane *const shared = lane->shared;

    while (!wire_wait(&shared->up, &shared->down, lane->seen, PATIENCE_NS, INT64_MAX / 2))
        ;
    lane->seen++;
    lane->top = shared->down.message.top;
    lane->log_used = 0; /* the host has read it */
    lane->log->lost = 0;
    atomic_store_explicit(&lane->log->used, 0, memory_order_relaxed);
}

static void answer(struct lane *lane)
{
    lane->shared->up.message.top = lane->top;
    wire_send(&lane->shared->up, &lane->shared->down);
}

void serve_ask(struct lane *lane)
{
    for (;;) {
        answer(lane);
        wait_for_host(lane);
        if (lane->shared->down.message.kind == WIRE_RETURN)
            return;
        called_run(lane);
    }
}

static void *serve(void *argument)
{
    struct lane *const lane = argument;

    for (;;) {
        wait_for_host(lane);
        called_run(lane);
        answer(lane);
    }
    return NULL;
}

void *serve_lane(int file, uint64_t size)
{
    struct lane *const lane = calloc(1, sizeof *lane);
    pthread_t thread;

    if (lane == NULL)
        return NULL;
    lane->shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (lane->shared == MAP_FAILED) {
        free(lane);
        return NULL;
    }
    lane->log = (struct wire_log *)(void *)lane_at(lane, WIRE_HEAD);
    lane->size = size;
    lane->arena_end = size / 2;
    if (pthread_create(&thread, NULL, serve, lane) != 0) {
        munmap(lane->shared, size);
        free(lane);
        return NULL;
    }
    pthread_detach(thread);
    return lane->shared;
}
