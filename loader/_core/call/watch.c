/* watch.c: process state around a plugin's call, for loader/observe/process_state.py: the two ends of a watched call,
 * and those parts of the state that Python does not show (floating point, signal handlers of C, C's environment).
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "call/internal.h"

#include <fenv.h>
#if !defined(_WIN32)
#  include <signal.h>
extern char **environ;
#endif
#if defined(__SSE2__) || defined(_M_X64)
#  include <xmmintrin.h>
#endif

/* ---- Around a call ----------------------------------------------------------------------------------- */

/* watch(owner, function, token, what): see StateWatch in loader/observe/process_state.py. NULL, without an exception if
 * there is no watch any more. Takes the reference to `what`, which is NULL if there was no memory for it. GIL held. */
static PyObject *ask(core_call *c, PyObject *watch, const char *function, PyObject *token, PyObject *what)
{
    PyObject *result = NULL;

    Py_XINCREF(watch);
    if (watch != NULL && what != NULL)
        result = PyObject_CallFunction(watch, "OsOO", (PyObject *)c->owner, function, token, what);
    Py_XDECREF(watch);
    Py_XDECREF(what);
    return result;
}

/* A watch that fails watches nothing. An interrupt that arose in it ends the call. */
static void ignore(core_call *c)
{
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        core_keep_cause(c);
    PyErr_Clear();
}

PyObject *core_watch_before(core_call *c, const char *function)
{
    const bool away = c->thread != NULL;
    PyObject *watch, *given, *token = NULL;

    core_acquire(c);
    watch = Py_XNewRef(c->owner->watch);
    given = ask(c, watch, function, Py_None, Py_NewRef(Py_None));
    if (given != NULL)
        token = PyTuple_Pack(2, watch, given); /* who began ends it: it may be gone by then, or another in its place */
    Py_XDECREF(given);
    Py_XDECREF(watch);
    if (token == NULL)
        ignore(c);
    core_go_on(c, away);
    c->watched_since = core_now();
    return token;
}

void core_watch_service(core_call *c, const char *function, const char *id, size_t size)
{
    PyObject *what = PyUnicode_DecodeUTF8(id, (Py_ssize_t)size, "replace");
    PyObject *result = ask(c, c->owner->watch, function, Py_None, what);

    if (result == NULL)
        ignore(c);
    Py_XDECREF(result);
}

/* The error's text is that of what the watch raised, which is the cause; `general` if it raised something else. */
static void put_cause(core_call *c, const char *general)
{
    PyObject *message = c->cause == NULL ? NULL : PyObject_GetAttrString(c->cause, "message");
    const char *text = NULL;
    Py_ssize_t size = 0;

    if (message != NULL && PyUnicode_Check(message))
        text = PyUnicode_AsUTF8AndSize(message, &size);
    PyErr_Clear(); /* a name that is not UTF-8, or no such attribute */
    if (text == NULL || size == 0) {
        text = general;
        size = (Py_ssize_t)strlen(general);
    }
    core_set_error(c, text, (size_t)size);
    Py_XDECREF(message);
}

int core_watch_after(core_call *c, const char *function, PyObject *token, int status)
{
    const bool away = c->thread != NULL;
    const double seconds = (double)(core_now() - c->watched_since) / 1e9; /* without waiting for the GIL */
    PyObject *result;
    bool failed;

    core_acquire(c);
    result = ask(c, PyTuple_GET_ITEM(token, 0), function, PyTuple_GET_ITEM(token, 1), PyFloat_FromDouble(seconds));
    failed = PyErr_Occurred() != NULL;
    if (failed) {
        core_keep_cause(c);
        put_cause(c, "it changed the state of the process, or broke a promise");
    }
    Py_DECREF(token);
    Py_XDECREF(result);
    core_go_on(c, away);
    return failed ? LOADER_FAILED : status;
}

/* ---- State ------------------------------------------------------------------------------------------- */

/* (rounding mode, the other control bits of floating point): of this thread. */
static PyObject *float_state(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
#if defined(__SSE2__) || defined(_M_X64)
    unsigned control = _mm_getcsr() & 0x9fc0u; /* flush to zero, denormals are zero, masks; no rounding, no flags */
#elif defined(__aarch64__) && defined(__GNUC__)
    uint64_t whole;
    __asm__("mrs %0, fpcr" : "=r"(whole));
    unsigned control = (unsigned)whole & ~(3u << 22);
#else
    unsigned control = 0;
#endif
    return Py_BuildValue("iI", fegetround(), control);
}

/* [(handler's address, whether the signal is blocked on this thread)], by number, from 1 on. */
static PyObject *signal_state(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    PyObject *list = PyList_New(0);
#if !defined(_WIN32)
    sigset_t blocked;

    if (pthread_sigmask(SIG_SETMASK, NULL, &blocked) != 0)
        sigemptyset(&blocked);
    for (int number = 1; list != NULL && number < NSIG; number++) {
        struct sigaction now;
        uintptr_t address = 0;
        PyObject *item;
        if (sigaction(number, NULL, &now) == 0)
            memcpy(&address, &now.sa_handler, sizeof address); /* sa_sigaction lies in the same place */
        address = core_signals_true(address);
        item = Py_BuildValue("KO", (unsigned long long)address,
                             sigismember(&blocked, number) == 1 ? Py_True : Py_False);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
#endif
    return list;
}

/* ["NAME=value"] as C sees it: os.environ is a copy that a plugin's setenv does not reach. */
static PyObject *environment(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    PyObject *list = PyList_New(0);
#if !defined(_WIN32)
    for (char **each = environ; list != NULL && each != NULL && *each != NULL; each++) {
        PyObject *item = PyBytes_FromString(*each);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
#endif
    return list;
}

PyMethodDef core_watch_functions[] = {
    {"float_state", float_state, METH_NOARGS, "(rounding mode, other control bits) of this thread."},
    {"signal_state", signal_state, METH_NOARGS, "[(handler, blocked on this thread)] from signal 1 on."},
    {"environment", environment, METH_NOARGS, "[\"NAME=value\"] as C sees it."},
    {NULL, NULL, 0, NULL},
};
