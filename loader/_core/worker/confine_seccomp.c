/* seccomp: the filter that holds a worker to the system calls of confine_calls.c.
 *
 * The program is a balanced tree over ranges of call numbers with one rule, so that any call is decided in about seven
 * comparisons and the kernel, which runs the filter once for each number when it is installed, is done soon. Calls that
 * are allowed whatever their arguments (read, write, futex, …) go by the kernel's bitmap since Linux 5.11 and do not
 * run the filter at all. */
#define _GNU_SOURCE
#include "confine_parts.h"
#include "confine_program.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
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

enum { X32 = 0x40000000 }; /* a bit of its call numbers */

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
static void put_tree(struct program *program, const struct range *ranges, unsigned count,
                     const struct rights *rights)
{
    if (count == 1) {
        confine_put_rule(program, (enum call_rule)ranges->rule, rights);
        return;
    }
    unsigned half = count / 2, node = program->length;
    confine_put(program, BPF_JMP | BPF_JGE | BPF_K, ranges[half].first, 0, 1);
    confine_put(program, BPF_JMP | BPF_JA, 0, 0, 0); /* conditional jumps reach 255 instructions only */
    put_tree(program, ranges, half, rights);
    if (node + 1 < CODE_MOST) program->code[node + 1].k = program->length - (node + 2);
    put_tree(program, ranges + half, count - half, rights);
}

static void put_all(struct program *program, const struct confinement *wanted, const struct rights *rights)
{
    unsigned char rules[CALL_NUMBERS];
    struct range ranges[CALL_NUMBERS + 1];
    confine_calls(wanted, rights->truncates, rules);
    confine_load(program, offsetof(struct seccomp_data, arch));
    confine_put(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    confine_answer(program, SECCOMP_RET_KILL_PROCESS); /* int 0x80 has other numbers */
    confine_load(program, offsetof(struct seccomp_data, nr));
#if defined __x86_64__
    confine_put(program, BPF_JMP | BPF_JSET | BPF_K, X32, 0, 1); /* -1, a call that a tracer took away, too */
    confine_answer(program, SECCOMP_RET_KILL_PROCESS);
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
