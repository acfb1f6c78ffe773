/* library.c: dlopen and LoadLibraryEx behind one face. See library.h.
 *
 * There is no close. Rust thread-locals, C++ unique symbols and Go's runtime pin a mapping anyway, and a
 * function kept after dlclose is a crash; cffi's own library objects close at garbage collection, which is
 * why this is not ffi.dlopen.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "library.h"

#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#  include <windows.h>

void *library_open(const char *path, char *error, size_t size)
{
    wchar_t wide[32768];
    HMODULE module;

    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, 32768) == 0) {
        snprintf(error, size, "its path is not UTF-8 or too long");
        return NULL;
    }
    /* Dependencies from the library's own folder and the system's, never from the working directory. */
    module = LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
    if (module == NULL) {
        unsigned long code = GetLastError();
        snprintf(error, size, "Windows error %lu%s", code,
                 code == 126 ? " (it, or a library that it needs, was not found)" : "");
    }
    return (void *)module;
}

void *library_symbol(void *handle, const char *name)
{
    FARPROC address = GetProcAddress((HMODULE)handle, name);
    void *pointer;

    memcpy(&pointer, &address, sizeof pointer);
    return pointer;
}

#else
#  include <dlfcn.h>

void *library_open(const char *path, char *error, size_t size)
{
    /* NOW: a missing symbol is found here and not in the middle of a call. LOCAL: a plugin does not see
     * another one's symbols. NODELETE: with a thread still inside at exit, unmapping crashed 6 times of 10. */
    int flags = RTLD_NOW | RTLD_LOCAL;
#  ifdef RTLD_NODELETE
    flags |= RTLD_NODELETE;
#  endif
    void *handle = dlopen(path, flags);

    if (handle == NULL) {
        const char *text = dlerror();
        snprintf(error, size, "%s", text == NULL ? "the system gave no reason" : text);
    }
    return handle;
}

void *library_symbol(void *handle, const char *name)
{
    return dlsym(handle, name);
}
#endif
