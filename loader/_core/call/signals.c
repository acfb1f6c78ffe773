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

/* Those that ask a program to stop or to turn to something else, where the application handles them in Python. Not
 * those that by default do nothing (SIGCHLD), the timers of profilers, and crashes. */
static const int counted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2};
enum { COUNTED = sizeof counted / sizeof counted[0] };

static handler *_Atomic pythons; /* Python's handler in C, of all signals; NULL: not known yet */
static _Atomic int64_t looked_after;

static void count(int number)
{
    atomic_fetch_add_explicit(&core_signals_arrived, 1, memory_order_relaxed);
    atomic_load(&pythons)(number); /* both are free of locks on 64 bits */
}

/* Under the GIL: finds out what Python's handler is, from a signal that has a handler in Python. */
static handler *find_pythons(void)
{
    PyObject *module = PyImport_ImportModule("_signal");
    handler *found = NULL;

    for (size_t i = 0; module != NULL && found == NULL && i < COUNTED; i++) {
        PyObject *set = PyObject_CallMethod(module, "getsignal", "i", counted[i]);
        if (set == NULL)
            PyErr_Clear();
        else if (PyCallable_Check(set)) /* not a number, SIG_DFL or SIG_IGN, and not None, a handler of others */
            found = PyOS_getsig(counted[i]);
        Py_XDECREF(set);
    }
    if (module == NULL)
        PyErr_Clear();
    Py_XDECREF(module);
    return found;
}

void core_signals_learn(void)
{
    if (atomic_load(&pythons) == NULL)
        atomic_store(&pythons, find_pythons());
    atomic_store(&looked_after, 0);
    core_signals_look_after();
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
