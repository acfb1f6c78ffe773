/* signals.c: how a plugin's function on the main thread learns that a signal arrived (Ctrl-C), without the GIL.
 *
 * Python's handler in C notes a signal, and the application's handler in Python runs later, on the main thread, with
 * the GIL. Whether one is noted can only be asked with the GIL (PyErr_CheckSignals, which runs the handlers), and
 * loader_cancelled must not wait for that: the plugin may hold a lock which Python code is about to want. So in
 * front of Python's handler stands one that counts, and calls it. What Python says of its handlers stays true
 * (signal.getsignal, the wakeup descriptor of asyncio), as its own table has them.
 *
 * signal.signal puts Python's handler back. So it is looked after when plugins are loaded and when loader_cancelled
 * asks, at most once a millisecond. Then nothing is missed but a signal that arrives after signal.signal and before
 * the first question of the first call that asks.
 *
 * The application's handlers run when the function has returned (core_settle), or in a service.
 */
#include "call/internal.h"

#include <signal.h>

atomic_uint core_signals_arrived;

#if defined(_WIN32)

/* Ctrl-C is seen when the call returns. */
void core_signals_learn(void) {}
void core_signals_look_after(void) {}
uintptr_t core_signals_true(uintptr_t handler) { return handler; }

#else

typedef void handler(int);

enum { EVERY = 1000000 }; /* nanoseconds */

#if defined(SIGRTMAX)
#  define UNUSED SIGRTMAX /* a signal that nobody uses, or at least not yet */
#else
#  define UNUSED SIGUSR2
#endif

/* Those that ask a program to stop, and the one that says its time is up, where the application handles them in Python.
 * Not those that by custom only tell something (SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, timers of profilers): a call that
 * was cut short for them could not be taken up again. Their handlers run when the function has returned. */
static const int counted[] = {SIGINT, SIGTERM, SIGQUIT, SIGALRM};
enum { COUNTED = sizeof counted / sizeof counted[0] };

static handler *_Atomic pythons; /* Python's handler in C, the same for all signals; NULL: not known yet */
static _Atomic int64_t looked_after;

static void count(int number)
{
    atomic_fetch_add_explicit(&core_signals_arrived, 1, memory_order_relaxed);
    atomic_load(&pythons)(number); /* both are free of locks on 64 bits */
}

/* Finds out what Python's handler is by having it set, for a signal that nobody uses: what is there for one that is in
 * use may be another's, in front of Python's (faulthandler.register), and where SIGINT is ignored there may be none. On
 * the main thread, as signal.signal wants it, under the GIL. NULL: not found; no exception is left. */
static handler *find_pythons(void)
{
    PyObject *module, *any = NULL, *set = NULL;
    handler *found = NULL;
    sigset_t blocked, before;

    if (PyOS_getsig(UNUSED) != SIG_DFL)
        return NULL;
    sigemptyset(&blocked);
    sigaddset(&blocked, UNUSED);
    if (pthread_sigmask(SIG_BLOCK, &blocked, &before) != 0)
        return NULL;
    module = PyImport_ImportModule("_signal");
    if (module != NULL)
        any = PyObject_GetAttrString(module, "default_int_handler");
    if (any != NULL)
        set = PyObject_CallMethod(module, "signal", "iO", UNUSED, any);
    if (set != NULL) {
        found = PyOS_getsig(UNUSED);
        Py_SETREF(set, PyObject_CallMethod(module, "signal", "iO", UNUSED, set)); /* what was there: SIG_DFL */
    }
    PyErr_Clear();
    Py_XDECREF(set);
    Py_XDECREF(any);
    Py_XDECREF(module);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return found == SIG_DFL ? NULL : found;
}

static int learn(void *Py_UNUSED(nothing))
{
    if (atomic_load(&pythons) == NULL)
        atomic_store(&pythons, find_pythons());
    core_signals_look_after();
    return 0;
}

void core_signals_learn(void)
{
    atomic_store(&looked_after, 0);
    if (atomic_load(&pythons) != NULL || PyThread_get_thread_ident() == core_main_thread)
        (void)learn(NULL);
    else
        (void)Py_AddPendingCall(learn, NULL); /* the main thread, when it is in Python next */
}

/* Needs no GIL. */
void core_signals_look_after(void)
{
    const int64_t now = core_now(), before = atomic_load_explicit(&looked_after, memory_order_relaxed);
    handler *const set = atomic_load_explicit(&pythons, memory_order_relaxed);

    if (set == NULL || (before != 0 && now - before < EVERY))
        return;
    atomic_store_explicit(&looked_after, now, memory_order_relaxed);
    for (size_t i = 0; i < COUNTED; i++) {
        struct sigaction action;
        if (sigaction(counted[i], NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) != 0 ||
            action.sa_handler != set)
            continue;
        action.sa_handler = count;
        (void)sigaction(counted[i], &action, NULL);
    }
}

/* The handler that was set, of the one that is there: for whoever compares. */
uintptr_t core_signals_true(uintptr_t there)
{
    return there == (uintptr_t)count ? (uintptr_t)atomic_load(&pythons) : there;
}

#endif
