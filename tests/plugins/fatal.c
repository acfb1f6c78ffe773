/* fatal.c: a plugin of contract fatal, and of htmlize with -DHTMLIZE (role "fatal", or contents with -DCONTENTS).
 *
 *     BUILD         any number: makes otherwise equal files different
 *     LOADING=kind  dies of that while it is loaded
 */
#define _GNU_SOURCE
#ifdef HTMLIZE
#  include "htmlize/htmlize.h"
#else
#  include "fatal.h"
#endif

#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__SSE2__)
#  include <xmmintrin.h>
#endif

#ifndef BUILD
#  define BUILD 0
#endif
extern const int fatal_build;
const int fatal_build = BUILD;

static void *volatile nowhere = NULL;
static volatile int zero = 0, seven = 7;

/* ---- Deaths ------------------------------------------------------------------------------------------ */

static void bus(void)
{
    int fd = memfd_create("short", MFD_CLOEXEC);
    volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    page[10] = 1; /* behind the end of the file */
}

static void divide(void)
{
#if defined(__x86_64__)
    zero = seven / zero;
#else
    raise(SIGFPE); /* arm divides by zero without a word */
#endif
}

static void illegal(void)
{
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#elif defined(__aarch64__)
    __asm__ volatile("udf #0");
#else
    raise(SIGILL);
#endif
}

static int overflow(volatile char *above)
{
    volatile char here[4096];
    here[0] = *above;
    return overflow(here) + here[0];
}

static void perish(const char *kind, size_t size)
{
#define IS(text) (size == sizeof text - 1 && memcmp(kind, text, size) == 0)
    if (IS("read"))
        zero = *(volatile int *)nowhere;
    else if (IS("write"))
        *(volatile int *)nowhere = 1;
    else if (IS("jump"))
        ((void (*)(void))(uintptr_t)nowhere)();
    else if (IS("abort"))
        abort();
    else if (IS("divide"))
        divide();
    else if (IS("bus"))
        bus();
    else if (IS("illegal"))
        illegal();
    else if (IS("overflow"))
        zero = overflow((volatile char *)&size);
}

#ifdef LOADING
#  define TEXT_OF(x) #x
#  define TEXT(x) TEXT_OF(x)
__attribute__((constructor)) static void begin(void)
{
    perish(TEXT(LOADING), sizeof TEXT(LOADING) - 1);
}
#endif

#ifdef HTMLIZE
int hooks(loader_call *call)
{
#  ifdef CONTENTS
    return loader_write_string(call, "contents\n");
#  else
    return loader_write_string(call, "role:fatal\n");
#  endif
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)role, (void)post;
    perish(text->data, text->size);
    return loader_write_text(call, text);
}

int process_contents(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    (void)post;
    perish(contents->data, contents->size);
    return loader_write_text(call, contents);
}
#else

int die(loader_call *call, const loader_text *kind)
{
    perish(kind->data, kind->size);
    return loader_write_text(call, kind);
}

static void *die_here(void *kind)
{
    const loader_text *text = kind;
    perish(text->data, text->size);
    return NULL;
}

int die_elsewhere(loader_call *call, const loader_text *kind)
{
    loader_text copy = *kind;
    pthread_t thread;
    if (pthread_create(&thread, NULL, die_here, &copy) != 0)
        return loader_fail(call, "no thread");
    pthread_join(thread, NULL);
    return LOADER_OK;
}

int smash(loader_call *call)
{
    volatile char *here = (volatile char *)&call;
    for (int i = 0; i < 6000; i++)
        here[i] = 'x';
    abort(); /* before the frame that is no more is returned to */
}

int back(loader_call *call, const loader_text *kind)
{
    const fatal_host *host = fatal_host_get(call);
    int status = host == NULL ? LOADER_INVALID : host->run(call, host);
    perish(kind->data, kind->size);
    return status;
}

static void at_signal(int number)
{
    (void)number;
}

static void *sleep_on(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

static int change_one(const char *kind, size_t size)
{
    sigset_t set;
    pthread_t thread;

    if (IS("rounding"))
        return fesetround(FE_UPWARD);
    if (IS("flush")) {
#  if defined(__SSE2__)
        _mm_setcsr(_mm_getcsr() | 0x8040);
#  endif
        return 0;
    }
    if (IS("handler"))
        return signal(SIGUSR1, at_signal) == SIG_ERR;
    if (IS("mask")) {
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        return pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    if (IS("umask"))
        return (int)umask(0) < 0;
    if (IS("folder"))
        return chdir("/");
    if (IS("locale"))
        return setlocale(LC_ALL, "C.UTF-8") == NULL;
    if (IS("environment"))
        return setenv("FATAL_WAS_HERE", "yes", 1);
    if (IS("descriptor"))
        return open("/dev/null", O_RDONLY) < 0;
    if (IS("thread"))
        return pthread_create(&thread, NULL, sleep_on, NULL);
    return 0;
}

int change(loader_call *call, const loader_text *what)
{
    if (change_one(what->data, what->size) != 0)
        return loader_fail(call, "cannot change %.*s", LOADER_PRINT(what));
    return loader_write_string(call, "done");
}

int stay(loader_call *call)
{
    (void)call;
    for (;;)
        usleep(1000);
}

int echo(loader_call *call, const loader_text *text)
{
    return loader_write_text(call, text);
}
#endif
