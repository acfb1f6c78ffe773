/* starve.c: memory that runs out on request, for tests/call/test_out_of_memory.py. A library for LD_PRELOAD.
 *
 * What may fail: malloc, calloc and realloc when code of a watched library calls them, and all that Python's three
 * allocators are asked for. Both only on the thread and for the time of a starve_call.
 *
 *     starve_watch(begin, end)     calls from these addresses count
 *     starve_hook()                puts itself before Python's allocators
 *     starve_call(f, first, count, ours)
 *                                  f() in Python, where the allocations first, first + 1, … fail, `count` of them.
 *                                  ours: only those that a watched library asked for, itself or through functions of
 *                                  Python's C API; not those of Python code that it called
 *     starve_seen()                allocations that counted in the last starve_call
 *     starve_blocks()              blocks that Python and watched libraries took, less what they gave back, since it
 *                                  was last asked
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unwind.h>

#define VISIBLE __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void __libc_free(void *memory);

/* What comes next: glibc's or a sanitizer's. glibc's while dlsym looks for it, which may allocate. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    bool found;
} next = {__libc_malloc, __libc_calloc, __libc_realloc, __libc_free, false};

enum { MOST = 8, DEPTH = 40 };

struct range {
    uintptr_t begin, end;
};
static struct range watched[MOST];
static void *interpreter[2]; /* _PyEval_EvalFrameDefault and what calls it for a function: they run Python code */
static int watched_count;
static PyMemAllocatorEx real[3];
static atomic_long blocks;

/* The starve_call that runs, on its thread. */
static _Thread_local struct {
    bool armed, ours;
    long first, count, seen;
} now;

VISIBLE void starve_fails(void);
VISIBLE void starve_watch(uintptr_t begin, uintptr_t end);
VISIBLE void starve_hook(void);
VISIBLE PyObject *starve_call(PyObject *function, long first, long count, int ours);
VISIBLE long starve_seen(void);
VISIBLE long starve_blocks(void);

static bool within(const struct range *range, const void *address)
{
    return (uintptr_t)address - range->begin < range->end - range->begin;
}

static bool is_watched(const void *address)
{
    for (int i = 0; i < watched_count; i++)
        if (within(&watched[i], address))
            return true;
    return false;
}

static bool is_interpreter(void *address)
{
    void *const function = _Unwind_FindEnclosingFunction((char *)address - 1);
    return function != NULL && (function == interpreter[0] || function == interpreter[1]);
}

/* Whether a watched library asked Python for this: it is nearer on the stack than the interpreter. */
static bool asked_for(void)
{
    void *frames[DEPTH];
    bool found = false;

    now.armed = false; /* backtrace may allocate */
    for (int i = 2, count = backtrace(frames, DEPTH); i < count && !found && !is_interpreter(frames[i]); i++)
        found = is_watched(frames[i]);
    now.armed = true;
    return found;
}

/* For a debugger to stop at. */
__attribute__((noinline)) void starve_fails(void)
{
    __asm__ volatile("");
}

static bool fails(bool is_ours)
{
    if (!now.armed || (now.ours && !is_ours && !asked_for()))
        return false;
    const long number = now.seen++;
    if (number < now.first || number - now.first >= now.count)
        return false;
    starve_fails();
    return true;
}

static void find_next(void)
{
    void *const found[4] = {dlsym(RTLD_NEXT, "malloc"), dlsym(RTLD_NEXT, "calloc"), dlsym(RTLD_NEXT, "realloc"),
                            dlsym(RTLD_NEXT, "free")};

    memcpy(&next.malloc, &found[0], sizeof found[0]); /* ISO C has no cast from object to function */
    memcpy(&next.calloc, &found[1], sizeof found[1]);
    memcpy(&next.realloc, &found[2], sizeof found[2]);
    memcpy(&next.free, &found[3], sizeof found[3]);
}

/* ---- C's ----------------------------------------------------------------------------------------------- */

static void *counted(void *memory, bool is_new)
{
    if (memory != NULL && is_new)
        atomic_fetch_add(&blocks, 1);
    return memory;
}

static bool refused(void)
{
    if (!fails(true))
        return false;
    errno = ENOMEM;
    return true;
}

VISIBLE void *malloc(size_t size)
{
    if (!next.found) {
        next.found = true;
        find_next();
    }
    if (!is_watched(__builtin_return_address(0)))
        return next.malloc(size);
    return refused() ? NULL : counted(next.malloc(size), true);
}

VISIBLE void *calloc(size_t number, size_t size)
{
    if (!is_watched(__builtin_return_address(0)))
        return next.calloc(number, size);
    return refused() ? NULL : counted(next.calloc(number, size), true);
}

VISIBLE void *realloc(void *old, size_t size)
{
    if (!is_watched(__builtin_return_address(0)))
        return next.realloc(old, size);
    return refused() ? NULL : counted(next.realloc(old, size), old == NULL);
}

VISIBLE void free(void *memory)
{
    if (memory != NULL && is_watched(__builtin_return_address(0)))
        atomic_fetch_sub(&blocks, 1);
    next.free(memory);
}

/* ---- Python's ------------------------------------------------------------------------------------------ */

static void *python_malloc(void *context, size_t size)
{
    const PyMemAllocatorEx *next = context;
    return fails(false) ? NULL : counted(next->malloc(next->ctx, size), true);
}

static void *python_calloc(void *context, size_t number, size_t size)
{
    const PyMemAllocatorEx *next = context;
    return fails(false) ? NULL : counted(next->calloc(next->ctx, number, size), true);
}

static void *python_realloc(void *context, void *old, size_t size)
{
    const PyMemAllocatorEx *next = context;
    return fails(false) ? NULL : counted(next->realloc(next->ctx, old, size), old == NULL);
}

static void python_free(void *context, void *memory)
{
    const PyMemAllocatorEx *next = context;
    if (memory != NULL)
        atomic_fetch_sub(&blocks, 1);
    next->free(next->ctx, memory);
}

/* ---- For ctypes ---------------------------------------------------------------------------------------- */

void starve_watch(uintptr_t begin, uintptr_t end)
{
    watched[watched_count++] = (struct range){begin, end};
}

void starve_hook(void)
{
    static const PyMemAllocatorDomain domains[3] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    void *frames[DEPTH];
    int count = backtrace(frames, DEPTH); /* of a Python function that called this */

    interpreter[0] = dlsym(RTLD_DEFAULT, "_PyEval_EvalFrameDefault");
    for (int i = 0; i + 1 < count && interpreter[1] == NULL; i++)
        if (is_interpreter(frames[i]))
            interpreter[1] = _Unwind_FindEnclosingFunction((char *)frames[i + 1] - 1);
    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx ours = {&real[i], python_malloc, python_calloc, python_realloc, python_free};
        PyMem_GetAllocator(domains[i], &real[i]);
        PyMem_SetAllocator(domains[i], &ours);
    }
}

PyObject *starve_call(PyObject *function, long first, long count, int ours)
{
    PyObject *result;

    now.first = first;
    now.count = count;
    now.ours = ours != 0;
    now.seen = 0;
    now.armed = true;
    result = PyObject_CallNoArgs(function);
    now.armed = false;
    return result;
}

long starve_seen(void)
{
    return now.seen;
}

long starve_blocks(void)
{
    return atomic_exchange(&blocks, 0);
}
