/* library.h: opening a shared library and finding a symbol in it, on every platform. Wrapped by cffi. */
#ifndef LOADER_CORE_LIBRARY_H
#define LOADER_CORE_LIBRARY_H

#include <stddef.h>

/* Opens the library at `path` (UTF-8), all symbols resolved now, none given to other libraries, never to be
 * unmapped. Returns its handle, or NULL with the system's text in `error` (`size` bytes, ended by NUL). */
void *library_open(const char *path, char *error, size_t size);

/* The address of an exported symbol, or NULL. */
void *library_symbol(void *handle, const char *name);

/* Makes a Linux memory file one that nobody can write to, cut off, extend or unseal. 0, or an errno. */
int library_seal(int descriptor);

#endif
