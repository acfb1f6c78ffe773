/* wire.h: what a host and its workers share: the memory of a lane, the messages in it, and how values cross.
 *
 * A worker is a process that opened a plugin (loader/_core/worker/); its host is a process with Python in it
 * (loader/_core/remote/). A lane is one piece of shared memory, with one thread of the worker's behind it, and serves
 * one thread of the host's at a time. It is a strict conversation: whoever was sent a message has the lane, until it
 * sends one itself.
 *
 *     host    CALL ------------------> worker   runs the plugin's function
 *             <------------- CALLBACK           which asks for a service, or calls one
 *             RETURN ---------------->          (or CALL again, if the service calls the plugin)
 *             <--------------- RETURN
 *
 * A lane's memory, all of it in one file that is sealed against being cut off, and sparse: what was never touched takes
 * no memory.
 *
 *     struct wire_lane | log | arena: arguments, results, memory of loader_alloc | output
 *
 * Pointers in the arena are addresses in the worker, whoever put them there, so that a plugin reads its arguments where
 * they lie. The worker believes its host. The host believes nothing: it reads each number once, checks it, and copies
 * (remote_read.c).
 *
 * Plain C, for both: no Python here.
 */
#ifndef LOADER_WIRE_H
#define LOADER_WIRE_H

#ifndef LOADER_HOST
#  define LOADER_HOST
#endif
#include "loader/plugin.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
    WIRE_WORDS = 8,   /* of a function, as MAX_WORDS and MAX_REALS of the caller */
    WIRE_REALS = 8,
    WIRE_THUNKS = 32, /* functions of a table, as MAX_FUNCTIONS of the caller */
    WIRE_ADDRESSES = WIRE_THUNKS + 2, /* in a worker: those, and what releases an Arrow schema and an array */
    WIRE_HEAD = 4096,
    WIRE_LOG = 1 << 20
};

enum wire_message_kind {
    WIRE_CALL = 1,    /* down: a function of the plugin */
    WIRE_FREE = 2,    /* down: void function(void *words[0]) */
    WIRE_RETURN = 3,  /* both */
    WIRE_CALLBACK = 4, /* up: a function of a table */
    WIRE_SERVICE = 5, /* up: the table of a service: its id is `text` */
    WIRE_PATH = 6     /* up: the path of the plugin's file */
};

enum wire_flags {
    WIRE_OUTPUT_LOST = 1, /* up: room for output was refused once */
    WIRE_NO_STACK = 2     /* up, RETURN: its thread's stack is too small for one more call in another */
};

/* One message. Places in the lane are offsets from its beginning. What changes from call to call comes first, so that
 * it lies in the cache line of `sent`: a line that was written is what the other processor waits for, a tenth of a
 * microsecond each. Lines that nobody writes stay where they are: see wire_say. */
struct wire_message {
    uint32_t kind;
    int32_t status;   /* of RETURN */
    uint32_t flags;
    uint32_t place;   /* up, CALLBACK: which function of the table */
    uint64_t function; /* down: its address. up, CALLBACK: the table's number */
    uint64_t top;     /* the first free byte of the arena */
    uint64_t output;  /* down, CALL: where it begins. up: the first byte behind it */
    uint64_t room;    /* down, CALL: the most bytes of output, and of loader_alloc */
    uint64_t plan;    /* down, CALL: where its plan is, or 0: it has no results */
    uint64_t words[WIRE_WORDS];
    double reals[WIRE_REALS];
    uint64_t text, text_size; /* RETURN: why it failed. down, after a CALLBACK: what is appended to the output, if status
                                 is 0. SERVICE: the id. PATH, down: the path */
};

/* One side's half: what it sends, and whether it sleeps. On cache lines of its own. */
struct wire_side {
    alignas(64) _Atomic uint32_t sent; /* messages; the other side's futex */
    _Atomic uint32_t sleeps;           /* this side waits in the kernel for the other's `sent` */
    _Atomic uint32_t cpu;              /* where this side ran last */
    struct wire_message message;
    _Atomic int64_t woke;              /* when it last sent a message to a side that slept */
};

struct wire_lane {
    struct wire_side down, up;         /* the host's, the worker's */
    alignas(64) _Atomic int32_t stop;  /* LOADER_CANCELLED or LOADER_DEADLINE: what loader_cancelled says; host's */
};
_Static_assert(sizeof(struct wire_lane) <= WIRE_HEAD, "a lane's head is a page");
_Static_assert(offsetof(struct wire_side, message.plan) == 64, "what changes with each call is in the line of `sent`");

/* Puts a message where it is sent from. Its pieces that are there already, most of them when the same function is
 * called again, are not written: the other processor has them in its cache yet. */
