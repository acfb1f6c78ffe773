/* library.h: opening a shared library and finding a symbol in it, on every platform. Wrapped by cffi. */
#ifndef LOADER_CORE_LIBRARY_H
#define LOADER_CORE_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

/* Opens the library at `path` (UTF-8), all symbols resolved now, none given to other libraries, never to be
 * unmapped. Returns its handle, or NULL with the system's text in `error` (`size` bytes, ended by NUL). */
void *library_open(const char *path, char *error, size_t size);

/* The address of an exported symbol, or 0. */
uintptr_t library_symbol(void *handle, const char *name);

/* A Linux memory file whose bytes can be read and mapped, and by nobody changed, cut off, extended or unsealed. */
typedef struct {
    int descriptor;                   /* closed by exec; -1: there is none */
    char path[64];                    /* leads to it, for every process of the /proc that is mounted */
    unsigned long long device, inode; /* as fstat and /proc/PID/maps say them */
    int step;                         /* the one that failed: 1 to make it, 2 to write and seal it, 3 to find /proc */
} library_copy;

/* Copies `size` bytes to a new memory file, whose descriptor is not below `least`. Its name, which debuggers and
 * profilers show, is the last part of `path`, cut to what the system takes. Returns 0, or an errno; nothing is left
 * behind then. */
int library_seal(const char *path, const char *data, size_t size, int least, library_copy *copy);

#endif
