/* call.c: one call's context: its beginning and end, and the host functions that a plugin reaches through it. Its
 * output, what it logs and its errors have files of their own: output.c, log.c, error.c.
 *
 * Threads: the functions of core_host run on the thread that made the call, and none of them waits for the GIL: the
 * plugin may hold a lock. Only a service does, see service.c; it takes the GIL if this call let it go (c->thread),
 * which is cheaper than PyGILState_Ensure and always right, unless a plugin uses the call from another thread, which
 * core_on_thread finds out.
 */
#include "call/internal.h"

unsigned core_generation = 0;

/* ---- Beginning and ending ---------------------------------------------------------------------------- */

int core_begin_slow(core_call *c)
{
    if (c->crumb->armed != core_alarm)
        core_arm_thread();
    if (core_limits_active > 0) {
        c->limit = core_limit_current();
        if (c->limit == NULL && PyErr_Occurred())
            return -1;
        Py_XINCREF((PyObject *)c->limit);
    }
    if (!c->owner->fork_safe && c->owner->generation != core_generation) {
        core_raise_forked(c);
        core_end_slow(c);
        return -1;
    }
    return 0;
}

void core_end_slow(core_call *c)
{
    if (c->room == CORE_HEAP)
        free(c->begin);
    c->room = CORE_BORROWED;
    c->interrupted = c->settle = false;
    core_forget(c);
    core_drop_log(c);
    Py_CLEAR(c->result);
    Py_CLEAR(c->lent);
    Py_CLEAR(c->dropped);
    Py_CLEAR(c->worker);
    core_drop_blocks(c);
    if (c->limit != NULL) {
        Py_DECREF((PyObject *)c->limit);
        c->limit = NULL;
    }
}

bool core_cleanup_begin(struct cleanup *cleanup, core_owner *owner, const core_step *step, bool never_blocks)
{
    core_call *const c = &cleanup->c;

    /* Its runtime is not there any more: some memory is lost, where a call would hang. */
    if (owner != NULL && !owner->fork_safe && owner->generation != core_generation)
        return false;
    cleanup->error = PyErr_Occurred() ? core_raised() : NULL;
    cleanup->thread = NULL;
    c->owner = owner;
    if (owner == NULL)
        return true;
    c->crumb = &core_trail;
    if (c->crumb->armed != core_alarm)
        core_arm_thread();
    if (!core_keeps(owner, never_blocks, core_interpreter))
        cleanup->thread = PyEval_SaveThread();
    cleanup->outer = core_enter(c, step);
    return true;
}

void core_cleanup_end(struct cleanup *cleanup)
{
    if (cleanup->c.owner != NULL)
        core_leave(&cleanup->c, cleanup->outer);
    if (cleanup->thread != NULL)
        PyEval_RestoreThread(cleanup->thread);
    if (cleanup->error != NULL)
        core_raise_again(cleanup->error);
}

/* ---- When the function has returned ------------------------------------------------------------------ */

/* A signal arrived, if one did: now its handler runs, in Python. What that raises is what becomes of the call,
 * whatever its class is: it is not the plugin's failure. Returns whether it did. */
bool core_run_handlers(core_call *c)
{
    const unsigned arrived = atomic_load_explicit(&core_signals_arrived, memory_order_relaxed);

    if (arrived == c->signals)
        return false;
    c->signals = arrived;
    if (PyErr_CheckSignals() == 0)
        return false;
    core_keep_cause(c);
    c->interrupted = true;
    return true;
}

int core_settle(core_call *c, int status)
{
    static const char silent[] = "a signal arrived, whose handler in the application raised nothing";

    core_acquire(c);
    core_tell_log(c);
    /* Of a function that did its work in spite of a signal the result is good, and the interpreter runs the handler
     * right after it. */
    if (c->stopped && status != LOADER_OK && !core_run_handlers(c) && status == LOADER_CANCELLED &&
        c->call.error.size == 0 && core_limit_check(c->limit) == LOADER_OK)
        core_set_error(c, silent, sizeof silent - 1);
    c->settle = c->output_lost || c->cause != NULL || c->dropped != NULL || c->lent != NULL || c->blocks != NULL ||
               c->worker != NULL;
    return status;
}

/* ---- What a plugin asks of the host ---------------------------------------------------------------------- */

static int host_fail(loader_call *call, int status, const char *text, size_t size)
{
    core_set_error((core_call *)call, text, size);
    return status == LOADER_OK ? LOADER_FAILED : status;
}

/* Needs no GIL: a plugin may ask with a lock in its hand. Work that asks is long, so if the GIL was kept until now it
 * is let go: others may run, and what arrives for the main thread is seen. */
static int host_cancelled(loader_call *call)
{
    core_call *c = (core_call *)call;
    int status;

    if (c->thread == NULL && core_on_thread(c))
        core_release(c);
    status = core_limit_check(c->limit);
    if (status == LOADER_OK && c->interrupted)
        return LOADER_CANCELLED;
    if (status == LOADER_OK && PyThread_get_thread_ident() == core_main_thread) {
        core_signals_look_after();
        if (c->signals != atomic_load_explicit(&core_signals_arrived, memory_order_relaxed)) {
            c->stopped = c->settle = true;
            return LOADER_CANCELLED;
        }
    }
    return status;
}

static const void *host_service(loader_call *call, const char *id, size_t size)
{
    core_call *c = (core_call *)call;
    const core_services *services = c->owner->services;
    bool given = false;
    const void *table = services == NULL || id == NULL ? NULL : core_services_find(services, id, size, &given);

    if (table != NULL && given) { /* its functions are not ours to look after; see gil.c */
        atomic_store_explicit(&c->owner->attaches, true, memory_order_relaxed);
        atomic_store_explicit(&c->owner->unusual, true, memory_order_relaxed);
        if (c->thread == NULL && core_on_thread(c))
            core_release(c);
    }
    return table;
}

static loader_text host_path(loader_call *call)
{
    PyObject *path = ((core_call *)call)->owner->path_bytes;

    return (loader_text){PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path)};
}

const loader_host core_host = {
    .size = sizeof(loader_host),
    .grow = core_host_grow,
    .write = core_host_write,
    .fail = host_fail,
    .log = core_host_log,
    .cancelled = host_cancelled,
    .service = host_service,
    .path = host_path,
    .alloc = core_host_alloc,
};