static inline void wire_say(struct wire_message *to, const struct wire_message *from)
{
    enum { PIECE = 40 };
    const char *const data = (const char *)from;
    char *const there = (char *)to;

    _Static_assert(sizeof *to % PIECE == 0, "whole pieces");
    for (size_t at = 0; at < sizeof *to; at += PIECE)
        if (memcmp(there + at, data + at, PIECE) != 0)
            memcpy(there + at, data + at, PIECE);
}

/* What the plugin logs in a call lies here from the moment that it does, so that it is not lost if the worker dies. */
struct wire_log {
    _Atomic uint64_t used; /* bytes of `lines` that are filled; the worker's, who begins anew when the host has read */
    uint64_t lost;         /* lines that had no room */
    char lines[WIRE_LOG - 16];
};

/* A line of it: this, then its text, then up to 7 bytes. */
struct wire_line {
    int32_t level;
    uint32_t size;
};

/* ---- Values ------------------------------------------------------------------------------------------ */

/* How one parameter or result crosses. */
struct wire_value {
    uint8_t kind;      /* enum kind of the caller: its letter */
    uint8_t place;     /* among the words of the call, or among its floating-point numbers */
    uint8_t writable;  /* changed in place */
    uint8_t unused;
    uint32_t size;     /* bytes of an integer, of an element, of a struct */
    uint32_t offset;   /* of a result: in the room for results */
    uint32_t texts;    /* of a struct: the first of the places of its texts and bytes, in wire_plan.texts */
    uint32_t text_count;
};

/* How the parameters and results of a function cross. In one piece, so that it can be copied: the values, then the
 * places of texts in structs. */
struct wire_plan {
    uint32_t size;     /* of all of it */
    uint32_t count, result_count;
    uint32_t text_count;
    struct wire_value values[]; /* `count` parameters, then the results; then uint32_t[text_count] */
};

static inline const uint32_t *wire_texts(const struct wire_plan *plan)
{
    return (const uint32_t *)(const void *)(plan->values + plan->count + plan->result_count);
}

/* Right before a table that stands for one of the host's. */
struct wire_table {
    uint64_t number;   /* the host's, for CALLBACK */
    uint64_t plans[WIRE_THUNKS]; /* address in the worker of the plan of each function */
    struct {
        uint64_t size;
        uint64_t functions[WIRE_THUNKS]; /* addresses in the worker */
    } table;           /* what the plugin sees */
};

/* Where values are put that cross. */
struct wire_arena {
    char *base;        /* of the lane, here */
    uint64_t shift;    /* added to an address here, it is that of the worker */
    uint64_t top, end; /* offsets */
    bool stays;        /* what lies in the arena already is not copied again */
    bool apart;        /* the other side runs on another processor: see wire_copy */
};

/* Whether both sides run on different processors, as far as they have said. */
static inline bool wire_apart(const struct wire_lane *lane)
{
    return atomic_load_explicit(&lane->down.cpu, memory_order_relaxed) !=
           atomic_load_explicit(&lane->up.cpu, memory_order_relaxed);
}

/* memcpy into a lane. */
void wire_copy(void *to, const void *from, uint64_t size, bool apart);

/* Room for `size` bytes, aligned to 16; NULL if there is none. */
void *wire_room(struct wire_arena *arena, uint64_t size);
/* Copies a value and all that it leads to. Returns its address in the worker; 0 if `value` is NULL or, with
 * arena->top > arena->end, if there was no room. */
uint64_t wire_put(struct wire_arena *arena, const struct wire_value *how, const uint32_t *texts, const void *value);
/* Copies what the texts, arrays and lists in `memory`, a value that lies in the arena already, lead to, unless that
 * lies in the arena too. False: no room. */
bool wire_follow(struct wire_arena *arena, const struct wire_value *how, const uint32_t *texts, void *memory);

/* ---- Waiting ----------------------------------------------------------------------------------------- */

/* Says that a message was written, and wakes the other side if it sleeps. */
void wire_send(struct wire_side *mine, struct wire_side *theirs);

/* How long who waits looks before it sleeps, in nanoseconds, to begin with: see wire_wait.c. */
enum { WIRE_PATIENCE = 50000 };

/* Waits until the other side has sent more than `seen` messages, or until `until` (of wire_now). First it looks again
 * and again, as long as *patience says and both sides run on different processors; then it sleeps. What it learns of
 * how long messages take it notes in *patience; NULL: it sleeps at once. Returns whether there is a message; false also
 * if a signal came. */
bool wire_wait(struct wire_side *mine, struct wire_side *theirs, uint32_t seen, int64_t *patience, int64_t until);
void wire_wake(struct wire_side *theirs); /* whoever waits for messages of this side looks up */
int64_t wire_now(void);                   /* nanoseconds of the monotonic clock */

#endif /* LOADER_WIRE_H */
