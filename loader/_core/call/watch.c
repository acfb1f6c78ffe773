/* watch.c: process state around a plugin's call, for loader/process_state.py: the two ends of a watched call, and
 * those parts of the state that Python does not show (floating point, signal handlers of C, C's environment).
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

/* owner.watch(owner, function, token): token None before the call, and what that gave after it. */
static PyObject *ask(core_call *c, const char *function, PyObject *token)
{
    const bool away = c->thread != NULL;
    PyObject *watch, *result = NULL;

    core_acquire(c);
    watch = Py_XNewRef(c->owner->watch);
    if (watch != NULL) {
        result = PyObject_CallFunction(watch, "OsO", (PyObject *)c->owner, function, token == NULL ? Py_None : token);
        if (result == NULL)
            core_keep_cause(c);
        Py_DECREF(watch);
    }
    core_go_on(c, away);
    return result;
}

PyObject *core_watch_before(core_call *c, const char *function)
{
    PyObject *token = ask(c, function, NULL);

    if (token == NULL)
        core_forget(c); /* a watch that fails watches nothing */
    return token;
}

int core_watch_after(core_call *c, const char *function, PyObject *token, int status)
{
    static const char text[] = "it changed the state of the process";
    const bool away = c->thread != NULL;
    PyObject *result = ask(c, function, token);

    core_acquire(c);
    Py_DECREF(token);
    Py_XDECREF(result);
    if (away)
        core_release(c);
    if (result != NULL || c->cause == NULL)
        return status;
    core_set_error(c, text, sizeof text - 1);
    return LOADER_FAILED;
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
