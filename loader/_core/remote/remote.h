/* remote.h: the host's side of workers: a Function whose plugin runs in a process of its own. What both sides share:
 * wire/wire.h.
 *
 * A call's way: typed.c or function.c (arguments borrowed, as for any plugin) -> cross.c (copied into a lane, sent; the
 * GIL is let go) -> the worker -> cross.c (answer checked and copied: take.c) -> results.c, as for any plugin. What the
 * plugin asks meanwhile, on this same thread: callback.c.
 */
#ifndef LOADER_CORE_REMOTE_H
#define LOADER_CORE_REMOTE_H

#include "call/function.h"
#include "call/service.h"

#if defined(__linux__)
#  define CORE_REMOTE 1
#  include "remote/take.h"
#  include "wire/wire.h"
#endif

struct arguments;
struct held; /* instance.h */
typedef struct core_worker core_worker;

#ifdef CORE_REMOTE

enum { MOST_LANES = 64, MOST_WORKERS = 64, MOST_SHARED_THERE = 256 };

/* One of a worker's lanes, as the host has it. */
struct host_lane {
    struct wire_lane *shared;
    core_worker *worker; /* borrowed: which has it */
    uint64_t size, base; /* bytes; its address in the worker */
    uint32_t seen;       /* messages from the worker */
    int64_t patience;    /* of who waits for it: see wire_wait */
    bool busy;
};

/* A process that serves calls. Type _call.Worker, made by loader/isolation/. The GIL guards all but what is atomic. */
struct core_worker {
    PyObject_HEAD
    int pid, pidfd;
    unsigned generation; /* core_generation when it was started: a forked child has none of its parent's workers */
    atomic_bool dead;    /* it answers no more; whoever waits for it gives up */
    int lane_count, busy_count;
    int caller_count;    /* calls that have chosen it, those that wait for a lane too */
    int instance_count;  /* instances of plugins' classes that Python has and it holds */
    struct host_lane *lanes[MOST_LANES];
    uint64_t thunks[WIRE_ADDRESSES]; /* addresses in it: wire.h */
    uint64_t *addresses; /* of the symbols of its Remote, in their order; PyMem */
    Py_ssize_t address_count;
    int shared_count;
    struct {
        unsigned long long number;
        uint64_t base; /* where it is in the worker */
    } shared[MOST_SHARED_THERE]; /* buffers of loader.shared that it has mapped */
    PyObject *keeper;    /* loader.isolation's object for it; adds lanes */
    PyObject *weakrefs;
    unsigned long long calls; /* begun */
};

/* What stands behind an Owner whose plugin is elsewhere: the workers that have it open. Type _call.Remote. */
typedef struct core_remote {
    PyObject_HEAD
    PyObject *keeper;    /* has renew() and failed(): see cross.c */
    core_worker *workers[MOST_WORKERS]; /* owned */
    int count, next;
    int64_t deadline, grace; /* nanoseconds that a call may take, INT64_MAX: any; and may go on when it was told to stop */
} core_remote;

extern PyTypeObject core_worker_type, core_remote_type;

/* A host's table that was offered to the plugin in this call. */
struct offered {
    const struct native_table *table;
    const core_table *shape;
    uint64_t address; /* in the worker */
};
enum { MOST_OFFERED = 64 };

/* One call, from when it has a lane until it gives it back. On the stack of its thread; those of one thread lie in each
 * other, as services do that come back to plugins. */
struct crossing {
    struct crossing *outer;
    struct host_lane *lane;
    core_call *c;
    uint64_t top, output; /* offsets: what is free from here on */
    struct offered offered[MOST_OFFERED];
    int offered_count;
    bool forked; /* in the middle of it, and this is the child: the lane is the parent's */
};

/* ---- worker.c ---- */
bool core_worker_lives(const core_worker *worker);
bool core_worker_has_ended(core_worker *worker); /* asks the kernel */
void core_worker_kill(core_worker *worker);
/* Whether its lanes are mapped here: not in a child that was forked in the middle of a call. */
static inline bool core_worker_is_ours(const core_worker *worker)
{
    return worker->generation == core_generation;
}
uint64_t core_worker_address(const core_worker *worker, core_function index); /* 0: it has none */
/* A lane for this thread, or NULL: with an exception, or because the worker has died. GIL held; it may be let go. */
struct host_lane *core_lane_take(core_worker *worker, core_call *c);
void core_lane_give(struct host_lane *lane, uint64_t top, uint64_t output); /* GIL held */
extern _Thread_local struct crossing *core_crossing; /* this thread's innermost */

/* ---- shared.c ---- */
PyObject *core_shared_add(PyObject *module, PyObject *args);
PyObject *core_shared_remove(PyObject *module, PyObject *args);
/* The address in the worker of memory that both share; 0: it is the host's alone. GIL held; it may be let go. */
uint64_t core_shared_there(core_worker *worker, const void *data, uint64_t size);

/* ---- plan.c ---- */
/* How parameters and results cross; PyMem_RawMalloc. NULL with an exception. */
struct wire_plan *core_plan(const struct parameter *parameters, Py_ssize_t count, Py_ssize_t result_count);

/* ---- callback.c ---- */
/* Does what the worker asks for in `asked`, and puts the answer into the lane. False: what it asks for cannot be. */
bool core_callback(struct crossing *crossing, const struct wire_message *asked);
/* Puts a table into the arena. Its address in the worker, or 0: there is no room. */
uint64_t core_offer(struct crossing *crossing, const struct native_table *table, const core_table *shape);

#endif /* CORE_REMOTE */

/* ---- cross.c ---- */
/* Calls the function in a worker. GIL held; afterwards as core_settle finds it. A status, CORE_NOT_CALLED with
 * c->cause. */
int core_remote_enter(function *f, core_call *c, const struct arguments *a, const struct held *held);
/* T_free of an instance. GIL held; it is let go. */
void core_remote_free(core_worker *worker, core_function index, void *native);

#endif /* LOADER_CORE_REMOTE_H */
