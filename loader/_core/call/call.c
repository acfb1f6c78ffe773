/* call.c: one call's context: its beginning and end, its error, and the host functions that a plugin reaches
 * through it. Its output has a file of its own, output.c.
 *
 * Threads: the functions of core_host run on the thread that made the call. Where they need Python they take
 * the GIL only if this call let it go (c->thread); that is cheaper than PyGILState_Ensure and always right,
 * unless a plugin uses the call from another thread, which core_on_thread finds out.
 */
#include "call/internal.h"

#define ERROR_MOST (64 * 1024) /* bytes of an error text that are kept; said in plugin.h */

unsigned core_generation = 0;

/* (name, path, function, status, message, where, cause) -> exception; status None: refused after a fork */
static PyObject *error_factory;
static PyObject *log_function;  /* (plugin name, level, text) */

/* ---- Exceptions -------------------------------------------------------------------------------------- */

/* The exception that is set, taken away, with its traceback. A new reference. */
PyObject *core_raised(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL)
        PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

/* Sets what core_raised gave; takes the reference. */
void core_raise_again(PyObject *error)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(error);
#else
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), error, PyException_GetTraceback(error));
#endif
}

/* Takes the exception that is set away and keeps it as the cause of whatever becomes of the call. */
void core_keep_cause(core_call *c)
{
    Py_XSETREF(c->cause, core_raised());
}

static void raise_made(PyObject *error)
{
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

static void raise_forked(const core_call *c)
{
    raise_made(PyObject_CallFunction(error_factory, "OOOOsOO", c->owner->name, c->owner->path, Py_None, Py_None, "",
                                     Py_None, Py_None));
}

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
        raise_forked(c);
        core_end(c);
        return -1;
    }
    return 0;
}

void core_end_slow(core_call *c)
{
    if (c->room == CORE_HEAP)
        free(c->begin);
    Py_CLEAR(c->result);
    c->room = CORE_BORROWED;
    Py_CLEAR(c->lent);
    if (c->limit != NULL) {
        Py_DECREF((PyObject *)c->limit);
        c->limit = NULL;
    }
    core_forget(c);
}

void core_forget(core_call *c)
{
    free(c->error);
    c->error = NULL;
    c->call.error.data = NULL;
    c->call.error.size = 0;
    if (c->cause != NULL) {
        PyThreadState *thread = c->thread;
        core_acquire(c);
        Py_CLEAR(c->cause);
        if (thread != NULL)
            core_release(c);
    }
}

void core_release(core_call *c)
{
    if (c->thread == NULL)
        c->thread = PyEval_SaveThread();
}

void core_acquire(core_call *c)
{
    if (c->thread != NULL) {
        PyEval_RestoreThread(c->thread);
        c->thread = NULL;
    }
}

bool core_on_thread(const core_call *c)
{
    if (c->thread != NULL)
        return c->thread->thread_id == PyThread_get_thread_ident();
    return PyGILState_Check() != 0;
}

/* ---- Errors ------------------------------------------------------------------------------------------ */

int core_set_error(core_call *c, const char *text, size_t size)
{
    char *copy;

    if (text == NULL)
        size = 0;
    if (size > ERROR_MOST) { /* cut between characters, not inside of one */
        size = ERROR_MOST;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
            size--;
    }
    copy = (char *)malloc(size + 1);
    if (copy == NULL)
        size = 0; /* no text, rather than that of another failure */
    if (size != 0)
        memcpy(copy, text, size); /* before free: a plugin may pass its own call->error.data on */
    free(c->error);
    c->error = copy;
    c->call.error.data = copy;
    c->call.error.size = size;
    return copy == NULL ? -1 : 0;
}

static int host_fail(loader_call *call, int status, const char *text, size_t size)
{
    core_set_error((core_call *)call, text, size);
    return status == LOADER_OK ? LOADER_FAILED : status;
}

PyObject *core_raise(core_call *c, const char *function, int status, const char *where)
{
    PyObject *message, *cause = c->cause;

    /* An interrupt or an exit that arose in a service is not the plugin's failure: it goes on as it is. */
    if (cause != NULL && (status == CORE_NOT_CALLED || !PyObject_IsInstance(cause, PyExc_Exception))) {
        PyErr_SetObject((PyObject *)Py_TYPE(cause), cause);
        return NULL;
    }
    message = PyUnicode_DecodeUTF8(c->call.error.data == NULL ? "" : c->call.error.data,
                                   (Py_ssize_t)c->call.error.size, "replace");
    if (message == NULL)
        return NULL;
    raise_made(PyObject_CallFunction(error_factory, "OOziOzO", c->owner->name, c->owner->path, function, status,
                                     message, where, cause == NULL ? Py_None : cause));
    Py_DECREF(message);
    return NULL;
}

/* ---- Log, cancel, services --------------------------------------------------------------------------- */

static void host_log(loader_call *call, int level, const char *text, size_t size)
{
    core_call *c = (core_call *)call;
    PyThreadState *thread = c->thread;
    PyObject *result = NULL, *line;

    if (log_function == NULL || !core_on_thread(c))
        return;
    core_acquire(c);
    c->owner->talks = true;
    line = PyUnicode_DecodeUTF8(text == NULL ? "" : text, text == NULL ? 0 : (Py_ssize_t)size, "replace");
    if (line != NULL)
        result = PyObject_CallFunction(log_function, "OiO", c->owner->name, level, line);
    if (result == NULL && !PyErr_ExceptionMatches(PyExc_Exception))
        core_keep_cause(c); /* an interrupt or an exit: it ends the call */
    else if (result == NULL) /* a log handler that fails must not fail the plugin */
        PyErr_WriteUnraisable(log_function);
    Py_XDECREF(result);
    Py_XDECREF(line);
    if (thread != NULL)
        core_release(c);
}

static int host_cancelled(loader_call *call)
{
    return core_limit_check(((core_call *)call)->limit);
}

static const void *host_service(loader_call *call, const char *id, size_t size)
{
    const core_services *services = ((core_call *)call)->owner->services;

    return services == NULL || id == NULL ? NULL : core_services_find(services, id, size);
}

const loader_host core_host = {
    .size = sizeof(loader_host),
    .grow = core_host_grow,
    .fail = host_fail,
    .log = host_log,
    .cancelled = host_cancelled,
    .service = host_service,
};

/* ---- What loader/plugin.py lends --------------------------------------------------------------------- */

PyObject *core_set_error_factory(PyObject *Py_UNUSED(module), PyObject *factory)
{
    Py_XSETREF(error_factory, Py_NewRef(factory));
    Py_RETURN_NONE;
}

PyObject *core_set_log(PyObject *Py_UNUSED(module), PyObject *log)
{
    Py_XSETREF(log_function, Py_NewRef(log));
    Py_RETURN_NONE;
}
