/* worker.h: what the files of the program loader-worker share: a process that opens plugins and runs their functions
 * for a host, without Python. Start reading at worker.c.
 */
#ifndef LOADER_WORKER_H
#define LOADER_WORKER_H

#include "wire/wire.h"
#include "wire/wire_arrow.h"

#include <pthread.h>
#include <stddef.h>

/* A lane, with a thread of its own. */
struct lane {
    struct wire_lane *shared;
    struct wire_log *log;
    uint64_t size, arena_end;
    uint64_t top;   /* the first free byte of the arena */
    uint32_t seen;  /* messages from the host */
    int64_t patience; /* of its thread: see wire_wait */
    uint64_t log_used;
    pthread_t thread;
    uintptr_t stack, stack_kept; /* its thread's lowest address, and how much of it calls leave alone */
};

static inline char *lane_at(const struct lane *lane, uint64_t offset)
{
    return (char *)lane->shared + offset;
}

/* ---- serve.c ---- */
/* Takes the stacks of all lanes, before the process confines itself: what it has then its limit on memory does not
 * count, and where stacks are counted a few dozen threads would be all that it may have. False: there is no memory. */
bool serve_prepare(void);
/* Maps a lane's file and starts its thread. Returns its address, or NULL with errno. */
void *serve_lane(int file, uint64_t size);
/* Sends lane->shared->up.message, whose kind is set, and waits for the host's answer. What the host asks meanwhile is
 * done. Afterwards the answer is lane->shared->down.message, of kind RETURN. */
void serve_ask(struct lane *lane);

/* ---- called.c ---- */
/* One call of a plugin's function, while it runs. */
struct called {
    loader_call call; /* what the plugin sees; first, so that the two pointers are one */
    struct lane *lane;
    char *begin;      /* of its output */
    char *error;      /* memory of call.error, or NULL */
    struct block *blocks; /* of loader_alloc, the newest first */
    uint64_t room, allocated; /* the most bytes of each; bytes that were asked for */
    bool output_lost;
};
void called_run(struct lane *lane); /* does what lane->shared->down.message says, and leaves the answer in `up` */
bool called_on_thread(const struct called *called); /* another one may not use the lane */
void called_fail(struct called *called, const char *text, uint64_t size);
extern const loader_host called_host;

/* ---- tables.c ---- */
extern void *const tables_thunks[WIRE_THUNKS];

/* ---- arrows.c ---- */
void arrows_addresses(uint64_t addresses[2]); /* of what releases copies: of a schema, of an array */
void arrows_drop(struct wire_arrow *room);    /* releases what the plugin filled */
/* The same when it is copied to the arena, or said to be wrong. False: there is no room. */
bool arrows_hand_over(struct wire_arena *arena, struct wire_borrowed borrowed, struct wire_arrow *room);

#endif /* LOADER_WORKER_H */
