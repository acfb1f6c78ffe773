/* Landlock: which files may be opened, for what. All that this kernel's version knows is refused but what is named.
 *
 * The structs and constants are written out, because the headers of build machines are older than the kernels of users.
 * Not held by any version: stat, readlink and chdir (a worker can learn that a name exists); modes, owners and times of
 * files (confine_seccomp.c refuses those calls); descriptors that are open already; memory files. */
#define _GNU_SOURCE
#include "confine_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 }; /* on every architecture */
enum { RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_CHAR = 1 << 6,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_MAKE_FIFO = 1 << 10,
    FS_MAKE_BLOCK = 1 << 11,
    FS_MAKE_SYM = 1 << 12,
    FS_REFER = 1 << 13,     /* ABI 2 */
    FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
    NET_TCP = 3,            /* ABI 4: bind and connect */
    SCOPED = 3,             /* ABI 6: abstract unix sockets and signals */

    OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
    MAY_READ = FS_READ_FILE | FS_READ_DIR,
    /* No symbolic links, FIFOs, sockets or devices: the host that reads the folder later would follow or wait. */
    MAY_WRITE = MAY_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER |
                FS_TRUNCATE,
    /* Not FS_EXECUTE: mapping needs no right but reading, and ld.so lies there, which runs any file. */
    MAY_MAP = FS_READ_FILE,
};

struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static uint64_t files_of(long abi)
{
    if (abi >= 5) return (FS_IOCTL_DEV << 1) - 1;
    if (abi >= 3) return (FS_TRUNCATE << 1) - 1;
    if (abi == 2) return (FS_REFER << 1) - 1;
    return (FS_MAKE_SYM << 1) - 1;
}

/* A path that cannot be opened gives no right; that is told, and nothing is less safe. */
static void allow(int ruleset, uint64_t rights, const char *path, struct confined *result)
{
    struct stat status;
    int file = open(path, O_PATH | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        confine_remark(result, CONFINE_LANDLOCK, path, errno);
        if (file >= 0) (void)close(file);
        return;
    }
    struct path_beneath rule = {.allowed = S_ISDIR(status.st_mode) ? rights : rights & OF_FILES, .parent = file};
    if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
        confine_remark(result, CONFINE_LANDLOCK, path, errno);
    (void)close(file);
}

static void allow_quietly(int ruleset, uint64_t rights, const char *path, struct confined *result)
{
    if (access(path, F_OK) == 0) allow(ruleset, rights, path, result);
}

static void add_rules(const struct confinement *wanted, int ruleset, uint64_t handled, struct confined *result)
{
    for (size_t i = 0; i < wanted->read_count; i++) allow(ruleset, MAY_READ & handled, wanted->read[i], result);
    for (size_t i = 0; i < wanted->write_count; i++) allow(ruleset, MAY_WRITE & handled, wanted->write[i], result);
    /* Its own, which tells a plugin nothing new: pthread_getattr_np and collectors find the first thread's stack there. */
    allow_quietly(ruleset, MAY_MAP, "/proc/self/maps", result);
    for (size_t i = 0; i < wanted->library_count; i++) /* /lib64 and ld.so.cache are not everywhere */
        allow_quietly(ruleset, MAY_MAP, wanted->libraries[i], result);
}

void confine_landlock(const struct confinement *wanted, struct confined *result)
{
    long abi = syscall(CREATE_RULESET, NULL, 0, RULESET_VERSION);
    if (abi < 1) {
        confine_lacks(result, CONFINE_LANDLOCK, "this kernel has no Landlock", errno);
        return;
    }
    result->landlock_abi = (uint32_t)abi;
    struct ruleset rules = {
        .handled_fs = files_of(abi),
        .handled_net = abi >= 4 && !wanted->network ? NET_TCP : 0,
        .scoped = abi >= 6 ? SCOPED : 0,
    };
    size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int ruleset = (int)syscall(CREATE_RULESET, &rules, size, 0);
    if (ruleset < 0) {
        confine_lacks(result, CONFINE_LANDLOCK, "landlock_create_ruleset", errno);
        return;
    }
    add_rules(wanted, ruleset, rules.handled_fs, result);
    if (syscall(RESTRICT_SELF, ruleset, 0) != 0)
        confine_lacks(result, CONFINE_LANDLOCK, "landlock_restrict_self", errno);
    else
        confine_holds(result, CONFINE_LANDLOCK);
    (void)close(ruleset);
}
