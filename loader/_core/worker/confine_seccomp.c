/* seccomp: the filter that holds a worker to the system calls of confine_calls.c.
 *
 * The program is a balanced tree over ranges of call numbers with one rule, so that any call is decided in about seven
 * comparisons and the kernel, which runs the filter once for each number when it is installed, is done soon. Calls that
 * are allowed whatever their arguments (read, write, futex, …) go by the kernel's bitmap since Linux 5.11 and do not
 * run the filter at all.
 *
 * A filter sees registers, not memory. So pointers are not judged, and calls whose meaning lies behind a pointer
 * (clone3, openat2) are absent. */
#define _GNU_SOURCE
#include "confine_calls.h"
#include "confine_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__ && defined __AARCH64EL__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "confine_seccomp.c knows x86-64 and little-endian aarch64 only"
#endif

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif
#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

enum { CODE_MOST = 1024, NEAR = 255, X32 = 0x40000000, CLONE_DETACHED_OF_MUSL = 0x00400000, SEALS_OF = 1034 };

#define THREAD_MUST (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define THREAD_MAY                                                                                                     \
    (THREAD_MUST | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | \
     CLONE_CHILD_SETTID | CLONE_DETACHED_OF_MUSL)

struct program {
    struct sock_filter code[CODE_MOST];
    unsigned length; /* may grow past CODE_MOST: then the program is not used */
};

struct rights {
    bool writes, truncates; /* anything may be written; Landlock holds O_TRUNC */
};

static void put(struct program *program, unsigned op, uint32_t value, unsigned yes, unsigned no)
{
    if (program->length < CODE_MOST)
        program->code[program->length] =
            (struct sock_filter){(unsigned short)op, (unsigned char)yes, (unsigned char)no, value};
    program->length++;
}

static void answer(struct program *program, uint32_t action) { put(program, BPF_RET | BPF_K, action, 0, 0); }
static void allow(struct program *program) { answer(program, SECCOMP_RET_ALLOW); }
static void refuse(struct program *program) { answer(program, SECCOMP_RET_ERRNO | EPERM); }
static void load(struct program *program, size_t offset) { put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }

/* The low half of an argument; both architectures are little-endian. The kernel's own types (int, pid_t) are so wide. */
static void load_argument(struct program *program, unsigned number)
{
    load(program, offsetof(struct seccomp_data, args) + number * sizeof(uint64_t));
}

/* Allowed where the loaded word is `value`; else the program goes on. */
static void allow_if(struct program *program, uint32_t value)
{
    put(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    allow(program);
}

/* Refused where the loaded word has one of these bits; else the program goes on. */
static void refuse_if_any(struct program *program, uint32_t bits)
{
    put(program, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    refuse(program);
}

/* Refused unless the loaded word, masked, is `value`. */
static void refuse_unless(struct program *program, uint32_t mask, uint32_t value)
{
    if (mask != UINT32_MAX) put(program, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
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
    put(program, BPF_ALU | BPF_AND | BPF_K, MAP_ANONYMOUS | MAP_SHARED, 0, 0);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, MAP_ANONYMOUS | MAP_SHARED, 0, 1);
    refuse(program);
    allow(program);
}

/* Not: F_SETOWN, F_SETSIG and O_ASYNC (signals to others), leases, F_NOTIFY, pipe sizes, new seals on the host's
 * memory. Locks only where something may be written: a lock on a file that is only read holds its owner up. */
static void check_fcntl(struct program *program, bool writes)
{
    static const uint32_t ALWAYS[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_DUPFD, SEALS_OF, F_GETPIPE_SZ};
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
                                       PR_CAPBSET_READ, PR_GET_PDEATHSIG, PR_GET_SECCOMP};
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
        put(program, BPF_JMP | BPF_JSET | BPF_K, O_CREAT | (O_TMPFILE & ~O_DIRECTORY), 1, 0);
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
    put(program, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0); /* over the two that follow */
    refuse_unless(program, UINT32_MAX, AF_INET6);
    load_argument(program, 1);
    put(program, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 2, 0);
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
    put(program, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
    allow_list(program, KINDS, sizeof KINDS / sizeof *KINDS);
}

/* A negative clock names a process or thread (linux/posix-timers.h). Bit 2 is a thread's: the kernel holds those to own
 * threads. Others must be this process's, ~pid << 3 with the kind below. */
static void check_clock(struct program *program, uint32_t pid)
{
    load_argument(program, 0);
    put(program, BPF_JMP | BPF_JGE | BPF_K, 0x80000000U, 1, 0);
    allow(program);
    put(program, BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1);
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
        load(program, offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t) + sizeof(uint32_t));
        refuse_unless(program, UINT32_MAX, 0);
    }
    load_argument(program, 0);
    allow_if(program, pid);
    if (rule != CALL_OWN) allow_if(program, 0);
    if (rule == CALL_AFFINITY)
        answer(program, SECCOMP_RET_ERRNO | ENOSYS);
    else
        refuse(program);
}

