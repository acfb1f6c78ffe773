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
#  include <sys/resource.h>
#  include <sys/select.h>
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

/* How often dlopen was given /proc/N/fd/NUMBER, by number. It knows a library by that path as well, whatever is
 * there by then: a new file under an old number would be taken for the old library. So a number's path is written
 * in another way each time that it is used again. */
static struct {
    unsigned *times;
    size_t room;
} used = {NULL, 0};

/* Makes room for the count of a number. */
static bool reserve(int number)
{
    size_t wanted = (size_t)number + 1;
    unsigned *times;

    if (wanted <= used.room)
        return true;
    times = realloc(used.times, wanted * sizeof *times);
    if (times == NULL) {
        errno = ENOMEM;
        return false;
    }
    memset(times + used.room, 0, (wanted - used.room) * sizeof *times);
    used.times = times;
    used.room = wanted;
    return true;
}

/* From which number on descriptors are kept. -1: none is. */
static int first_kept(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -1;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 2 * FD_SETSIZE)
        return FD_SETSIZE;
    return (int)(limit.rlim_cur - limit.rlim_cur / 8);
}

/* The same file under a number that is to be kept, or, if there is none, where it is. */
static int move_up(int descriptor, int *kept)
{
    int first = first_kept(), other;

    *kept = first >= 0 && descriptor >= first;
    if (first < 0 || *kept)
        return descriptor;
    other = fcntl(descriptor, F_DUPFD_CLOEXEC, first);
    if (other < 0)
        return descriptor;
    close(descriptor);
    *kept = 1;
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
    size = snprintf(path, room, "/proc/%s", process);
    /* The count of earlier uses, a bit each: "/." is 1 and "/" is 0, and both mean nothing to the system. */
    for (unsigned times = used.times[descriptor]; times > 0; times >>= 1)
        size += snprintf(path + size, room - (size_t)size, "%s", (times & 1) != 0 ? "/." : "/");
    snprintf(path + size, room - (size_t)size, "/fd/%d", descriptor);
    return true;
}

/* Whether a file of this size may be written. Asked first: who writes more than allowed gets SIGXFSZ, which ends a
 * program that does not ignore it, as Python does. */
static bool may_be_as_large(size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

int library_reserve(const char *path, library_opened *opened)
{
    const char *slash = strrchr(path, '/');
    int descriptor = memory_file(slash == NULL ? path : slash + 1), error;
    struct stat status;

    opened->step = LIBRARY_COPY;
    if (descriptor < 0)
        return errno;
    opened->step = LIBRARY_SEAL;
    if (fstat(descriptor, &status) != 0)
        goto failed;
    descriptor = move_up(descriptor, &opened->kept);
    if (!reserve(descriptor))
        goto failed;
    opened->step = LIBRARY_PATH;
    if (!find_path(descriptor, opened->path, sizeof opened->path))
        goto failed;
    used.times[descriptor]++;
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
    opened->step = LIBRARY_SIZE;
    if (!may_be_as_large(size))
        return EFBIG;
    opened->step = LIBRARY_SEAL;
    if (!write_all(opened->descriptor, data, size) ||
        fcntl(opened->descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return errno;
    opened->step = LIBRARY_LINK;
    return 0;
}

void library_settle(library_opened *opened)
{
    if (!opened->open || !opened->kept)
        close(opened->descriptor); /* what is mapped stays, with device and inode, by which dlopen also knows it */
}

int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened)
{
    int error = library_reserve(path, opened);

    if (error != 0)
        return error;
    error = library_seal(data, size, opened);
    if (error == 0)
        library_open(opened->path, opened);
    if (error == 0 && !opened->open && access(opened->path, R_OK) != 0) { /* no fault of the file's */
        error = errno;
        opened->step = LIBRARY_PATH;
    }
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
