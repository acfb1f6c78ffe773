/* gil.c: whether a call keeps the GIL, and what is settled when it has it again.
 *
 * The rule. The GIL is let go around every function of a plugin, unless
 *   - this is the only Python thread there is (nobody waits for the GIL, so nobody can wait in a circle), or
 *   - the plugin promised for that function that it never blocks: no lock, no I/O, no service
 *     (LOADER_NEVER_BLOCKS in plugin.h; loader/trust/handshake.py reads it).
 * It is a rule and not a guess from how long calls took: a thread that keeps the GIL while it waits for a plugin's
 * mutex, and one that holds the mutex and waits for the GIL, wait for ever.
 *
 * What was decided when the call began is decided again when it may no longer hold: after Python code ran in it (a
 * service, which may have started a thread), and when the function asks loader_cancelled, which only long work does.
 *
 * A Python thread that another thread of the process makes for itself (PyGILState_Ensure) is not seen before it is
 * there. It may not wait for a lock of a plugin with the GIL, as any thread that calls a plugin does not. What is
 * left is a plugin that waits for such a thread: one that uses Python itself or got a C table of the application,
 * whose functions may. Such a plugin `attaches`, and does not count as alone.
 */
#include "call/internal.h"

PyInterpreterState *core_interpreter;
unsigned long core_main_thread;

/* ---- The GIL ----------------------------------------------------------------------------------------- */

void core_release(core_call *c)
{
    if (c->thread != NULL)
        return;
    c->settle = true;
    c->thread = PyEval_SaveThread();
}

void core_acquire(core_call *c)
{
    if (c->thread == NULL)
        return;
    PyEval_RestoreThread(c->thread);
    c->thread = NULL;
}

/* After Python code ran in the middle of a call, which was away from the GIL before it or was not. */
void core_go_on(core_call *c, bool away)
{
    if (away || !core_only_thread(core_interpreter))
        core_release(c);
}

bool core_on_thread(const core_call *c)
{
    if (c->thread != NULL)
        return c->thread->thread_id == PyThread_get_thread_ident();
    return PyGILState_Check() != 0;
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
    c->settle = c->output_lost || c->cause != NULL || c->dropped != NULL || c->lent != NULL;
    return status;
}

/* ---- Which thread is the main one -------------------------------------------------------------------- */

/* The thread on which Python runs signal handlers. Python has no public question for it; but the first thread state
 * of the main interpreter is its, and after a fork the only one. */
void core_find_main_thread(void)
{
    PyThreadState *thread;

    core_interpreter = PyInterpreterState_Main();
    thread = PyInterpreterState_ThreadHead(core_interpreter);
    core_main_thread = thread != NULL && PyThreadState_Next(thread) == NULL ? thread->thread_id : 0;
    for (; thread != NULL; thread = PyThreadState_Next(thread))
        if (PyThreadState_GetID(thread) == 1)
            core_main_thread = thread->thread_id;
}
