/* The list of allowed system calls: all that C, C++, Rust, Go and Zig runtimes do in a library, and nothing that
 * reaches another process. What is not here is refused. */
#define _GNU_SOURCE
#include "confine_calls.h"

#include <string.h>
#include <sys/syscall.h>

/* Newer than the headers of build machines; the same on every architecture. */
enum {
    NEW_clone3 = 435,
    NEW_close_range = 436,
    NEW_openat2 = 437,
    NEW_faccessat2 = 439,
    NEW_epoll_pwait2 = 441,
    NEW_futex_waitv = 449,
    NEW_map_shadow_stack = 453,
    NEW_futex_wake = 454,
    NEW_futex_wait = 455,
    NEW_futex_requeue = 456,
    NEW_mseal = 462,
};

static const unsigned short ALLOWED[] = {
    /* memory */
    __NR_munmap, __NR_mprotect, __NR_mremap, __NR_madvise, __NR_brk, __NR_msync, __NR_mlock, __NR_mlock2, __NR_munlock,
    __NR_pkey_alloc, __NR_pkey_free, __NR_pkey_mprotect, NEW_map_shadow_stack, NEW_mseal,
    /* threads and waiting */
    __NR_futex, NEW_futex_waitv, NEW_futex_wake, NEW_futex_wait, NEW_futex_requeue, __NR_set_robust_list,
    __NR_set_tid_address, __NR_rseq, __NR_membarrier, __NR_sched_yield, __NR_restart_syscall, __NR_exit,
    __NR_exit_group, __NR_nanosleep, __NR_sched_get_priority_max, __NR_sched_get_priority_min,
    /* signals of this process */
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigpending, __NR_rt_sigsuspend,
    __NR_rt_sigtimedwait, __NR_sigaltstack, __NR_signalfd4,
    /* time */
    __NR_gettimeofday, __NR_times, __NR_getitimer, __NR_setitimer, __NR_timer_settime, __NR_timer_gettime,
    __NR_timer_getoverrun, __NR_timer_delete, __NR_timerfd_create,
    __NR_timerfd_settime, __NR_timerfd_gettime,
    /* open descriptors */
    __NR_read, __NR_write, __NR_readv, __NR_writev, __NR_pread64, __NR_pwrite64, __NR_preadv, __NR_pwritev,
    __NR_preadv2, __NR_pwritev2, __NR_lseek, __NR_close, NEW_close_range, __NR_dup, __NR_dup3, __NR_fstat,
    __NR_fstatfs, __NR_fsync, __NR_fdatasync, __NR_ftruncate, __NR_fallocate, __NR_fadvise64, __NR_getdents64,
    __NR_sendfile, __NR_ppoll, __NR_pselect6, __NR_epoll_create1, __NR_epoll_ctl, __NR_epoll_pwait, NEW_epoll_pwait2,
    __NR_eventfd2, __NR_pipe2, __NR_recvmsg, __NR_sendmsg, __NR_recvfrom, __NR_sendto, __NR_recvmmsg, __NR_sendmmsg,
    __NR_shutdown,
    /* names of files, which Landlock does not hold: whether there is such a file, and where a link leads */
    __NR_newfstatat, __NR_statx, __NR_readlinkat, __NR_faccessat, NEW_faccessat2, __NR_getcwd, __NR_chdir,
    __NR_fchdir, __NR_umask,
    /* about this process and machine */
    __NR_getpid, __NR_gettid, __NR_getppid, __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid, __NR_getresuid,
    __NR_getresgid, __NR_getgroups, __NR_getrusage, __NR_sysinfo, __NR_uname, __NR_getcpu, __NR_getrandom,
#ifdef __NR_getrlimit
    __NR_getrlimit,
#endif
#if defined __x86_64__
    __NR_arch_prctl, __NR_stat, __NR_lstat, __NR_access, __NR_readlink, __NR_poll, __NR_select, __NR_pipe, __NR_dup2,
    __NR_epoll_create, __NR_epoll_wait, __NR_eventfd, __NR_signalfd, __NR_getdents, __NR_time, __NR_alarm, __NR_pause,
    __NR_getpgrp,
#endif
};

