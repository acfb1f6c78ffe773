/* crash_line.c: the one line of JSON that a crash report is, written and taken back.
 *
 * All of this runs in a signal handler (crash.c) and is async-signal-safe: no allocation, no lock, no stdio. What
 * a line says of a plugin was put together when it was loaded (core_owner.label).
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "crash/crash.h"

#if !defined(_WIN32)

#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#  include <sys/syscall.h>
#  include <ucontext.h>
#endif

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

static void put_plugin(struct line *line, uintptr_t counter)
{
    const core_crumb *crumb = &core_trail;
    const core_owner *owner = crumb->owner;
    const core_step *step = crumb->step;
    const char *label;

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
    } else if ((label = core_label_at(counter)) != NULL) {
        put(line, label);
        put(line, ",\"found_by\":\"address\"");
    } else {
        put(line, "\"plugin\":null");
    }
}

/* Writes the line. `name`: the signal's. `again`: a handler died while it wrote one, so nothing that is not needed
 * is touched. Returns its size, 0 if it was not written. */
size_t core_write_line(int fd, const char *name, const siginfo_t *info, const void *context, bool again)
{
    struct line line = {.count = 0, .used = 0};
    const uint64_t thread = thread_id();
    struct timespec now = {0, 0};
    ssize_t written;

    clock_gettime(CLOCK_REALTIME, &now);
    put(&line, "{\"signal\":\"");
    put(&line, name);
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

/* Of a regular file; of anything else -1. */
off_t core_file_size(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

/* The fault was mended: nobody died. If another thread has written since, the line stays and one that revokes
 * it follows. */
void core_take_back(int fd, off_t start, size_t size)
{
    struct line line = {.count = 0, .used = 0};

    if (size == 0 || (start >= 0 && core_file_size(fd) == start + (off_t)size && ftruncate(fd, start) == 0))
        return;
    put(&line, "{\"mended\":true,\"process\":");
    put_number(&line, (uint64_t)getpid(), 10, 1);
    put(&line, ",\"thread\":");
    put_number(&line, thread_id(), 10, 1);
    put(&line, "}\n");
    if (writev(fd, line.parts, line.count) < 0)
        return;
}

#endif
