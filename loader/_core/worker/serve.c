/* serve.c: a lane and its thread: messages come, are done, and are answered. */
#define _GNU_SOURCE
#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MOST_KEPT = 1 << 20 }; /* bytes of a stack */

static void wait_for_host(struct lane *lane)
{
    struct wire_lane *const shared = lane->shared;

    while (!wire_wait(&shared->up, &shared->down, lane->seen, &lane->patience, INT64_MAX / 2))
        ;
    lane->seen++;
    lane->top = shared->down.message.top;
    if (lane->log_used == 0 && lane->log->lost == 0)
        return; /* most calls log nothing, and leave the line of the host's cache alone */
    lane->log_used = 0; /* the host has read it */
    lane->log->lost = 0;
    atomic_store_explicit(&lane->log->used, 0, memory_order_relaxed);
}

static void answer(struct lane *lane)
{
    lane->shared->up.message.top = lane->top;
    wire_send(&lane->shared->up, &lane->shared->down);
}

/* As core_stack_left of the host: calls in each other must not overflow the stack. Elsewhere than on this thread's it
 * is a stack that the plugin made. */
static void find_stack(struct lane *lane)
{
    pthread_attr_t attributes;
    void *first = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &first, &size) == 0) {
        lane->stack = (uintptr_t)first;
        lane->stack_kept = size / 4 < MOST_KEPT ? size / 4 : MOST_KEPT;
    }
    pthread_attr_destroy(&attributes);
}

static bool is_stack_left(const struct lane *lane)
{
    return (uintptr_t)__builtin_frame_address(0) - lane->stack > lane->stack_kept;
}

void serve_ask(struct lane *lane)
{
    struct wire_message *const up = &lane->shared->up.message;

    for (;;) {
        answer(lane);
        wait_for_host(lane);
        if (lane->shared->down.message.kind == WIRE_RETURN)
            return;
        if (is_stack_left(lane)) {
            called_run(lane);
        } else {
            up->kind = WIRE_RETURN;
            up->flags = WIRE_NO_STACK;
            up->output = lane->shared->down.message.output;
        }
    }
}

static void *serve(void *argument)
{
    struct lane *const lane = argument;

    lane->thread = pthread_self();
    find_stack(lane);
    for (;;) {
        wait_for_host(lane);
        called_run(lane);
        answer(lane);
    }
    return NULL;
}

/* Addresses only, until a thread runs on them. The lowest page of each is no memory. */
enum { MOST_LANES = 64, LARGE_STACK = 8 << 20, SMALL_STACK = 1 << 20, GUARD = 1 << 16 };
static char *stacks;
static size_t stack_size = LARGE_STACK; /* as threads have elsewhere */
static int stacks_taken;

bool serve_prepare(void)
{
    for (; stack_size >= SMALL_STACK; stack_size /= 2) {
        stacks = mmap(NULL, MOST_LANES * stack_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (stacks != MAP_FAILED)
            return true;
    }
    return false;
}

/* Only the thread that reads the socket comes here. */
static int start(struct lane *lane)
{
    char *const stack = stacks + (size_t)stacks_taken * stack_size;
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    if (stacks_taken == MOST_LANES)
        return EAGAIN;
    if (mprotect(stack, GUARD, PROT_NONE) != 0)
        return errno;
    error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    error = pthread_attr_setstack(&attributes, stack + GUARD, stack_size - GUARD);
    if (error == 0)
        error = pthread_create(&thread, &attributes, serve, lane);
    pthread_attr_destroy(&attributes);
    if (error == 0) {
        stacks_taken++;
        pthread_detach(thread);
    }
    return error;
}

void *serve_lane(int file, uint64_t size)
{
    struct lane *const lane = calloc(1, sizeof *lane);
    int error;

    if (lane == NULL)
        return NULL;
    lane->shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (lane->shared == MAP_FAILED) {
        free(lane);
        return NULL;
    }
    lane->log = (struct wire_log *)(void *)lane_at(lane, WIRE_HEAD);
    lane->size = size;
    lane->patience = WIRE_PATIENCE;
    lane->arena_end = size / 2;
    error = start(lane);
    if (error != 0) {
        munmap(lane->shared, size);
        free(lane);
        errno = error;
        return NULL;
    }
    return lane->shared;
}
