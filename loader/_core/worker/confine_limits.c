/* Limits of the kernel's own (setrlimit), and capabilities. */
#define _GNU_SOURCE
#include "confine_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

enum {
    /* NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE set, KEEP_CAPS clear, all four locked (linux/securebits.h). */
    SECUREBITS_LOCKED = 0xef,
    LAST_CAPABILITY = 63,
};

/* Address space. RLIMIT_DATA counts neither reserved nor read-only memory, and so no page tables: one read for every
 * 2 MB of 128 TB would take 256 GB of them. Go reserves about 1.5 GB, and each of 64 lanes that the host shares may be
 * twice `memory`; so the page tables can come to a quarter of `memory` and 128 MB. */
static const uint64_t ADDRESS_SPACE = UINT64_C(64) << 30, ADDRESS_SPACE_TIMES = 130;

/* Bytes of address space and of writable private memory that the process has now. */
static bool memory_now(uint64_t *address_space, uint64_t *data)
{
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t got = read(file, text, sizeof text - 1);
    (void)close(file);
    if (got <= 0) return false;
    text[got] = '\0';
    unsigned long long total, data_pages;
    if (sscanf(text, "%llu %*u %*u %*u %*u %llu", &total, &data_pages) != 2) return false;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    *address_space = total * page;
    *data = data_pages * page; /* with the stack, which RLIMIT_DATA does not count: a few pages to spare */
    return true;
}

#ifdef __GLIBC__
typedef __rlimit_resource_t limit_kind;
#else
typedef int limit_kind;
#endif

static void limit(struct confined *result, limit_kind resource, const char *name, uint64_t most)
{
    struct rlimit now, set;
    if (getrlimit(resource, &now) == 0) {
        set.rlim_max = most < now.rlim_max ? (rlim_t)most : now.rlim_max;
        set.rlim_cur = set.rlim_max; /* no room to raise it in */
        if (setrlimit(resource, &set) == 0) return;
    }
    confine_lacks(result, CONFINE_RLIMITS, name, errno);
}

static void limit_memory(uint64_t memory, struct confined *result)
{
    uint64_t address_space, data;
    if (!memory_now(&address_space, &data)) {
        confine_lacks(result, CONFINE_RLIMITS, "memory: /proc/self/statm", errno);
        return;
    }
    uint64_t most = memory > UINT64_MAX / 1024 ? UINT64_MAX / 1024 : memory;
    limit(result, RLIMIT_DATA, "RLIMIT_DATA", data + most);
    limit(result, RLIMIT_AS, "RLIMIT_AS", address_space + ADDRESS_SPACE + most * ADDRESS_SPACE_TIMES);
}

void confine_limits(const struct confinement *wanted, struct confined *result, bool counts_threads)
{
    confine_holds(result, CONFINE_RLIMITS);
    limit(result, RLIMIT_CORE, "RLIMIT_CORE", 0);
    limit(result, RLIMIT_NICE, "RLIMIT_NICE", 0);
    limit(result, RLIMIT_RTPRIO, "RLIMIT_RTPRIO", 0);
    if (wanted->file_size != 0 || wanted->write_count == 0) {
        (void)signal(SIGXFSZ, SIG_IGN); /* an error, not a death */
        limit(result, RLIMIT_FSIZE, "RLIMIT_FSIZE", wanted->file_size);
    }
    if (wanted->files != 0) limit(result, RLIMIT_NOFILE, "RLIMIT_NOFILE", wanted->files);
    if (wanted->memory != 0) limit_memory(wanted->memory, result);
    if (wanted->processes == 0) return;
    /* It counts all processes of the user, except inside of a user namespace, and is not held against root at all. */
    if (counts_threads)
        limit(result, RLIMIT_NPROC, "RLIMIT_NPROC", wanted->processes);
    else
        confine_lacks(result, CONFINE_RLIMITS, "threads can be limited only in a user namespace, and not as root", 0);
}

void confine_capabilities(struct confined *result)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2], now[2];
    memset(none, 0, sizeof none);
    /* Only with CAP_SETPCAP. Without it, no_new_privs makes the bounding set moot: no capability can be gained. */
    for (unsigned long capability = 0; capability <= LAST_CAPABILITY; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
    (void)prctl(PR_SET_SECUREBITS, SECUREBITS_LOCKED, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0 || syscall(SYS_capget, &header, now) != 0) {
        confine_lacks(result, CONFINE_CAPABILITIES, "capset", errno);
        return;
    }
    if (memcmp(now, none, sizeof now) != 0) {
        confine_lacks(result, CONFINE_CAPABILITIES, "capset left some", 0);
        return;
    }
    /* No core file, and /proc/PID of this process is closed to others of the same user. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        confine_lacks(result, CONFINE_CAPABILITIES, "prctl(PR_SET_DUMPABLE)", errno);
        return;
    }
    confine_holds(result, CONFINE_CAPABILITIES);
}
