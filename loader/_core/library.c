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
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#  include <fcntl.h>
#  include <stdbool.h>
#  include <sys/stat.h>
#  include <sys/syscall.h>
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
}

uintptr_t library_symbol(void *handle, const char *name)
{
    return (uintptr_t)GetProcAddress((HMODULE)handle, name);
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
    if (opened->handle == NULL) {
        const char *text = dlerror();
        snprintf(opened->error, sizeof opened->error, "%s", text == NULL ? "the system gave no reason" : text);
    }
}

uintptr_t library_symbol(void *handle, const char *name)
{
    return (uintptr_t)dlsym(handle, name);
}
#endif

/* ---- Memory files ------------------------------------------------------------------------------------ */

#if defined(__linux__) && defined(SYS_memfd_create)
/* Headers older than the kernel do not have these; the numbers are the kernel's ABI (linux/memfd.h, linux/fcntl.h). */
#  ifndef F_ADD_SEALS
#    define F_ADD_SEALS 1033
#    define F_SEAL_SEAL 0x1u
#    define F_SEAL_SHRINK 0x2u
#    define F_SEAL_GROW 0x4u
#    define F_SEAL_WRITE 0x8u
#  endif
enum { CLOSED_BY_EXEC = 0x1, MAY_BE_SEALED = 0x2, MAY_RUN = 0x10, NAME_SIZE = 200 };

/* The system takes names of 249 bytes. Linux 6.3: without MAY_RUN, vm.memfd_noexec may make the file one that cannot
 * be mapped to run; a kernel before that does not know it. */
static int memory_file(const char *name)
{
    char cut[NAME_SIZE + 1];
    long made;

    snprintf(cut, sizeof cut, "%s", name);
    made = syscall(SYS_memfd_create, cut, CLOSED_BY_EXEC | MAY_BE_SEALED | MAY_RUN);
    if (made < 0 && errno == EINVAL)
        made = syscall(SYS_memfd_create, cut, CLOSED_BY_EXEC | MAY_BE_SEALED);
    return (int)made;
}

static bool write_all(int descriptor, const char *data, size_t size)
{
    while (size > 0) { /* 2 GiB - 4 KiB at once is the most */
        ssize_t written = write(descriptor, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = EIO; /* no reason is given then, and none would look like success */
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* Numbers that dlopen was given as /proc/N/fd/N, a bit each. It knows a library by that path as well: should the
 * application close all descriptors, as daemons do, a new file under an old number would be taken for the old library. */
static struct {
    unsigned char *bits;
    int room, highest; /* both in bits; `highest` is the last that is set */
} used = {NULL, 0, -1};

/* Makes room for the bit of a number. */
static bool reserve(int number)
{
    size_t bytes = (size_t)number / 8 + 1, had = (size_t)used.room / 8;
    unsigned char *bits = bytes <= had ? used.bits : realloc(used.bits, bytes);

    if (bits == NULL)
        return false;
    if (bytes > had) {
        memset(bits + had, 0, bytes - had);
        used.bits = bits;
        used.room = (int)(8 * bytes);
    }
    return true;
}

/* The same file under a number that was never used, with room for its bit. -1: there is none; it is as it was then. */
static int unused_number(int descriptor)
{
    int other = descriptor;

    if (descriptor < used.room && (used.bits[descriptor / 8] >> descriptor % 8 & 1) != 0)
        other = fcntl(descriptor, F_DUPFD_CLOEXEC, used.highest + 1);
    if (other < 0)
        return -1;
    if (!reserve(other)) {
        if (other != descriptor)
            close(other);
        errno = ENOMEM;
        return -1;
    }
    if (other != descriptor)
        close(descriptor);
    return other;
}

/* Not /proc/self: a debugger opens the path too, from a process of its own. The link says the process's number as
 * this /proc counts, which getpid does not in a container that sees its host's /proc. */
static bool find_path(int descriptor, char *path, size_t room)
{
    char process[24];
    ssize_t size = readlink("/proc/self", process, sizeof process - 1);

    if (size < 0)
        return false;
    process[size] = '\0';
    snprintf(path, room, "/proc/%s/fd/%d", process, descriptor);
    return true;
}

int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened)
{
    const char *slash = strrchr(path, '/');
    int descriptor = memory_file(slash == NULL ? path : slash + 1), other, error;
    struct stat status;

    opened->step = LIBRARY_COPY;
    if (descriptor < 0)
        return errno;
    opened->step = LIBRARY_SEAL;
    if (!write_all(descriptor, data, size) ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        fstat(descriptor, &status) != 0 || (other = unused_number(descriptor)) < 0)
        goto failed;
    descriptor = other;
    opened->step = LIBRARY_PATH;
    if (!find_path(descriptor, opened->path, sizeof opened->path))
        goto failed;
    opened->step = LIBRARY_LINK;
    opened->device = status.st_dev;
    opened->inode = status.st_ino;
    library_open(opened->path, opened);
    if (opened->handle == NULL) {
        close(descriptor);
        return 0;
    }
    /* It stays open for life: dlopen also knows a library by device and inode. */
    used.bits[descriptor / 8] |= (unsigned char)(1 << descriptor % 8);
    used.highest = descriptor > used.highest ? descriptor : used.highest;
    return 0;
failed:
    error = errno;
    close(descriptor);
    return error;
}
#else
int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened)
{
    (void)path;
    (void)data;
    (void)size;
    opened->step = LIBRARY_COPY;
    return ENOSYS;
}
#endif
