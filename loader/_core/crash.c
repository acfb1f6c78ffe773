/* crash.c: when a signal kills the process, the report says which plugin's function the thread was in.
 *
 * Handlers for the signals of a crash write one line of JSON to a descriptor that was opened beforehand, then go
 * on to whatever handled the signal before: faulthandler, a Go runtime, or nothing. Everything in a handler is
 * async-signal-safe: no allocation, no lock, no stdio. What a line says of a plugin was put together when it was
 * loaded (core_label).
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
#include "internal.h"

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

void core_note_range(const core_owner *owner, const void *address)
{
    (void)owner, (void)address;
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
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#  include <dlfcn.h>
#  include <link.h>
#  include <sys/syscall.h>
#  include <ucontext.h>
#endif

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

/* ---- Which addresses are whose ----------------------------------------------------------------------- */

/* The addresses of one plugin: names the culprit where a thread that a plugin started crashes, which has no
 * breadcrumb. Entries are never removed, as libraries are never unmapped. */
struct range {
    uintptr_t begin, end;
    const char *label;
    struct range *next;
};
static struct range *_Atomic ranges;

static const struct range *range_of(uintptr_t address)
{
    for (const struct range *r = atomic_load(&ranges); r != NULL; r = r->next)
        if (address - r->begin < r->end - r->begin)
            return r;
    return NULL;
}

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#  if __GLIBC_PREREQ(2, 35)
#    define HAS_FIND_OBJECT
#  endif
#endif

#if defined(__linux__)
#  if defined(HAS_FIND_OBJECT)
/* From the dynamic linker's sorted table: the other way passes by all libraries, for each that is loaded. */
static bool look_up(struct range *wanted)
{
    struct dl_find_object found;
    union {
        uintptr_t number;
        void *pointer;
    } address = {.number = wanted->begin};

    if (_dl_find_object(address.pointer, &found) != 0)
        return false;
    wanted->begin = (uintptr_t)found.dlfo_map_start;
    wanted->end = (uintptr_t)found.dlfo_map_end;
    return true;
}
#  else
static int look_for(struct dl_phdr_info *info, size_t Py_UNUSED(size), void *data)
{
    struct range *wanted = data;
    uintptr_t begin = UINTPTR_MAX, end = 0;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t place = (uintptr_t)(info->dlpi_addr + header->p_vaddr);
        if (header->p_type != PT_LOAD)
            continue;
        begin = place < begin ? place : begin;
        end = place + header->p_memsz > end ? place + header->p_memsz : end;
    }
    if (wanted->begin < begin || wanted->begin >= end)
        return 0;
    wanted->begin = begin;
    wanted->end = end;
    return 1;
}

static bool look_up(struct range *wanted)
{
    return dl_iterate_phdr(look_for, wanted) != 0;
}
#  endif

void core_note_range(const core_owner *owner, const void *address)
{
    struct range found = {.begin = (uintptr_t)address}, *made;
    char *label;

    if (range_of(found.begin) != NULL || !look_up(&found))
        return;
    made = malloc(sizeof *made);
    label = strdup(owner->label);
    if (made == NULL || label == NULL) { /* then a report says a little less */
        free(made);
        free(label);
        return;
    }
    *made = (struct range){found.begin, found.end, label, atomic_load(&ranges)};
    while (!atomic_compare_exchange_weak(&ranges, &made->next, made))
        ;
}
#else
void core_note_range(const core_owner *owner, const void *address)
{
    (void)owner, (void)address;
}
#endif

