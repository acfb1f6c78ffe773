/* library.h: opening a shared library and finding a symbol in it, on every platform. Wrapped by cffi. */
#ifndef LOADER_CORE_LIBRARY_H
#define LOADER_CORE_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

/* How far opening one has come. */
enum {
    LIBRARY_LINK = 0, /* to the dynamic linker; `error` has its text if it is not open */
    LIBRARY_COPY = 1, /* to the memory file */
    LIBRARY_SEAL = 2, /* to its bytes and seals */
    LIBRARY_PATH = 3, /* to /proc, for a path to it */
    LIBRARY_SIZE = 4  /* not so far: the process may not write files of its size */
};

/* A library that is to be opened, filled with 0, or was. */
typedef struct {
    void *handle;                     /* the system's */
    int open;                         /* 1: it is */
    unsigned long long device, inode; /* of what is mapped, as fstat and /proc/PID/maps say them */
    long process;                     /* the one that opened it */
    int step;                         /* where it ended, see above */
    int descriptor;                   /* of the memory file, from library_reserve on */
    int kept;                         /* 1: it stays open for debuggers */
    char path[128];                   /* of the memory file, for every process of the /proc that is mounted */
    char error[1024];                 /* ended by NUL */
} library_opened;

/* Opens the library at `path` (UTF-8), all symbols resolved now, none given to other libraries, never to be
 * unmapped. */
void library_open(const char *path, library_opened *opened);

/* Copies `size` bytes to a Linux memory file, which nobody can change, cut off, extend or unseal, and opens that.
 * Its name, which debuggers and profilers show, is the last part of `path`, cut to what the system takes. Returns an
 * errno if `step` is not LIBRARY_LINK, else 0; nothing is left behind if it is not open. One thread at a time.
 *
 * Its descriptor stays open for debuggers, which open `path`, where it leaves those that an application and select()
 * use alone: from number 1024 on, or in the last eighth below the limit of open files. Where there is no room it is
 * closed, and nothing but debuggers misses it: what is mapped stays. */
int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened);

/* The same in steps, for libraries that need each other: the path of each copy is known before any has its bytes. First
 * the memory file, still empty; then its bytes and seals; library_open is the caller's. Each returns an errno or 0.
 * library_settle comes last, always once after a library_reserve that returned 0: it closes the file of one that is not
 * open. One thread at a time. */
int library_reserve(const char *path, library_opened *opened);
int library_seal(const char *data, size_t size, library_opened *opened);
void library_settle(library_opened *opened);

/* What the dynamic linker would take for `name` among the libraries that are loaded: the path under which number `nth`
 * of them (from 0, oldest first) is known, ended by NUL. 0: there is none; -1: it does not fit. */
int library_loaded(const char *name, int nth, char *path, size_t room);

/* Whether a symbol of this name is there for all libraries: the program's, what it was linked with, what was
 * preloaded. */
int library_is_global(const char *name);

/* The address of an exported symbol, or 0. */
uintptr_t library_symbol(const library_opened *opened, const char *name);

#endif
