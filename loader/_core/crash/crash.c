/* crash.c: when a signal kills the process, the report says which plugin's function the thread was in.
 *
 * Handlers for the signals of a crash write one line of JSON to a descriptor that was opened beforehand, then go
 * on to whatever handled the signal before: faulthandler, a Go runtime, or nothing. Everything in a handler is
 * async-signal-safe: no allocation, no lock, no stdio. The line is put together in crash_line.c; whose an address
 * is, for a thread without a breadcrumb, crash_ranges.c knows.
 *
 * A handler that was there before may mend a fault and go on, as Go's does with a nil pointer in Go code. It is
 * asked after the line is written, since one that does not mend never returns; when it returns, the line is
 * taken back.
 *
 * A thread whose stack is full can run a handler only on another stack. It gets one (sigaltstack) at its first
 * call of a plugin, in core_begin_slow; that a thread has one is a number in its breadcrumb.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "crash/crash.h"

_Thread_local core_crumb core_trail CORE_TRAIL_MODEL;
unsigned core_alarm;

/* loading(owner, function, *args): function(*args), with the breadcrumb that says that this plugin's constructors
 * may run now. */
PyObject *core_loading(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    static const core_step step = {"dlopen", 0};
    core_call c = {.crumb = &core_trail};
    PyObject *result;

    if (count < 2 || Py_TYPE(args[0]) != &core_owner_type) {
        PyErr_SetString(PyExc_TypeError, "loading() takes an Owner, a function and its arguments");
        return NULL;
    }
    if (core_trail.armed != core_alarm)
        core_arm_thread();
    c.owner = (core_owner *)args[0];
    const core_crumb outer = core_enter(&c, &step);
    result = PyObject_Vectorcall(args[1], args + 2, (size_t)(count - 2), NULL);
    core_leave(&c, outer);
    return result;
}

#if defined(_WIN32)

void core_arm_thread(void)
{
    core_trail.armed = core_alarm;
}

PyObject *core_crash_enable(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(number))
{
    PyErr_SetString(PyExc_NotImplementedError, "crash reports need POSIX signals");
    return NULL;
}