static void put_rule(struct program *program, enum call_rule rule, const struct rights *rights)
{
    uint32_t pid = (uint32_t)getpid();
    switch (rule) {
    case CALL_ALLOWED: allow(program); return;
    case CALL_ABSENT: answer(program, SECCOMP_RET_ERRNO | ENOSYS); return;
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

struct range {
    unsigned short first; /* up to the next range's */
    unsigned char rule;
};

static unsigned find_ranges(const unsigned char *rules, struct range *ranges)
{
    unsigned count = 0;
    for (unsigned number = 0; number < CALL_NUMBERS; number++)
        if (number == 0 || rules[number] != rules[number - 1])
            ranges[count++] = (struct range){(unsigned short)number, rules[number]};
    ranges[count++] = (struct range){CALL_NUMBERS, CALL_ABSENT};
    return count;
}

/* The call's number is loaded. Depth: log2 of the ranges. */
static void put_tree(struct program *program, const struct range *ranges, unsigned count, const struct rights *rights)
{
    if (count == 1) {
        put_rule(program, (enum call_rule)ranges->rule, rights);
        return;
    }
    unsigned half = count / 2, node = program->length;
    put(program, BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, 0, 1);
    put(program, BPF_JMP | BPF_JA, 0, 0, 0); /* conditional jumps reach 255 instructions only */
    put_tree(program, ranges, half, rights);
    if (node + 1 < CODE_MOST) program->code[node + 1].k = program->length - (node + 2);
    put_tree(program, ranges + half, count - half, rights);
}

static void put_all(struct program *program, const struct confinement *wanted, const struct rights *rights)
{
    unsigned char rules[CALL_NUMBERS];
    struct range ranges[CALL_NUMBERS + 1];
    confine_calls(wanted, rights->truncates, rules);
    load(program, offsetof(struct seccomp_data, arch));
    put(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(program, SECCOMP_RET_KILL_PROCESS); /* int 0x80 has other numbers */
    load(program, offsetof(struct seccomp_data, nr));
#if defined __x86_64__
    put(program, BPF_JMP | BPF_JSET | BPF_K, X32, 0, 1); /* -1, a call that a tracer took away, too */
    answer(program, SECCOMP_RET_KILL_PROCESS);
#endif
    put_tree(program, ranges, find_ranges(rules, ranges), rights);
}

void confine_seccomp(const struct confinement *wanted, struct confined *result)
{
    static struct program program; /* too large for a stack that may be small */
    struct rights rights = {.writes = wanted->write_count > 0, .truncates = result->landlock_abi >= 3};
    program.length = 0;
    put_all(&program, wanted, &rights);
    struct sock_fprog filter = {.len = (unsigned short)program.length, .filter = program.code};
    if (program.length > CODE_MOST) {
        confine_lacks(result, CONFINE_SECCOMP, "the filter is too long", 0);
        return;
    }
    /* Not slowed by SSBD (kernels before 5.16): that guards secrets of one's own process, and a worker has none. */
    unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long failed = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (failed != 0 && errno == EINVAL) failed = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
    if (failed != 0)
        confine_lacks(result, CONFINE_SECCOMP, "seccomp", errno);
    else
        confine_holds(result, CONFINE_SECCOMP);
}
