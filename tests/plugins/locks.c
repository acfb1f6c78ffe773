/* locks.c: see locks.h. */
#define _POSIX_C_SOURCE 200809L
#include "locks.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

LOADER_NEVER_BLOCKS(meet_promised);
LOADER_NEVER_BLOCKS(promised);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long count;

static void rest(int64_t milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

int fill(loader_call *call, const loader_text *text)
{
    int status = LOADER_OK;

    pthread_mutex_lock(&mutex);
    for (int i = 0; status == LOADER_OK && i < 8; i++)
        status = loader_write_text(call, text);
    pthread_mutex_unlock(&mutex);
    return status;
}

int note(loader_call *call, const loader_text *text)
{
    pthread_mutex_lock(&mutex);
    loader_log(call, LOADER_INFO, text->data, text->size);
    pthread_mutex_unlock(&mutex);
    return LOADER_OK;
}

int ask(loader_call *call)
{
    int status;

    pthread_mutex_lock(&mutex);
    status = loader_cancelled(call);
    pthread_mutex_unlock(&mutex);
    return status;
}

int fail(loader_call *call)
{
    int status;

    pthread_mutex_lock(&mutex);
    status = loader_fail(call, "first");
    status = loader_fail(call, "second");
    pthread_mutex_unlock(&mutex);
    return status;
}

int quick(loader_call *call)
{
    pthread_mutex_lock(&mutex);
    const long now = ++count;
    pthread_mutex_unlock(&mutex);
    return loader_printf(call, "%ld", now);
}

static int use_service(loader_call *call)
{
    const locks_app *app = locks_app_get(call);

    return app == NULL ? loader_fail(call, "no service") : app->work(call, app);
}

int serve(loader_call *call, int64_t milliseconds)
{
    int status;

    loader_log(call, LOADER_INFO, "serving", 7);
    status = use_service(call);
    loader_log(call, LOADER_INFO, "served", 6);
    pthread_mutex_lock(&mutex);
    rest(milliseconds);
    count++;
    pthread_mutex_unlock(&mutex);
    return status;
}

int serve_locked(loader_call *call)
{
    int status;

    pthread_mutex_lock(&mutex);
    status = use_service(call);
    pthread_mutex_unlock(&mutex);
    return status;
}

static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static int64_t inside, meeting;

int meet(loader_call *call, int64_t wanted)
{
    struct timespec end;
    int64_t mine;
    int met = 1;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 2;
    pthread_mutex_lock(&door);
    mine = meeting;
    if (++inside == wanted) {
        meeting++;
        inside = 0;
        pthread_cond_broadcast(&arrived);
    }
    while (mine == meeting && met)
        met = pthread_cond_timedwait(&arrived, &door, &end) == 0;
    if (mine == meeting)
        inside--;
    pthread_mutex_unlock(&door);
    return loader_write_string(call, met ? "met" : "alone");
}

int meet_promised(loader_call *call, int64_t wanted)
{
    return meet(call, wanted);
}

int promised(loader_call *call, int64_t milliseconds, int64_t serve)
{
    rest(milliseconds);
    return serve ? use_service(call) : LOADER_OK;
}

int loop(loader_call *call, int64_t before, int64_t most)
{
    struct timespec begin, now;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < before);
    for (int64_t i = 0; i < most; i++) {
        int status = loader_cancelled(call);
        if (status != LOADER_OK)
            return status;
        rest(1);
    }
    return loader_write_string(call, "end");
}

int chatter(loader_call *call, int64_t lines, int64_t size)
{
    char *line = malloc((size_t)size + 32);

    if (line == NULL)
        return LOADER_NO_MEMORY;
    for (int64_t i = 0; i < lines; i++) {
        int used = snprintf(line, 32, "%ld ", (long)i);
        memset(line + used, 'x', (size_t)size);
        loader_log(call, LOADER_INFO, line, (size_t)used + (size_t)size);
    }
    free(line);
    return LOADER_OK;
}
