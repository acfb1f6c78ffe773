/* What a worker gives up before it opens a plugin. Linux on x86-64 and aarch64; no Python, no allocation.
 *
 * Call confine() while the process has one thread and before any byte of a plugin is opened: constructors run inside
 * dlopen, and a thread that they start would keep whatever is given up later.
 */
#ifndef LOADER_WORKER_CONFINE_H
#define LOADER_WORKER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum confine_part {
    CONFINE_NO_NEW_PRIVS = 1 << 0,
    CONFINE_LANDLOCK = 1 << 1,     /* files */
    CONFINE_SECCOMP = 1 << 2,      /* system calls */
    CONFINE_RLIMITS = 1 << 3,      /* memory, threads, descriptors, no core file */
    CONFINE_DESCRIPTORS = 1 << 4,  /* those not kept are closed; the working folder is / */
    CONFINE_ENVIRONMENT = 1 << 5,  /* empty */
    CONFINE_NAMESPACES = 1 << 6,   /* own user (if not root), network, IPC, UTS, cgroup and mount namespace */
    CONFINE_CAPABILITIES = 1 << 7, /* none, for good; not dumpable */
    CONFINE_NETWORK = 1 << 8,      /* network is off */
};

enum { CONFINE_PARTS = 9, CONFINE_WHY = 96 };

struct confinement {
    uint64_t memory;    /* bytes of private memory beyond what the process has now; 0: no limit */
    uint64_t file_size; /* bytes that a file or memory file may grow to, stdout too if it is one; 0: none, or no limit
                           if `write` names any */
    uint32_t processes; /* threads; can be held only in a user namespace of its own (so not as root); 0: no limit */
    uint32_t files;     /* descriptors that may be open; 0: no limit */
    uint32_t without;   /* enum confine_part: parts that are left out on purpose */
    bool network;       /* IPv4 and IPv6 sockets are allowed (unix sockets never: they lead to other programs) */
    const char *const *read; /* files or folders that may be read, with all below */
    size_t read_count;
    const char *const *write; /* … and written: files made, changed, renamed, removed; no links, no devices */
    size_t write_count;
    const char *const *libraries; /* files or folders from which shared libraries may be opened; not listed */
    size_t library_count;
    const int *keep; /* descriptors that stay open. 0, 1 and 2 are closed too, unless they are here. No AF_UNIX
                        datagram socket: it reaches every socket of the machine by name. */
    size_t keep_count;
};

struct confined {
    uint32_t engaged;                     /* enum confine_part: what holds */
    uint32_t missing;                     /* what was wanted and does not hold */
    char why[CONFINE_PARTS][CONFINE_WHY]; /* by bit number: why it is missing, or what is not whole in it; or "" */
    uint32_t landlock_abi;                /* 0: none */
};

/* Engages all that the kernel allows. 0: see `result`, and let the caller decide whether it suffices.
 * -1: nothing was done and must not go on: errno EBUSY, there are other threads; EINVAL, `wanted` is no sense. */
int confine(const struct confinement *wanted, struct confined *result);

/* The parts' names, for reports: "seccomp" for CONFINE_SECCOMP's bit number 2. */
extern const char *const confine_part_name[CONFINE_PARTS];

#endif
