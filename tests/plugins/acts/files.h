/* Acts on files, for acts.c. Their argument is a path, or two with > between. */
#include <dirent.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

static bool opens(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC, 0600);
    if (file < 0) return false;
    (void)close(file);
    return true;
}

static bool read_file(const char *path, size_t size)
{
    (void)size;
    char byte;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return false;
    bool read_some = read(file, &byte, 1) >= 0;
    (void)close(file);
    return read_some;
}

static bool read_passwd(const char *none, size_t size) { return (void)none, read_file("/etc/passwd", size); }
static bool read_shadow(const char *none, size_t size) { return (void)none, read_file("/etc/shadow", size); }
static bool climb(const char *none, size_t size) { return (void)none, read_file("../../../../etc/passwd", size); }
static bool self_root(const char *none, size_t size)
{
    return (void)none, read_file("/proc/self/root/etc/passwd", size);
}

static bool self_cwd(const char *none, size_t size) { return (void)none, read_file("/proc/self/cwd/etc/passwd", size); }
static bool thread_root(const char *none, size_t size)
{
    return (void)none, read_file("/proc/thread-self/root/etc/passwd", size);
}

static bool write_file(const char *path, size_t size) { return (void)size, opens(path, O_WRONLY); }
static bool append_file(const char *path, size_t size) { return (void)size, opens(path, O_RDWR | O_APPEND); }
static bool empty_file(const char *path, size_t size) { return (void)size, opens(path, O_RDONLY | O_TRUNC); }
static bool write_tmp(const char *none, size_t size)
{
    return (void)none, (void)size, opens("/tmp", O_TMPFILE | O_RDWR);
}

static bool write_shm(const char *none, size_t size)
{
    return (void)none, (void)size, opens("/dev/shm", O_TMPFILE | O_RDWR);
}
static bool open_null(const char *none, size_t size) { return (void)none, (void)size, opens("/dev/null", O_RDWR); }

static bool make_file(const char *path, size_t size)
{
    (void)size;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return false;
    bool wrote = write(file, "made", 4) == 4;
    (void)close(file);
    return wrote;
}

static bool make_setuid(const char *path, size_t size)
{
    (void)size;
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 04755);
    if (file < 0) file = (int)syscall(SYS_openat, AT_FDCWD, path, O_TMPFILE | O_WRONLY, 02755);
#ifdef SYS_creat
    if (file < 0) file = (int)syscall(SYS_creat, path, 06755);
#endif
    if (file >= 0) (void)close(file);
    return file >= 0;
}

static bool truncate_file(const char *path, size_t size) { return truncate(path, (off_t)size) == 0; }
static bool make_folder(const char *path, size_t size) { return (void)size, mkdir(path, 0700) == 0; }
static bool remove_folder(const char *path, size_t size) { return (void)size, rmdir(path) == 0; }
static bool remove_file(const char *path, size_t size) { return (void)size, unlink(path) == 0; }
static bool make_fifo(const char *path, size_t size) { return (void)size, mkfifo(path, 0600) == 0; }
static bool make_device(const char *path, size_t size)
{
    return (void)size, mknod(path, S_IFCHR | 0600, (1 << 8) | 3) == 0;
}

static bool two(const char *paths, int (*act)(const char *, const char *))
{
    char copy[1024], *second;
    (void)snprintf(copy, sizeof copy, "%s", paths);
    second = strchr(copy, '>');
    if (second == NULL) return false;
    *second++ = '\0';
    return act(copy, second) == 0;
}

static bool rename_file(const char *paths, size_t size) { return (void)size, two(paths, rename); }
static bool hard_link(const char *paths, size_t size) { return (void)size, two(paths, link); }
static bool soft_link(const char *paths, size_t size) { return (void)size, two(paths, symlink); }

static bool set_mode(const char *path, size_t size)
{
    struct stat status;
    (void)size;
    return stat(path, &status) == 0 && chmod(path, status.st_mode & 07777) == 0;
}

/* Through a descriptor that may only read. */
static bool set_mode_open(const char *path, size_t size)
{
    struct stat status;
    (void)size;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool set = file >= 0 && fstat(file, &status) == 0 && fchmod(file, status.st_mode & 07777) == 0;
    if (file >= 0) (void)close(file);
    return set;
}

