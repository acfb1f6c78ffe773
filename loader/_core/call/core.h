/* core.h: the generic C under every contract: one call's context, its output, its limits.
 *
 * Private to the loader package. The module _call implements it and lends it, as the capsule
 * "loader._core._call.api", to C engines of applications (the one door: core_import).
 * Nothing here names an application.
 *
 * One call, in order:
 *   1. core_begin      fills a core_call on the C stack, with room for output; the GIL is held.
 *   2. core_use_result gives it more room, where the output may be long.
 *   3. core_release    lets the GIL go, unless core_keeps says that it stays; the rule stands in gil.c.
 *   4. the plugin runs, through function pointers; it may come back through call.host->...
 *   5. core_settle     if c->settle: takes the GIL again, hands on what was logged, and so on.
 *   6. core_text / core_bytes   turns the output into a new object, or core_raise turns a status into an
 *      exception.
 *   7. core_end        gives back what is left. Always, once for each core_begin that returned 0.
 */
#ifndef LOADER_CORE_H
#define LOADER_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>
#include <stdbool.h>

#ifndef LOADER_HOST
#  define LOADER_HOST
#endif
#include "loader/plugin.h"

#include "crash/crumb.h"
#include "text/short_text.h"

/* What a call always takes is one function; what it seldom takes stays out of its registers' way. */
#if defined(__GNUC__)
#  define CORE_INLINE inline __attribute__((always_inline))
#  define CORE_NOINLINE __attribute__((noinline))
#else
#  define CORE_INLINE inline
#  define CORE_NOINLINE
#endif

/* Who is being called: one per loaded plugin and host. Type _call.Owner, made by loader/plugin.py. */
typedef struct core_owner {
    PyObject_HEAD
    PyObject *name;      /* str */
    PyObject *path;      /* str: the file, for messages */
    PyObject *path_bytes; /* the same as the system has it, for the plugin itself */
    char *label;         /* name, path and digest as members of a JSON object, for crash_line.c; malloc */
    PyObject *watch;     /* callable of loader/observe/process_state.py, or NULL; with it, `unusual` is set */
    PyObject *promises;  /* frozenset of the functions that never block, by name, or NULL */
    struct core_services *services; /* what the host lends, or NULL */
    PyObject *remote;    /* a Remote: the plugin is in processes of its own; or NULL; with it, `unusual` is set */
    size_t max_output;   /* bytes a call may write; SIZE_MAX: no limit */
    unsigned generation; /* core's fork generation at load time */
    bool fork_safe;      /* false: has a runtime with threads of its own (Go); refuse in forked children */
    atomic_bool attaches; /* its own threads may make themselves threads of Python; see gil.c */
    atomic_bool unusual; /* attaches, or has had a watch: its calls do not go the short way */
    /* What Host.survey asks for; under the GIL: */
    unsigned long long calls, failures; /* begun from Python; ended by an exception of core_raise's */
    struct core_owner *earlier; /* of the code that was there before a reload, whose counts count too; owned, or NULL */
    int64_t since;       /* core_now() when it was made */
    PyObject *failed_in, *failed_with, *failed_because; /* the last failure: name or None, status, text; or NULL */
} core_owner;

/* A deadline and a cancel flag. Type _call.Limit; the contextvar "loader.limit" holds the one in force. */
typedef struct core_limit core_limit;

/* What a plugin has logged in one call, in log.c. */
typedef struct core_log core_log;

/* Memory that a plugin asked for by loader_alloc, in array.c. */
typedef struct core_block core_block;

/* Where output lives. */
enum core_room {
    CORE_BORROWED = 0, /* memory of the caller, usually on the stack */
    CORE_HEAP,     /* malloc */
    CORE_RESULT    /* inside a new str or bytes object */
};

