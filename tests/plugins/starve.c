/* starve.c: a library for LD_PRELOAD whose malloc, calloc and realloc fail when they are told to, for callers in
 * given libraries only: so that the memory of the C core can run out while Python's does not.
 *
 *     starve_watch(begin, end)    calls from these addresses count
 *     starve_set(n)               the n-th counted call from now on fails (0: the next one); -1: none does
 *     starve_calls()              counted calls since then
 *     starve_held()               blocks that watched libraries hold: taken less given back
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VISIBLE __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void __libc_free(void *memory);

enum { MOST = 8 };
static struct {
    uintptr_t begin, end;
} watched[MOST];
static int count;
static atomic_long calls, wanted = -1, held;

VISIBLE void starve_watch(uintptr_t begin, uintptr_t end);
VISIBLE void starve_set(long n);
VISIBLE long starve_calls(void);
VISIBLE long starve_held(void);

void starve_watch(uintptr_t begin, uintptr_t end)
{
    watched[count].begin = begin;
    watched[count++].end = end;
}

void starve_set(long n)
{
    atomic_store(&calls, 0);
    atomic_store(&wanted, n);
}

long starve_calls(void)
{
    return atomic_load(&calls);
}

long starve_held(void)
{
    return atomic_load(&held);
}

static int counts(const void *caller)
{
    for (int i = 0; i < count; i++)
        if ((uintptr_t)caller >= watched[i].begin && (uintptr_t)caller < watched[i].end)
            return 1;
    return 0;
}

/* Whether this call is the one that is to fail. */
static int fails(void)
{
    long number = atomic_fetch_add(&calls, 1);
    if (number != atomic_load(&wanted))
        return 0;
    errno = ENOMEM;
    return 1;
}

VISIBLE void *malloc(size_t size)
{
    void *memory;
    if (!counts(__builtin_return_address(0)))
        return __libc_malloc(size);
    memory = fails() ? NULL : __libc_malloc(size);
    atomic_fetch_add(&held, memory != NULL);
    return memory;
}

VISIBLE void *calloc(size_t number, size_t size)
{
    void *memory;
    if (!counts(__builtin_return_address(0)))
        return __libc_calloc(number, size);
    memory = fails() ? NULL : __libc_calloc(number, size);
    atomic_fetch_add(&held, memory != NULL);
    return memory;
}

VISIBLE void *realloc(void *old, size_t size)
{
    void *memory;
    if (!counts(__builtin_return_address(0)))
        return __libc_realloc(old, size);
    memory = fails() ? NULL : __libc_realloc(old, size);
    atomic_fetch_add(&held, old == NULL && memory != NULL);
    return memory;
}

VISIBLE void free(void *memory)
{
    if (memory != NULL && counts(__builtin_return_address(0)))
        atomic_fetch_sub(&held, 1);
    __libc_free(memory);
}
