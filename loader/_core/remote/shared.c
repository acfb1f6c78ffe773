/* shared.c: memory of the application's that workers have too (loader.shared): arrays and bytes that lie in it cross
 * without a copy. A worker maps it when an argument of a call lies in it for the first time.
 *
 * Nothing is checked that lies there: a worker may change it at any time, as any code may that is lent a buffer to
 * change. What lengths and pointers say is the host's own and never there.
 */
#include "remote/remote.h"

#ifdef CORE_REMOTE

#  include <fcntl.h>
#  include <linux/falloc.h>

enum { MOST_SHARED = 1024 };

/* Under the GIL. */
static struct region {
    unsigned long long number;
    uint64_t begin, size;
} regions[MOST_SHARED];
static int region_count;

PyObject *core_shared_add(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long number, begin, size;

    if (!PyArg_ParseTuple(args, "KKK:shared_add", &number, &begin, &size))
        return NULL;
    if (region_count == MOST_SHARED)
        return PyErr_Format(PyExc_MemoryError, "%d shared buffers are the most at once", MOST_SHARED);
    regions[region_count++] = (struct region){number, begin, size};
    Py_RETURN_NONE;
}

PyObject *core_shared_remove(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long number, size;
    int descriptor;

    if (!PyArg_ParseTuple(args, "KiK:shared_remove", &number, &descriptor, &size))
        return NULL;
    for (int i = 0; i < region_count; i++)
        if (regions[i].number == number) {
            regions[i] = regions[--region_count];
            break;
        }
    /* Workers that have it mapped keep the addresses, and no memory. */
    (void)fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    Py_RETURN_NONE;
}

static const struct region *region_of(uint64_t begin, uint64_t size)
{
    for (int i = 0; i < region_count; i++)
        if (begin - regions[i].begin <= regions[i].size && size <= regions[i].size - (begin - regions[i].begin))
            return &regions[i];
    return NULL;
}

/* Where a region is in a worker, which maps it if it has not; 0: it could not, so what lies there is copied. */
static uint64_t place_in(core_worker *worker, const struct region *region)
{
    const unsigned long long number = region->number;

    for (int tries = 0; tries < 2; tries++) {
        PyObject *added;
        for (int i = 0; i < worker->shared_count; i++)
            if (worker->shared[i].number == number)
                return worker->shared[i].base;
        if (tries == 1 || worker->shared_count == MOST_SHARED_THERE)
            return 0;
        added = PyObject_CallMethod(worker->keeper, "add_shared", "K", number);
        if (added == NULL)
            PyErr_Clear();
        Py_XDECREF(added);
    }
    return 0;
}

uint64_t core_shared_there(core_worker *worker, const void *data, uint64_t size)
{
    const uint64_t begin = (uint64_t)(uintptr_t)data;
    const struct region *const found = region_count == 0 || size == 0 ? NULL : region_of(begin, size);
    const uint64_t offset = found == NULL ? 0 : begin - found->begin;
    const uint64_t base = found == NULL ? 0 : place_in(worker, found);

    return base == 0 ? 0 : base + offset;
}

#else
typedef int shared_is_for_linux;
#endif