typedef struct core_call {
    loader_call call;    /* what the plugin sees; first, so that the two pointers are one */
    char *begin;         /* output so far: [begin, call.next) */
    core_owner *owner;   /* whose function runs now; an engine changes it from plugin to plugin */
    core_crumb *crumb;   /* this thread's */
    size_t max_output;   /* bytes this call may write */
    int64_t watched_since; /* when the watched function began */
    size_t ascii_begin, ascii_end; /* output in [begin + ascii_begin, begin + ascii_end) was ASCII when it was copied;
                                      ascii_end 0: none */
    unsigned signals;    /* core_signals_arrived, when the application's handlers had their last turn */
    bool bytes_result;   /* CORE_RESULT is a bytes object, not a str */
    core_block *blocks;  /* the newest first, or NULL */
    /* From here on all is 0 when a call begins, which core_begin sees to in one go: */
    PyObject *result;    /* CORE_RESULT: the object that holds the room */
    PyThreadState *thread; /* not NULL while the GIL is released */
    core_limit *limit;   /* owned, or NULL */
    PyObject *cause;     /* exception that a service raised, or NULL; owned */
    PyObject *dropped;   /* a cause that was forgotten without the GIL, or NULL; owned */
    PyObject *lent;      /* list of objects whose memory the plugin was lent, or NULL; owned */
    core_log *log;       /* lines that wait for the GIL, or NULL */
    size_t lines_lost;   /* lines that were not queued */
    char *error;         /* memory of call.error, malloc, or NULL */
    PyObject *worker;    /* which gave the instances in the answer, or NULL; owned */
    enum core_room room;
    bool output_lost;    /* room was refused once: what is there may lack a part, whatever the plugin returned */
    bool settle;         /* something happened that the short way back does not know of: core_settle first. Set by
                            whatever sets one of the others here, `cause`, `dropped`, `lent`, `log` or `thread`, and
                            `blocks` */
    bool interrupted;    /* `cause` ends the call as it is, whatever the plugin returns: an interrupt, an exit */
    bool stopped;        /* the plugin was told to stop because of a signal */
} core_call;

/* A struct argument that keeps its native form: the base of frozen dataclasses. Type _call.Record. */
typedef struct core_record {
    PyObject_HEAD
    PyObject *layout; /* the Layout that `native` has, or NULL; owned */
    PyObject *storage; /* holds `native` and the texts that it points to; owned */
    const void *native;
} core_record;

/* The address of a contract function. Cast to its real, non-variadic type before it is called: Apple's arm64
 * passes variadic arguments elsewhere. */
typedef void (*core_function)(void);

typedef struct core_api {
    size_t size;

    /* Prepares `c` for a call on this thread. Output goes to `size` bytes at `room` (which is not NULL), then, when
     * that is full, to the heap. GIL held. Returns 0, or -1 with an exception (a forked child and a plugin that does
     * not survive that; a cancelled limit is not an error here). */
    int (*begin)(core_call *c, core_owner *owner, char *room, size_t size);

    /* Instead, output goes straight into a new str (ASCII) or bytes object with room for `size` bytes, grown in
     * place. Returns 0, or -1 with MemoryError. */
    int (*use_result)(core_call *c, size_t size, bool bytes);

    void (*release)(core_call *c); /* PyEval_SaveThread, once */
    void (*acquire)(core_call *c); /* PyEval_RestoreThread if released */

    /* After Python code ran in the middle of a call: lets the GIL go if it was let go before (`away`), or there is
     * another thread now. GIL held. */
    void (*go_on)(core_call *c, bool away);

    /* When the plugin's function has returned `status`, if c->settle: takes the GIL, hands on what was logged, and
     * lets the handler of a signal run that made the plugin stop. Returns the status. */
    int (*settle)(core_call *c, int status);

    void (*tell_log)(core_call *c); /* hands on what was logged; GIL held */

    /* The output as a new str or bytes. `ascii`: the caller knows that it is all ASCII. Checks UTF-8 otherwise:
     * NULL with PluginError if a plugin wrote something else (`function` names it). GIL held. */
    PyObject *(*text)(core_call *c, const char *function, bool ascii);
    PyObject *(*bytes)(core_call *c, const char *function);

    /* Turns a status that is not LOADER_OK into an exception, with c->call.error as its text and c->cause as
     * its cause. `where` is appended to the message ("role tt at byte 17"), or NULL. Always returns NULL. GIL held. */
    PyObject *(*raise)(core_call *c, const char *function, int status, const char *where);

    /* Forgets the error text and cause of a failed step, so that the call can go on. GIL held or not: a cause is
     * given back when the GIL is there anyway. Not that output was lost: who goes on without the step's output says
     * so (output_lost = false). Nor is an interrupt forgotten. */
    void (*forget)(core_call *c);

    void (*end)(core_call *c); /* GIL held */

    /* The native form of a struct argument (a Record, dataclass or mapping), under `layout`. On success *native
     * points to it and *keep (may be NULL) is a new reference that holds it. -1 with an exception. */
    int (*pack)(PyObject *layout, PyObject *value, const void **native, PyObject **keep);

    /* The index of the first byte that is not part of well-formed UTF-8, or `size` if all are. */
    size_t (*utf8_valid)(const char *data, size_t size);

    /* Around a function of a plugin whose owner has a `watch`, of which core_enter and core_leave know nothing:
     * `before` gives a token or NULL (if c->interrupted, the call is over before it began: CORE_NOT_CALLED), `after`
     * takes it and returns the status, or LOADER_FAILED if the watch raised (then c->cause is what). GIL held or
     * not. */
    PyObject *(*watch_before)(core_call *c, const char *function);
    int (*watch_after)(core_call *c, const char *function, PyObject *token, int status);

    PyTypeObject *owner_type;
    PyTypeObject *record_type;

    int64_t (*now)(void); /* nanoseconds of a clock that is never set; GIL held or not */

    /* Takes the exception that is set away and keeps it as c->cause. GIL held. */
    void (*keep_cause)(core_call *c);

    PyASCIIObject text_model; /* for short_text */

    /* UTF-8 as a new str; NULL without an exception if it is not well-formed. GIL held. See text/decode.h. */
    PyObject *(*decode)(const char *data, size_t size);

    PyInterpreterState *interpreter; /* for core_only_thread */

    /* Gives back the memory of loader_alloc, where the function that asked for it has returned and the call goes on
     * with another one. GIL held or not, as long as no result is of it. */
    void (*drop_blocks)(core_call *c);
} core_api;

