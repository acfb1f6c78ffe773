/* library_sealed.c: a copy of checked bytes that nobody can change, and dlopen of that. See library.h.
 *
 * On Linux alone: elsewhere loader/library/sealed.py writes a private copy, and library_open opens it.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "library/library.h"

#include <errno.h>

#if defined(__linux__)
#  include <fcntl.h>
#  include <stdbool.h>
#  include <stdio.h>
#  include <stdlib.h>
#  include <string.h>
#  include <sys/stat.h>
#  include <sys/syscall.h>
#  include <unistd.h>
#endif

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

int library_reserve(const char *path, library_opened *opened)
{
    const char *slash = strrchr(path, '/');
    int descriptor = memory_file(slash == NULL ? path : slash + 1), other, error;
    struct stat status;

    opened->step = LIBRARY_COPY;
    if (descriptor < 0)
        return errno;
    opened->step = LIBRARY_SEAL;
    if (fstat(descriptor, &status) != 0 || (other = unused_number(descriptor)) < 0)
        goto failed;
    descriptor = other;
    opened->step = LIBRARY_PATH;
    if (!find_path(descriptor, opened->path, sizeof opened->path))
        goto failed;
    opened->device = status.st_dev;
    opened->inode = status.st_ino;
    opened->descriptor = descriptor;
    return 0;
failed:
    error = errno;
    close(descriptor);
    return error;
}

int library_seal(const char *data, size_t size, library_opened *opened)
{
    opened->step = LIBRARY_SEAL;
    if (!write_all(opened->descriptor, data, size) ||
        fcntl(opened->descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return errno;
    opened->step = LIBRARY_LINK;
    return 0;
}

void library_settle(library_opened *opened)
{
    int number = opened->descriptor;

    if (!opened->open) {
        close(number);
        return;
    }
    /* It stays open for life: dlopen also knows a library by device and inode. */
    used.bits[number / 8] |= (unsigned char)(1 << number % 8);
    used.highest = number > used.highest ? number : used.highest;
}

int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened)
{
    int error = library_reserve(path, opened);

    if (error != 0)
        return error;
    error = library_seal(data, size, opened);
    if (error == 0)
        library_open(opened->path, opened);
    library_settle(opened);
    return error;
}
#else
int library_reserve(const char *path, library_opened *opened)
{
    (void)path;
    opened->step = LIBRARY_COPY;
    return ENOSYS;
}

int library_seal(const char *data, size_t size, library_opened *opened)
{
    (void)data;
    (void)size;
    opened->step = LIBRARY_COPY;
    return ENOSYS;
}

void library_settle(library_opened *opened)
{
    (void)opened;
}

int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened)
{
    (void)data;
    (void)size;
    return library_reserve(path, opened);
}
#endif
