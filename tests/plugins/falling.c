/* falling.c: a plugin of contract falling.
 *
 *     LOADING=how  its constructor does what fall(how) does
 *     SPAWN        its constructor starts a thread that never ends, and does nothing
 *     ALONE        work() is done by one thread at a time
 */
#define _GNU_SOURCE
#include "falling.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *volatile nowhere = NULL;

static int overflow(volatile char *above)
{
    volatile char here[4096];
    here[0] = *above;
    return overflow(here) + here[0];
}

/* What malloc gives is written to, so that it is there. Returns when there is no more. */
static void take_memory(void)
{
    for (;;) {
        char *const more = malloc(1 << 20);
        if (more == NULL)
            return;
        memset(more, 1, 1 << 20);
    }
}

static void print_lines(void)
{
    printf("a line\n");
    fflush(stdout);
    fprintf(stderr, "a complaint\nwithout an end");
}

static int go_on(loader_call *call, const char *how, size_t size)
{
#define IS(text) (size == sizeof text - 1 && memcmp(how, text, size) == 0)
    if (IS("abort"))
        abort();
    else if (IS("read"))
        return *(volatile int *)nowhere;
    else if (IS("exit"))
        exit(7);
    else if (IS("quit"))
        _exit(8);
    else if (IS("overflow"))
        return overflow((volatile char *)&size);
    else if (IS("memory"))
        take_memory();
    else if (IS("print"))
        print_lines();
    else if (IS("hang"))
        for (;;)
            pause();
    else if (IS("stop"))
        while (call != NULL && loader_cancelled(call) == LOADER_OK)
            usleep(1000);
    else if (call != NULL)
        return loader_write(call, how, size);
    if (IS("memory"))
        return call == NULL ? LOADER_OK : loader_fail(call, "there is no more memory");
    return IS("stop") && call != NULL ? loader_cancelled(call) : LOADER_OK;
}

#ifdef LOADING
#  define TEXT_OF(x) #x
#  define TEXT(x) TEXT_OF(x)
__attribute__((constructor)) static void begin(void)
{
    go_on(NULL, TEXT(LOADING), sizeof TEXT(LOADING) - 1);
}
#endif

#ifdef SPAWN
static void *stay(void *argument)
{
    for (;;)
        pause();
    return argument;
}

__attribute__((constructor)) static void begin_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay, NULL) == 0)
        pthread_detach(thread);
}
#endif

int add(loader_call *call, int64_t a, int64_t b, int64_t *sum)
{
    (void)call;
    *sum = a + b;
    return LOADER_OK;
}

int work(loader_call *call, int64_t rounds, int64_t *sum)
{
    static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;
    uint64_t all = 1;

    (void)call;
#ifdef ALONE
    pthread_mutex_lock(&alone);
#else
    (void)alone;
#endif
    for (int64_t i = 0; i < rounds; i++)
        all = all * UINT64_C(6364136223846793005) + 1442695040888963407; /* four cycles, one after the other */
    *sum = (int64_t)(all >> 1);
#ifdef ALONE
    pthread_mutex_unlock(&alone);
#endif
    return LOADER_OK;
}

int note(loader_call *call, const loader_text *path, int64_t number, int64_t *twice)
{
    static int file = -1;

    if (file < 0) { /* two threads may both open it: it is appended to */
        char name[4096];
        snprintf(name, sizeof name, "%.*s", (int)path->size, path->data);
        file = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    if (write(file, &number, sizeof number) != (ssize_t)sizeof number)
        return loader_fail(call, "the file cannot be written");
    *twice = 2 * number;
    return LOADER_OK;
}

int fall(loader_call *call, const loader_text *how)
{
    return go_on(call, how->data, how->size);
}

int deaf(loader_call *call)
{
    (void)call;
    signal(SIGTERM, SIG_IGN);
    return LOADER_OK;
}

int back(loader_call *call, const loader_text *how)
{
    const falling_host *const host = falling_host_get(call);
    int64_t twice = 0;

    if (host == NULL)
        return loader_fail(call, "no service");
    if (host->answer(call, host, 21, &twice) != LOADER_OK || twice != 42)
        return LOADER_FAILED;
    return go_on(call, how->data, how->size);
}
