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

#include <errno.h>
#include <stdio.h>
#include <string.h>

#if defined(__linux__)
#  include <fcntl.h>
#endif

#if defined(_WIN32)
#  include <windows.h>

/* The number and, in the system's language, what it means. */
static void describe(unsigned long code, char *error, size_t size)
{
    wchar_t wide[256];
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD count = FormatMessageW(flags, NULL, code, 0, wide, sizeof wide / sizeof wide[0], NULL);
    char text[3 * sizeof wide / sizeof wide[0] + 1]; /* UTF-8 takes up to 3 bytes for one of UTF-16 */
    int written = WideCharToMultiByte(CP_UTF8, 0, wide, (int)count, text, (int)sizeof text - 1, NULL, NULL);

    while (written > 0 && (text[written - 1] == ' ' || text[written - 1] == '.'))
        written--;
    text[written] = '\0';
    snprintf(error, size, "Windows error %lu%s%s", code, written > 0 ? ": " : "", text);
}

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
    if (module == NULL)
        describe(GetLastError(), error, size);
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

/* ---- Memory files ------------------------------------------------------------------------------------ */

#if defined(__linux__)
/* Headers older than the kernel do not have these; the numbers are the kernel's ABI (linux/fcntl.h). */
#  ifndef F_ADD_SEALS
#    define F_ADD_SEALS 1033
#    define F_SEAL_SEAL 0x1
#    define F_SEAL_SHRINK 0x2
#    define F_SEAL_GROW 0x4
#    define F_SEAL_WRITE 0x8
#  endif

int library_seal(int descriptor)
{
    int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

    /* Not by Python's fcntl: to import that module takes as long as to load a plugin. */
    return fcntl(descriptor, F_ADD_SEALS, seals) == 0 ? 0 : errno;
}
#else
int library_seal(int descriptor)
{
    (void)descriptor;
    return ENOSYS;
}
#endif
