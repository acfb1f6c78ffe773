/* library.c: dlopen and LoadLibraryEx behind one face. See library.h.
 *
 * There is no close. Rust thread-locals, C++ unique symbols and Go's runtime pin a mapping anyway, and a
 * function kept after dlclose is a crash; cffi's own library objects close at garbage collection, which is
 * why this is not ffi.dlopen.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "library/library.h"

#include <stdio.h>

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

void library_open(const char *path, library_opened *opened)
{
    wchar_t wide[32768];
    HMODULE module;

    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, 32768) == 0) {
        snprintf(opened->error, sizeof opened->error, "its path is not UTF-8 or too long");
        return;
    }
    /* Dependencies from the library's own folder and the system's, never from the working directory. */
    module = LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
    if (module == NULL)
        describe(GetLastError(), opened->error, sizeof opened->error);
    opened->handle = (void *)module;
    opened->process = (long)GetCurrentProcessId();
    opened->open = module != NULL;
}

uintptr_t library_symbol(const library_opened *opened, const char *name)
{
    return opened->open ? (uintptr_t)GetProcAddress((HMODULE)opened->handle, name) : 0;
}

int library_is_global(const char *name)
{
    return GetProcAddress(GetModuleHandleW(NULL), name) != NULL; /* libraries of Windows have no names in common */
}

#else
#  include <dlfcn.h>
#  include <unistd.h>

void library_open(const char *path, library_opened *opened)
{
    /* NOW: a missing symbol is found here and not in the middle of a call. LOCAL: a plugin does not see
     * another one's symbols. NODELETE: with a thread still inside at exit, unmapping crashed 6 times of 10. */
    int flags = RTLD_NOW | RTLD_LOCAL;
#  ifdef RTLD_NODELETE
    flags |= RTLD_NODELETE;
#  endif
    opened->process = (long)getpid();
    opened->handle = dlopen(path, flags);
    opened->open = opened->handle != NULL;
    if (!opened->open) {
        const char *text = dlerror();
        snprintf(opened->error, sizeof opened->error, "%s", text == NULL ? "the system gave no reason" : text);
    }
}

uintptr_t library_symbol(const library_opened *opened, const char *name)
{
    return opened->open ? (uintptr_t)dlsym(opened->handle, name) : 0; /* without a handle dlsym asks every library */
}

int library_is_global(const char *name)
{
    return dlsym(RTLD_DEFAULT, name) != NULL;
}
#endif