/* Only with paths that may be written. Left out for good: links, mknod, and all that changes modes, owners, times or
 * attributes, which Landlock lets a process do to every file of its user. */
static const unsigned short WRITING[] = {
    __NR_mkdirat, __NR_unlinkat, __NR_renameat2, __NR_linkat, __NR_flock,
#ifdef __NR_renameat
    __NR_renameat,
#endif
#if defined __x86_64__
    __NR_mkdir, __NR_rmdir, __NR_unlink, __NR_rename, __NR_link,
#endif
};

static const unsigned short NETWORK[] = {
    __NR_connect, __NR_bind, __NR_listen, __NR_accept, __NR_accept4, __NR_getsockname, __NR_getpeername,
    __NR_getsockopt, __NR_setsockopt,
};

static const struct {
    unsigned short number;
    unsigned char rule;
} RULES[] = {
    {__NR_clone, CALL_CLONE},
    {NEW_clone3, CALL_ABSENT}, /* its flags lie in memory, where a filter cannot look */
    {NEW_openat2, CALL_ABSENT},
    {__NR_memfd_create, CALL_ABSENT}, /* counted by no limit */
    {__NR_copy_file_range, CALL_ABSENT},
    {__NR_splice, CALL_ABSENT},
    {__NR_tee, CALL_ABSENT},
    {__NR_get_mempolicy, CALL_ABSENT},
    {__NR_set_mempolicy, CALL_ABSENT},
    {__NR_mbind, CALL_ABSENT},
    {__NR_kill, CALL_OWN},
    {__NR_tgkill, CALL_OWN},
    {__NR_tkill, CALL_OWN}, /* so the first thread only: a thread's number does not tell its process */
    {__NR_rt_sigqueueinfo, CALL_OWN},
    {__NR_rt_tgsigqueueinfo, CALL_OWN},
    {__NR_sched_setaffinity, CALL_SELF},
    {__NR_sched_getscheduler, CALL_SELF},
    {__NR_sched_getparam, CALL_SELF},
    {__NR_get_robust_list, CALL_SELF},
    {__NR_getpgid, CALL_SELF},
    {__NR_getsid, CALL_SELF},
    {__NR_sched_getaffinity, CALL_AFFINITY},
    {__NR_getpriority, CALL_PRIORITY},
    {__NR_setpriority, CALL_PRIORITY},
    {__NR_prlimit64, CALL_LIMITS},
    {__NR_clock_gettime, CALL_CLOCK},
    {__NR_clock_getres, CALL_CLOCK},
    {__NR_clock_nanosleep, CALL_CLOCK},
    {__NR_timer_create, CALL_CLOCK}, /* its SIGEV_THREAD_ID is held to own threads by the kernel */
    {__NR_mmap, CALL_MMAP},
    {__NR_fcntl, CALL_FCNTL},
    {__NR_ioctl, CALL_IOCTL},
    {__NR_prctl, CALL_PRCTL},
    {__NR_openat, CALL_OPENAT},
#ifdef __NR_open
    {__NR_open, CALL_OPEN},
#endif
    {__NR_socket, CALL_SOCKET},
    {__NR_socketpair, CALL_SOCKETPAIR},
};

static void set_all(unsigned char *rules, const unsigned short *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) rules[numbers[i]] = CALL_ALLOWED;
}

void confine_calls(const struct confinement *wanted, bool truncates, unsigned char rules[CALL_NUMBERS])
{
    memset(rules, CALL_REFUSED, CALL_NUMBERS);
    set_all(rules, ALLOWED, sizeof ALLOWED / sizeof *ALLOWED);
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) rules[RULES[i].number] = RULES[i].rule;
    if (wanted->write_count > 0) {
        set_all(rules, WRITING, sizeof WRITING / sizeof *WRITING);
        if (truncates) rules[__NR_truncate] = CALL_ALLOWED;
#ifdef __NR_creat
        if (truncates) rules[__NR_creat] = CALL_CREAT;
#endif
    }
    if (wanted->network)
        set_all(rules, NETWORK, sizeof NETWORK / sizeof *NETWORK);
    else
        rules[__NR_socket] = CALL_REFUSED;
}