/* A status that no plugin has: the call never came to it, and `raise` raises c->cause as it is. */
enum { CORE_NOT_CALLED = -0x4C4F4144 };

/* Whether this thread, which has the GIL, is the only Python thread. Two reads of memory, one of them behind a call:
 * what PyThreadState_Next returns is a field of a struct that every header of Python shows. */
static inline bool core_only_thread(PyInterpreterState *interpreter)
{
    return PyInterpreterState_ThreadHead(interpreter)->next == NULL;
}

/* Whether a call of an owner's function keeps the GIL; the rule stands in gil.c. `never_blocks`: it promised. */
static inline bool core_keeps(const core_owner *owner, bool never_blocks, PyInterpreterState *interpreter)
{
    return never_blocks || (!atomic_load_explicit(&owner->attaches, memory_order_relaxed) &&
                            core_only_thread(interpreter));
}

/* The native form that a Record of a class right below `record_type` has kept for `layout`, or NULL: then `pack`
 * is the way. The argument keeps it alive. */
static inline const void *core_packed(PyObject *value, PyObject *layout, const PyTypeObject *record_type)
{
    const core_record *record = (const core_record *)(const void *)value;

    return Py_TYPE(value)->tp_base == record_type && record->layout == layout ? record->native : NULL;
}

/* Around each function of a plugin. What core_enter returns is for core_leave: a plugin may be called in a
 * service that another one called. */
static inline core_crumb core_enter(const core_call *c, const core_step *step)
{
    core_crumb *crumb = c->crumb;
    const core_crumb outer = {.owner = crumb->owner, .step = crumb->step};
    crumb->owner = c->owner;
    crumb->step = step;
    return outer;
}

static inline void core_leave(const core_call *c, core_crumb outer)
{
    c->crumb->owner = outer.owner;
    c->crumb->step = outer.step;
}

/* Whether all of the output is ASCII. What core_host_write copied is not looked at again; a plugin that writes to room
 * which it has given back already could make this wrong, and breaks the rule of loader_reserve. */
static inline bool core_is_ascii(const core_call *c)
{
    const size_t used = (size_t)(c->call.next - c->begin);

    if (c->ascii_end == 0 || c->ascii_end > used)
        return ascii_all(c->begin, used);
    return ascii_all(c->begin, c->ascii_begin) && ascii_all(c->begin + c->ascii_end, used - c->ascii_end);
}

#define CORE_API_NAME "loader._core._call.api"

/* For engines: the api, or NULL with an exception. */
static inline const core_api *core_import(void)
{
    return (const core_api *)PyCapsule_Import(CORE_API_NAME, 0);
}

#endif /* LOADER_CORE_H */