PyObject *core_crash_disable(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    Py_RETURN_NONE;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Room for a signal frame (4 KiB with AVX-512), our handler, faulthandler's and Go's, which takes a stack that
 * it finds for its own and wants 32 KiB. */
#define STACK_SIZE ((size_t)128 * 1024)

static const struct {
    int number;
    const char *name;
} kinds[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"},
    {SIGABRT, "SIGABRT"}, {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static struct sigaction before[KINDS]; /* who handled each signal before */
static bool installed[KINDS];            /* ours is on top, or someone on top of ours may still call it */

/* The descriptor, and how many handlers use it at this moment. */
static atomic_int report = -1, writers;

static int hold_report(void)
{
    atomic_fetch_add(&writers, 1);
    return atomic_load(&report);
}

static void let_report_go(void)
{
    atomic_fetch_sub(&writers, 1);
}

/* Reports go to `fd` from now on. When this returns nobody writes to the one before, which its owner is about to
 * close: its number may be another file's soon. Waits a tenth of a second at most, as a thread may have died there,
 * or have been left behind by a fork. */
static void set_report(int fd)
{
    const struct timespec moment = {.tv_sec = 0, .tv_nsec = 100000};

    atomic_store(&report, fd);
    for (int i = 0; i < 1000 && atomic_load(&writers) != 0; i++)
        nanosleep(&moment, NULL);
}

/* ---- The handler ------------------------------------------------------------------------------------- */

/* As if we had never been there. */
static void die(int kind, const siginfo_t *info)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};

    sigemptyset(&standard.sa_mask);
    sigaction(kinds[kind].number, &standard, NULL);
    if (info == NULL || info->si_code <= 0) /* sent by someone. A fault comes again when we return, with its cause */
        raise(kinds[kind].number);
}

static void chain(int kind, siginfo_t *info, void *context)
{
    const struct sigaction *old = &before[kind];

    if ((old->sa_flags & SA_SIGINFO) != 0)
        old->sa_sigaction(kinds[kind].number, info, context);
    else if (old->sa_handler == SIG_DFL || (old->sa_handler == SIG_IGN && info->si_code > 0))
        die(kind, info);
    else if (old->sa_handler != SIG_IGN)
        old->sa_handler(kinds[kind].number);
}

/* Whether the process is to die when this handler returns: whoever was asked has put the default back, as
 * faulthandler does, or has raised the signal anew where it is blocked, as it is under a handler of Go's. */
static bool is_over(int kind)
{
    struct sigaction now;
    sigset_t pending;

    return (sigaction(kinds[kind].number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
            now.sa_handler == SIG_DFL) ||
           (sigpending(&pending) == 0 && sigismember(&pending, kinds[kind].number) == 1);
}

static void handle(int number, siginfo_t *info, void *context)
{
    const int error = errno;
    int kind = 0, fd;
    off_t start;
    size_t size;

    while (kind < KINDS - 1 && kinds[kind].number != number)
        kind++;
    if (core_trail.dying == 2) { /* a handler of someone else's faults, or raises what it was called for */
        chain(kind, info, context);
        return;
    }
    if (core_trail.dying == 1) { /* we did: memory of ours is destroyed */
        core_trail.dying = 2;
        core_write_line(atomic_load(&report), kinds[kind].name, info, context, true);
        die(kind, info);
        return;
    }
    core_trail.dying = 1;
    fd = hold_report();
    start = core_file_size(fd);
    size = core_write_line(fd, kinds[kind].name, info, context, false);
    let_report_go();
    core_trail.dying = 2;
    chain(kind, info, context);
    if (!is_over(kind)) {
        if (hold_report() == fd) /* else the line's file is closed, and it stays */
            core_take_back(fd, start, size);
        let_report_go();
        core_trail.dying = 0;
    }
    errno = error;
}

/* ---- Stacks for handlers ----------------------------------------------------------------------------- */

/* A stack of a thread that has ended, for the next one. It is not unmapped: a Go runtime may have taken it for
 * its own signals, and looks at it once more in a destructor that may run after ours. */
struct spare {
    struct spare *next;
};
static struct spare *spares;
static pthread_mutex_t spares_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t at_thread_end;

static void give_stack(void *stack)
{
    stack_t now, none = {.ss_flags = SS_DISABLE, .ss_size = STACK_SIZE};
    struct spare *spare = stack;

    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && sigaltstack(&none, NULL) != 0)
        return;
    if (pthread_mutex_trylock(&spares_lock) != 0) /* held, perhaps by a thread that a fork left behind */
        return;
    spare->next = spares;
    spares = spare;
    pthread_mutex_unlock(&spares_lock);
}

static void *take_stack(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct spare *spare = NULL;
    char *memory;

    if (pthread_mutex_trylock(&spares_lock) == 0) {
        spare = spares;
        if (spare != NULL)
            spares = spare->next;
        pthread_mutex_unlock(&spares_lock);
    }
    if (spare != NULL)
        return spare;
    memory = mmap(NULL, page + STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    mprotect(memory, page, PROT_NONE); /* a handler that overflows it stops there */
    return memory + page;
}

void core_arm_thread(void)
{
    stack_t now, mine = {.ss_flags = 0, .ss_size = STACK_SIZE};

    core_trail.armed = core_alarm;
    if (core_alarm == 0 || sigaltstack(NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0)
        return; /* or it has one already: of faulthandler, Rust or Go, and large enough for us */
    mine.ss_sp = take_stack();
    if (mine.ss_sp == NULL)
        return;
    if (sigaltstack(&mine, NULL) != 0 || pthread_setspecific(at_thread_end, mine.ss_sp) != 0)
        give_stack(mine.ss_sp);
}

/* ---- On and off -------------------------------------------------------------------------------------- */

static int install(void)
{
    struct sigaction ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static bool have_key;

    if (!have_key && pthread_key_create(&at_thread_end, give_stack) != 0)
        return -1;
    have_key = true;
    sigemptyset(&ours.sa_mask);
    for (int i = 0; i < KINDS; i++) {
        if (installed[i]) /* twice would make it its own predecessor */
            continue;
        if (sigaction(kinds[i].number, &ours, &before[i]) != 0)
            return -1;
        installed[i] = true;
    }
    return 0;
}

/* crash_enable(fd): from now on crashes are reported to this descriptor, which is the caller's to keep open. */
PyObject *core_crash_enable(PyObject *Py_UNUSED(module), PyObject *number)
{
    long fd = PyLong_AsLong(number);

    if (fd == -1 && PyErr_Occurred())
        return NULL;
    if (fd < 0 || fd > INT_MAX || fcntl((int)fd, F_GETFD) == -1)
        return PyErr_Format(PyExc_ValueError, "%ld is not a descriptor", fd);
    set_report((int)fd);
    if (install() != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    core_alarm = 1;
    core_arm_thread();
    Py_RETURN_NONE;
}

/* crash_disable(): puts back what handled each signal before, where that is still ours. */
PyObject *core_crash_disable(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    for (int i = 0; i < KINDS; i++) {
        struct sigaction now;
        if (installed[i] && sigaction(kinds[i].number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
            now.sa_sigaction == handle && sigaction(kinds[i].number, &before[i], NULL) == 0)
            installed[i] = false;
    }
    core_alarm = 0;
    core_trail.armed = 0;
    set_report(-1);
    Py_RETURN_NONE;
}

#endif
