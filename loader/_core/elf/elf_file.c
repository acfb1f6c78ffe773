/* elf_file.c: a regular file's bytes in one call. What is odd in any way is left to loader/image/read.py, which says
 * it. */
#define PY_SSIZE_T_CLEAN
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "elf/elf_file.h"

#if defined(__linux__)
#  include <fcntl.h>
#  include <stdbool.h>
#  include <sys/stat.h>
#  include <unistd.h>

enum {
    MOST = 1 << 30, /* bytes: less than one call of read gives */
    FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY /* as in read.py: not to wait for a fifo's writer, and so on */
};

static int open_regular(const char *path, struct stat *status)
{
    int descriptor = open(path, FLAGS);

    if (descriptor >= 0 && (fstat(descriptor, status) != 0 || !S_ISREG(status->st_mode) || status->st_size > MOST)) {
        close(descriptor);
        descriptor = -1;
    }
    return descriptor;
}

/* Whether these are all its bytes, and it stayed as it was meanwhile. Closes it. */
static bool read_regular(int descriptor, const struct stat *before, char *data)
{
    struct stat after;
    bool all = read(descriptor, data, (size_t)before->st_size) == before->st_size && fstat(descriptor, &after) == 0;

    close(descriptor);
    return all && after.st_size == before->st_size && after.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           after.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

PyObject *elf_read_file(PyObject *Py_UNUSED(module), PyObject *path)
{
    PyObject *name, *data = NULL;
    struct stat status;
    int descriptor;
    bool all = false;

    /* As os.open does. What read.py makes a message of, from a hook or for an odd path, it meets again. */
    if (PySys_Audit("open", "OOi", path, Py_None, FLAGS) < 0 || !PyUnicode_FSConverter(path, &name)) {
        if (!PyErr_ExceptionMatches(PyExc_OSError) && !PyErr_ExceptionMatches(PyExc_ValueError))
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    Py_BEGIN_ALLOW_THREADS
    descriptor = open_regular(PyBytes_AS_STRING(name), &status);
    Py_END_ALLOW_THREADS
    if (descriptor >= 0 && (data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)status.st_size)) == NULL)
        close(descriptor);
    Py_DECREF(name);
    if (data != NULL) {
        Py_BEGIN_ALLOW_THREADS
        all = read_regular(descriptor, &status, PyBytes_AS_STRING(data));
        Py_END_ALLOW_THREADS
        if (!all)
            Py_CLEAR(data);
    }
    if (data != NULL)
        return data;
    PyErr_Clear(); /* of too little memory: it is read.py that says so */
    Py_RETURN_NONE;
}
#else
PyObject *elf_read_file(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(path))
{
    Py_RETURN_NONE;
}
#endif
