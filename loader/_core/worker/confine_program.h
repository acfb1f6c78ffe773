/* The filter's program while it is built: confine_seccomp.c says which call meets which rule, confine_checks.c what a
 * rule looks at. */
#ifndef LOADER_WORKER_CONFINE_PROGRAM_H
#define LOADER_WORKER_CONFINE_PROGRAM_H

#include "confine_calls.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

enum { CODE_MOST = 1024 };

struct program {
    struct sock_filter code[CODE_MOST];
    unsigned length; /* may grow past CODE_MOST: then the program is not used */
};

struct rights {
    bool writes, truncates; /* anything may be written; Landlock holds O_TRUNC */
};

/* One instruction: a jump skips `yes` or `no` of those that follow. */
static inline void confine_put(struct program *program, unsigned op, uint32_t value, unsigned yes, unsigned no)
{
    if (program->length < CODE_MOST)
        program->code[program->length] =
            (struct sock_filter){(unsigned short)op, (unsigned char)yes, (unsigned char)no, value};
    program->length++;
}

/* Loads a word of struct seccomp_data. */
static inline void confine_load(struct program *program, size_t offset)
{
    confine_put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static inline void confine_answer(struct program *program, uint32_t action)
{
    confine_put(program, BPF_RET | BPF_K, action, 0, 0);
}

/* What a rule looks at, down to an answer in each case. */
void confine_put_rule(struct program *program, enum call_rule rule, const struct rights *rights);

#endif
