/* Acts that a confined worker must not get done. Each says whether it SUCCEEDED: 1 yes, 0 no, -1 there is no such act.
 *
 * They do no harm where they succeed: signals are number 0, modes are set to what they are, and so on. They run from
 *   - a constructor: those that ACT_AT_LOAD names when this is compiled, or `acts_at_load` of the program;
 *   - act_run, a function called later;
 *   - act_run_in_thread, a thread that the constructor started before any function was called.
 * Both name several with commas: "fork,read_file:/etc/passwd". The process that must be left alone is the parent. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct act {
    const char *name;
    bool (*run)(const char *argument, size_t size);
};

/* A system call got past what guards it: it failed for its odd arguments, or not at all. */
static bool reached(long result)
{
    return result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS);
}

#include "acts/files.h"
#include "acts/children.h"

#include "acts/process.h"

#include "acts/kernel.h"
#include "acts/memory.h"
#include "acts/network.h"

#define EXPORT __attribute__((visibility("default")))

#ifndef ACT_AT_LOAD
#define ACT_AT_LOAD NULL
#endif
extern const char *acts_at_load __attribute__((weak));

enum { MOST_AT_LOAD = 256 };
static const char *at_load;
static int results[MOST_AT_LOAD], count_at_load;

static const struct act *const TABLES[] = {FILE_ACTS, PROCESS_ACTS, MEMORY_ACTS, NETWORK_ACTS, KERNEL_ACTS};

EXPORT int act_run(const char *name, size_t size)
{
    char copy[512];
    const char *argument = strchr(name, ':');
    size_t length = argument == NULL ? strlen(name) : (size_t)(argument - name);
    if (length >= sizeof copy) return -1;
    memcpy(copy, name, length);
    copy[length] = '\0';
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        for (const struct act *act = TABLES[i]; act->name != NULL; act++)
            if (strcmp(act->name, copy) == 0) return act->run(argument == NULL ? "" : argument + 1, size) ? 1 : 0;
    return raw_act(copy);
}

/* The name of act number `index`, of those without an argument; NULL: no more. */
EXPORT const char *act_name(size_t index)
{
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        for (const struct act *act = TABLES[i]; act->name != NULL; act++)
            if (index-- == 0) return act->name;
    return index < sizeof RAW_ACTS / sizeof *RAW_ACTS ? RAW_ACTS[index].name : NULL;
}

/* What the constructor's acts came to, in their order. */
EXPORT int act_at_load(const char **names, const int **found)
{
    *names = at_load;
    *found = results;
    return count_at_load;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const char *asked;
static size_t asked_size;
static int answered;

static void *thread_of_constructor(void *nothing)
{
    (void)pthread_mutex_lock(&lock);
    for (;;) {
        while (asked == NULL) (void)pthread_cond_wait(&changed, &lock);
        answered = act_run(asked, asked_size);
        asked = NULL;
        (void)pthread_cond_broadcast(&changed);
    }
    return nothing;
}

EXPORT int act_run_in_thread(const char *name, size_t size)
{
    (void)pthread_mutex_lock(&lock);
    asked = name;
    asked_size = size;
    (void)pthread_cond_broadcast(&changed);
    while (asked != NULL) (void)pthread_cond_wait(&changed, &lock);
    int result = answered;
    (void)pthread_mutex_unlock(&lock);
    return result;
}

__attribute__((constructor)) static void constructor(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_of_constructor, NULL) == 0) (void)pthread_detach(thread);
    at_load = &acts_at_load != NULL && acts_at_load != NULL ? acts_at_load : ACT_AT_LOAD;
    if (at_load == NULL) return;
    char *copy = strdup(at_load), *rest = copy, *name;
    while (copy != NULL && (name = strsep(&rest, ",")) != NULL && count_at_load < MOST_AT_LOAD)
        results[count_at_load++] = act_run(name, (size_t)256 << 20);
    free(copy);
}
