/* Which system calls a worker may make, and which only with certain arguments. For confine_seccomp.c. */
#ifndef LOADER_WORKER_CONFINE_CALLS_H
#define LOADER_WORKER_CONFINE_CALLS_H

#include "confine.h"

/* What becomes of a call. From CALL_CLONE on, arguments are looked at (confine_seccomp.c says how). */
enum call_rule {
    CALL_REFUSED = 0, /* EPERM; all that is not named */
    CALL_ALLOWED,
    CALL_ABSENT,      /* ENOSYS: libraries then do without */
    CALL_CLONE,       /* threads only */
    CALL_OWN,         /* first argument: this process */
    CALL_SELF,        /* first argument: 0 or this process */
    CALL_AFFINITY,    /* the same, else ENOSYS, as glibc's pthread_getattr_np passes over that */
    CALL_PRIORITY,    /* second argument: 0, first: PRIO_PROCESS */
    CALL_LIMITS,      /* of this process, read only */
    CALL_CLOCK,       /* not another process's CPU time */
    CALL_MMAP,        /* not what no limit counts */
    CALL_FCNTL,
    CALL_IOCTL,
    CALL_PRCTL,
    CALL_OPEN,        /* reading only, if nothing may be written; else no setuid or setgid files */
    CALL_OPENAT,
    CALL_CREAT,
    CALL_SOCKET,
    CALL_SOCKETPAIR,
    CALL_RULES
};

enum { CALL_NUMBERS = 463 }; /* Linux 6.10's mseal is the last that was looked at; later ones are absent */

/* Fills rules[], by number. `truncates`: Landlock holds O_TRUNC and truncate. */
void confine_calls(const struct confinement *wanted, bool truncates, unsigned char rules[CALL_NUMBERS]);

#endif
