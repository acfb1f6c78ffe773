/* What the filter looks at in the arguments of calls that are allowed only in part.
 *
 * A filter sees registers, not memory. So pointers are not judged, and calls whose meaning lies behind a pointer
 * (clone3, openat2) are absent. */
#define _GNU_SOURCE
#include "confine_program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

enum { CLONE_DETACHED_OF_MUSL = 0x00400000, GET_SEALS = 1034, GET_AUXV = 0x41555856 }; /* not in all headers */

#define THREAD_MUST (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define THREAD_MAY                                                                                                     \
    (THREAD_MUST | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |  \
     CLONE_CHILD_CLEARTID | CLONE_DETACHED_OF_MUSL)

static void allow(struct program *program) { confine_answer(program, SECCOMP_RET_ALLOW); }
static void refuse(struct program *program) { confine_answer(program, SECCOMP_RET_ERRNO | EPERM); }

/* The low half of an argument; both architectures are little-endian. The kernel's types (int, pid_t) are so wide. */
static void load_argument(struct program *program, unsigned number)
{
    confine_load(program, offsetof(struct seccomp_data, args) + number * sizeof(uint64_t));
}

/* Allowed where the loaded word is `value`; else the program goes on. */
static void allow_if(struct program *program, uint32_t value)
{
    confine_put(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    allow(program);
}

/* Refused where the loaded word has one of these bits; else the program goes on. */
static void refuse_if_any(struct program *program, uint32_t bits)
{
    confine_put(program, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    refuse(program);
}

/* Refused unless the loaded word, masked, is `value`. */
static void refuse_unless(struct program *program, uint32_t mask, uint32_t value)
{
    if (mask != UINT32_MAX) confine_put(program, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
    confine_put(program, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    refuse(program);
}

static void allow_list(struct program *program, const uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) allow_if(program, values[i]);
    refuse(program);
}

static void check_clone(struct program *program)
{
    load_argument(program, 0);
    refuse_if_any(program, ~(uint32_t)THREAD_MAY); /* the low byte too: a signal to the parent */
    refuse_unless(program, THREAD_MUST, THREAD_MUST);
    allow(program);
}

/* Not what the limits do not count: memory shared between nobody, and stacks that grow; nor huge pages, which are the
 * whole machine's. */
static void check_mmap(struct program *program)
{
    load_argument(program, 3);
    refuse_if_any(program, MAP_GROWSDOWN | MAP_HUGETLB);
    confine_put(program, BPF_ALU | BPF_AND | BPF_K, MAP_ANONYMOUS | MAP_SHARED, 0, 0);
    confine_put(program, BPF_JMP | BPF_JEQ | BPF_K, MAP_ANONYMOUS | MAP_SHARED, 0, 1);
    refuse(program);
    allow(program);
}

/* Not: F_SETOWN, F_SETSIG and O_ASYNC (signals to others), leases, F_NOTIFY, pipe sizes, new seals on the host's
 * memory. Locks only where something may be written: a lock on a file that is only read holds its owner up. */
static void check_fcntl(struct program *program, bool writes)
{
    static const uint32_t ALWAYS[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_DUPFD, GET_SEALS, F_GETPIPE_SZ};
    static const uint32_t LOCKS[] = {F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};
    load_argument(program, 1);
    for (size_t i = 0; writes && i < sizeof LOCKS / sizeof *LOCKS; i++) allow_if(program, LOCKS[i]);
    for (size_t i = 0; i < sizeof ALWAYS / sizeof *ALWAYS; i++) allow_if(program, ALWAYS[i]);
    refuse_unless(program, UINT32_MAX, F_SETFL);
    load_argument(program, 2);
    refuse_if_any(program, O_ASYNC);
    allow(program);
}

static void check_ioctl(struct program *program)
{
    static const uint32_t ASKED[] = {FIONREAD, TCGETS, TIOCGWINSZ, FIONBIO, FIOCLEX, FIONCLEX};
    load_argument(program, 1);
    allow_list(program, ASKED, sizeof ASKED / sizeof *ASKED);
}

static void check_prctl(struct program *program)
{
    static const uint32_t OPTIONS[] = {PR_SET_VMA, PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS,
                                       PR_CAPBSET_READ, PR_GET_PDEATHSIG, PR_GET_SECCOMP, GET_AUXV};
    load_argument(program, 0);
    allow_list(program, OPTIONS, sizeof OPTIONS / sizeof *OPTIONS);
}

/* No file that runs as its owner: the host may be root. */
static void check_mode(struct program *program, unsigned mode)
{
    load_argument(program, mode);
    refuse_if_any(program, S_ISUID | S_ISGID);
    allow(program);
}

/* The mode is the argument after the flags, and means something only where a file is made. */
static void check_open(struct program *program, unsigned flags, const struct rights *rights)
{
    load_argument(program, flags);
    if (!rights->writes) refuse_if_any(program, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
    else if (!rights->truncates) refuse_if_any(program, O_TRUNC);
    if (rights->writes) {
        confine_put(program, BPF_JMP | BPF_JSET | BPF_K, O_CREAT | (O_TMPFILE & ~O_DIRECTORY), 1, 0);
        allow(program);
        check_mode(program, flags + 1);
    } else {
        allow(program);
    }
}

/* IPv4 and IPv6, TCP and UDP. */
static void check_socket(struct program *program)
{
    static const uint32_t PROTOCOLS[] = {0, 6, 17};
    load_argument(program, 0);
    confine_put(program, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0); /* over the two that follow */
    refuse_unless(program, UINT32_MAX, AF_INET6);
    load_argument(program, 1);
    confine_put(program, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
    confine_put(program, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 2, 0);
    refuse_unless(program, UINT32_MAX, SOCK_DGRAM);
    load_argument(program, 2);
    allow_list(program, PROTOCOLS, sizeof PROTOCOLS / sizeof *PROTOCOLS);
}

/* A pair reaches nobody else, but for datagrams: sendto gives those another address. */
static void check_socketpair(struct program *program)
{
    static const uint32_t KINDS[] = {SOCK_STREAM, SOCK_SEQPACKET};
    load_argument(program, 0);
    refuse_unless(program, UINT32_MAX, AF_UNIX);
    load_argument(program, 1);
    confine_put(program, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
    allow_list(program, KINDS, sizeof KINDS / sizeof *KINDS);
}

/* A negative clock names a process or thread (linux/posix-timers.h). Bit 2 is a thread's: the kernel holds those to own
 * threads. Others must be this process's, ~pid << 3 with the kind below. */
static void check_clock(struct program *program, uint32_t pid)
{
    load_argument(program, 0);
    confine_put(program, BPF_JMP | BPF_JGE | BPF_K, 0x80000000U, 1, 0);
    allow(program);
    confine_put(program, BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1);
    allow(program);
    refuse_unless(program, ~7U, ~pid << 3);
    allow(program);
}

static void check_process(struct program *program, enum call_rule rule, uint32_t pid)
{
    if (rule == CALL_PRIORITY) {
        load_argument(program, 0);
        refuse_unless(program, UINT32_MAX, PRIO_PROCESS);
        load_argument(program, 1);
        refuse_unless(program, UINT32_MAX, 0);
        allow(program);
        return;
    }
    if (rule == CALL_LIMITS) { /* the third argument, new limits, is NULL */
        load_argument(program, 2);
        refuse_unless(program, UINT32_MAX, 0);
        confine_load(program, offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t) + sizeof(uint32_t));
        refuse_unless(program, UINT32_MAX, 0);
    }
    load_argument(program, 0);
    allow_if(program, pid);
    if (rule != CALL_OWN) allow_if(program, 0);
    if (rule == CALL_AFFINITY)
        confine_answer(program, SECCOMP_RET_ERRNO | ENOSYS);
    else
        refuse(program);
}

void confine_put_rule(struct program *program, enum call_rule rule, const struct rights *rights)
{
    uint32_t pid = (uint32_t)getpid();
    switch (rule) {
    case CALL_ALLOWED: allow(program); return;
    case CALL_ABSENT: confine_answer(program, SECCOMP_RET_ERRNO | ENOSYS); return;
    case CALL_CLONE: check_clone(program); return;
    case CALL_OWN:
    case CALL_SELF:
    case CALL_AFFINITY:
    case CALL_PRIORITY:
    case CALL_LIMITS: check_process(program, rule, pid); return;
    case CALL_CLOCK: check_clock(program, pid); return;
    case CALL_MMAP: check_mmap(program); return;
    case CALL_FCNTL: check_fcntl(program, rights->writes); return;
    case CALL_IOCTL: check_ioctl(program); return;
    case CALL_PRCTL: check_prctl(program); return;
    case CALL_OPEN: check_open(program, 1, rights); return;
    case CALL_OPENAT: check_open(program, 2, rights); return;
    case CALL_CREAT: check_mode(program, 1); return;
    case CALL_SOCKET: check_socket(program); return;
    case CALL_SOCKETPAIR: check_socketpair(program); return;
    case CALL_REFUSED:
    case CALL_RULES: break;
    }
    refuse(program);
}
