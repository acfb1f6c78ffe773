/* gil.c: whether a call keeps the GIL.
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