static uintptr_t program_counter(const void *context)
{
#if defined(__linux__) && defined(__x86_64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__linux__) && defined(__aarch64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* ---- One line ---------------------------------------------------------------------------------------- */

enum { MOST_PARTS = 32, NUMBERS = 256 };

/* Pieces of a line, so that what a plugin is called needs no copy. One writev: lines of two threads that crash
 * at once do not mix. */
struct line {
    struct iovec parts[MOST_PARTS];
    int count;
    char numbers[NUMBERS];
    size_t used;
};

static void put_text(struct line *line, const char *text, size_t size)
{
    if (line->count < MOST_PARTS) {
        union { /* writev only reads, but its type does not say so */
            const char *in;
            void *out;
        } pointer = {.in = text};
        line->parts[line->count++] = (struct iovec){pointer.out, size};
    }
}

static void put(struct line *line, const char *text)
{
    put_text(line, text, strlen(text));
}

/* A number with at least `digits` digits. */
static void put_number(struct line *line, uint64_t number, unsigned base, int digits)
{
    char text[24];
    size_t at = sizeof text;

    for (; number != 0 || digits > 0; number /= base, digits--)
        text[--at] = "0123456789abcdef"[number % base];
    if (sizeof text - at > NUMBERS - line->used)
        return;
    memcpy(line->numbers + line->used, text + at, sizeof text - at);
    put_text(line, line->numbers + line->used, sizeof text - at);
    line->used += sizeof text - at;
}

static uint64_t thread_id(void)
{
#if defined(__linux__)
    return (uint64_t)syscall(SYS_gettid);
#else
    return (uint64_t)(uintptr_t)pthread_self();
#endif
}

static bool is_main(uint64_t thread)
{
#if defined(__linux__)
    return thread == (uint64_t)getpid();
#else
    (void)thread;
    return pthread_main_np() != 0;
#endif
}

static void put_plugin(struct line *line, uintptr_t counter)
{
    const core_crumb *crumb = &core_trail;
    const core_owner *owner = crumb->owner;
    const core_step *step = crumb->step;
    const struct range *range;

    if (owner != NULL) {
        put(line, owner->label);
        put(line, ",\"found_by\":\"call\",\"in_service\":");
        put(line, step == NULL ? "true" : "false");
        if (step != NULL) {
            put(line, ",\"function\":\"");
            put(line, step->name); /* an identifier of C */
            put(line, "\"");
        }
        if (step != NULL && step->in_document) {
            put(line, ",\"offset\":");
            put_number(line, crumb->offset, 10, 1);
        }
    } else if ((range = range_of(counter)) != NULL) {
        put(line, range->label);
        put(line, ",\"found_by\":\"address\"");
    } else {
        put(line, "\"plugin\":null");
    }
}

/* Writes the line. `again`: a handler died while it wrote one, so nothing that is not needed is touched.
 * Returns its size, 0 if it was not written. */
static size_t write_line(int fd, int kind, const siginfo_t *info, const void *context, bool again)
{
    struct line line = {.count = 0, .used = 0};
    const uint64_t thread = thread_id();
    struct timespec now = {0, 0};
    ssize_t written;

    clock_gettime(CLOCK_REALTIME, &now);
    put(&line, "{\"signal\":\"");
    put(&line, kinds[kind].name);
    put(&line, "\",\"time\":");
    put_number(&line, (uint64_t)now.tv_sec, 10, 1);
    put(&line, ".");
    put_number(&line, (uint64_t)now.tv_nsec / 1000000, 10, 3);
    put(&line, ",\"process\":");
    put_number(&line, (uint64_t)getpid(), 10, 1);
    put(&line, ",\"thread\":");
    put_number(&line, thread, 10, 1);
    put(&line, is_main(thread) ? ",\"main_thread\":true," : ",\"main_thread\":false,");
    if (info != NULL && info->si_code > 0) { /* from the kernel: si_addr means something */
        put(&line, "\"address\":\"0x");
        put_number(&line, (uint64_t)(uintptr_t)info->si_addr, 16, 1);
        put(&line, "\",");
    }
    if (again)
        put(&line, "\"plugin\":null");
    else
        put_plugin(&line, program_counter(context));
    put(&line, "}\n");
    written = writev(fd, line.parts, line.count);
    return written > 0 ? (size_t)written : 0;
}

static off_t size_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

/* The fault was mended: nobody died. If another thread has written since, the line stays and one that revokes
 * it follows. */
static void take_back(int fd, off_t start, size_t size)
{
    struct line line = {.count = 0, .used = 0};

    if (size == 0 || (start >= 0 && size_of(fd) == start + (off_t)size && ftruncate(fd, start) == 0))
        return;
    put(&line, "{\"mended\":true,\"process\":");
    put_number(&line, (uint64_t)getpid(), 10, 1);
    put(&line, ",\"thread\":");
    put_number(&line, thread_id(), 10, 1);
    put(&line, "}\n");
    if (writev(fd, line.parts, line.count) < 0)
        return;
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
        write_line(atomic_load(&report), kind, info, context, true);
        die(kind, info);
        return;
    }
    core_trail.dying = 1;
    fd = hold_report();
    start = size_of(fd);
    size = write_line(fd, kind, info, context, false);
    let_report_go();
    core_trail.dying = 2;
    chain(kind, info, context);
    if (!is_over(kind)) {
        if (hold_report() == fd) /* else the line's file is closed, and it stays */
            take_back(fd, start, size);
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
