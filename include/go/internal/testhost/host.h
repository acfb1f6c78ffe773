/* host.h: a small host for tests of the Go kit: output on the heap that moves at every growth, the last
 * error, the log, a stop status, the service htmlize.posts/1. Used by package testhost and by
 * endtoend's driver.c.
 */
#ifndef TESTHOST_HOST_H
#define TESTHOST_HOST_H

#define LOADER_HOST
#include "htmlize/htmlize.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct test_call {
    loader_call call; /* first: the host's functions get this pointer */
    char *begin;      /* output: [begin, call.next) */
    size_t most;      /* bytes that a call may write */
    size_t grown;     /* how often grow was called */
    size_t failed;    /* how often fail was called */
    int stop;         /* what cancelled answers */
    int lends;        /* whether there is a service */
    int level;        /* of the last line logged */
    char line[256];   /* the last line logged */
    size_t line_size;
    char *error;
    void *blocks[16]; /* of loader_alloc */
    size_t allocated; /* how many there are */
} test_call;

static int test_grow(loader_call *call, size_t more)
{
    test_call *t = (test_call *)call;
    size_t used = (size_t)(call->next - t->begin);
    char *begin;

    t->grown++;
    if (more > t->most || used > t->most - more)
        return LOADER_NO_MEMORY;
    begin = malloc(used + more + 1); /* never in place: a pointer that was kept is found out */
    if (begin == NULL)
        return LOADER_NO_MEMORY;
    if (used != 0)
        memcpy(begin, t->begin, used);
    free(t->begin);
    t->begin = begin;
    call->next = begin + used;
    call->limit = begin + used + more;
    return LOADER_OK;
}

static int test_fail(loader_call *call, int status, const char *text, size_t size)
{
    test_call *t = (test_call *)call;
    char *copy = malloc(size + 1);

    t->failed++;
    if (copy == NULL)
        return LOADER_NO_MEMORY;
    if (size != 0)
        memcpy(copy, text, size);
    free(t->error);
    t->error = copy;
    call->error.data = copy;
    call->error.size = size;
    return status == LOADER_OK ? LOADER_FAILED : status;
}

static void test_log(loader_call *call, int level, const char *text, size_t size)
{
    test_call *t = (test_call *)call;

    t->level = level;
    t->line_size = size < sizeof t->line ? size : sizeof t->line;
    if (size != 0)
        memcpy(t->line, text, t->line_size);
}

static int test_cancelled(loader_call *call)
{
    return ((test_call *)call)->stop;
}

/* Knows post 42. */
static int test_title(loader_call *call, const htmlize_posts *posts, int64_t id, loader_text *title)
{
    (void)posts;
    if (id != 42)
        return loader_fail(call, "no post %lld", (long long)id);
    title->data = "Pie";
    title->size = 3;
    return LOADER_OK;
}

static const htmlize_posts test_posts = {sizeof test_posts, test_title};

static const void *test_service(loader_call *call, const char *id, size_t size)
{
    static const char lent[] = "htmlize.posts/1";

    if (!((test_call *)call)->lends || size != sizeof lent - 1 || memcmp(id, lent, size) != 0)
        return NULL;
    return &test_posts;
}

static loader_text test_path(loader_call *call)
{
    static const char path[] = "/plugins/test.so";
    loader_text text = {path, sizeof path - 1};

    (void)call;
    return text;
}

/* Not set to anything: all ones, so that what forgets to is found out. */
static void *test_alloc(loader_call *call, size_t size)
{
    test_call *t = (test_call *)call;
    void *block = size > t->most || t->allocated == sizeof t->blocks / sizeof *t->blocks ? NULL : malloc(size);

    if (block != NULL)
        t->blocks[t->allocated++] = memset(block, 0xff, size);
    return block;
}

static const loader_host test_table = {sizeof(loader_host), test_grow, test_fail, test_log, test_cancelled,
                                       test_service, test_path, NULL, test_alloc};
/* A host that is older than loader_alloc. */
static const loader_host test_older = {offsetof(loader_host, alloc), test_grow, test_fail, test_log, test_cancelled,
                                       test_service, test_path, NULL, NULL};

/* A call without room for output, which may grow to `most` bytes. */
static inline void test_begin(test_call *t, size_t most)
{
    memset(t, 0, sizeof *t);
    t->call.size = sizeof t->call;
    t->call.host = &test_table;
    t->most = most;
}

static inline void test_end(test_call *t)
{
    free(t->begin);
    free(t->error);
    while (t->allocated > 0)
        free(t->blocks[--t->allocated]);
}

#endif /* TESTHOST_HOST_H */