static bool set_owner(const char *path, size_t size)
{
    (void)size;
    return chown(path, (uid_t)-1, (gid_t)-1) == 0;
}

static bool set_times(const char *path, size_t size) { return (void)size, utimensat(AT_FDCWD, path, NULL, 0) == 0; }
static bool set_attribute(const char *path, size_t size)
{
    return (void)size, reached(setxattr(path, "user.act", "1", 1, 0));
}

static bool list_folder(const char *path, size_t size)
{
    (void)size;
    DIR *folder = opendir(path[0] == '\0' ? "/" : path);
    bool listed = folder != NULL && readdir(folder) != NULL;
    if (folder != NULL) (void)closedir(folder);
    return listed;
}

static bool watch_folder(const char *path, size_t size)
{
    (void)size;
    int watch = inotify_init1(IN_CLOEXEC);
    bool watched = watch >= 0 && inotify_add_watch(watch, path[0] == '\0' ? "/tmp" : path, IN_OPEN) >= 0;
    if (watch >= 0) (void)close(watch);
    return watched;
}

static bool lock_file(const char *path, size_t size)
{
    struct flock region = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    (void)size;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool locked = file >= 0 && (flock(file, LOCK_EX | LOCK_NB) == 0 || fcntl(file, F_SETLK, &region) == 0 ||
                                fcntl(file, F_OFD_SETLK, &region) == 0);
    if (file >= 0) (void)close(file);
    return locked;
}

/* Opened by name only, which Landlock lets anyone; then again by descriptor. */
static bool reopen_path(const char *path, size_t size)
{
    char again[64];
    int file = open(path[0] == '\0' ? "/etc/passwd" : path, O_PATH | O_CLOEXEC);
    if (file < 0) return false;
    (void)snprintf(again, sizeof again, "/proc/self/fd/%d", file);
    bool done = read_file(again, size);
    (void)close(file);
    return done;
}

static bool reopen_for_writing(const char *path, size_t size)
{
    char again[64];
    (void)size;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    (void)snprintf(again, sizeof again, "/proc/self/fd/%d", file);
    bool done = opens(again, O_RDWR);
    (void)close(file);
    return done;
}

static bool through_folder(const char *none, size_t size)
{
    (void)none, (void)size;
    int folder = open("/etc", O_PATH | O_CLOEXEC), file = openat(folder, "passwd", O_RDONLY | O_CLOEXEC);
    if (folder >= 0) (void)close(folder);
    if (file >= 0) (void)close(file);
    return file >= 0;
}

static bool open_library(const char *path, size_t size)
{
    (void)size;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    return library != NULL;
}

static bool about_mounts(const char *none, size_t size)
{
    struct statfs status;
    (void)none, (void)size;
    return statfs("/", &status) == 0;
}

static const struct act FILE_ACTS[] = {
    {"read_file", read_file}, {"read_passwd", read_passwd}, {"read_shadow", read_shadow}, {"climb", climb},
    {"self_root", self_root}, {"self_cwd", self_cwd}, {"thread_root", thread_root}, {"write_file", write_file},
    {"append_file", append_file}, {"empty_file", empty_file}, {"write_tmp", write_tmp}, {"write_shm", write_shm},
    {"open_null", open_null}, {"make_file", make_file},
    {"make_setuid", make_setuid}, {"truncate_file", truncate_file}, {"make_folder", make_folder},
    {"remove_folder", remove_folder}, {"remove_file", remove_file}, {"make_fifo", make_fifo},
    {"make_device", make_device}, {"rename_file", rename_file}, {"hard_link", hard_link}, {"soft_link", soft_link},
    {"set_mode", set_mode}, {"set_mode_open", set_mode_open}, {"set_owner", set_owner}, {"set_times", set_times},
    {"set_attribute", set_attribute}, {"list_folder", list_folder}, {"watch_folder", watch_folder},
    {"lock_file", lock_file}, {"reopen_path", reopen_path}, {"reopen_for_writing", reopen_for_writing},
    {"through_folder", through_folder}, {"open_library", open_library}, {"about_mounts", about_mounts}, {NULL, NULL},
};
