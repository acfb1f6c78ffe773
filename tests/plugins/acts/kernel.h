/* System calls that a plugin has no business with, for acts.c: with arguments that can do nothing. */
#include <sched.h>
#include <sys/prctl.h>

static const struct {
    const char *name;
    long number, arguments[5];
} RAW_ACTS[] = {

    {"io_uring_setup", 425, {0}},
    {"io_uring_enter", 426, {-1}},
    {"io_setup", SYS_io_setup, {0}},
    {"bpf", SYS_bpf, {0}},
    {"perf_event_open", SYS_perf_event_open, {0}},
    {"mount", SYS_mount, {0}},
    {"umount2", SYS_umount2, {0, 0}},
    {"pivot_root", SYS_pivot_root, {0, 0}},
    {"chroot", SYS_chroot, {0}},
    {"open_tree", 428, {-1, 0, 0xffff}},
    {"move_mount", 429, {-1, 0, -1, 0, 0xffff}},
    {"fsopen", 430, {0, 0}},
    {"fsmount", 432, {-1}},
    {"mount_setattr", 442, {-1}},
    {"keyctl", SYS_keyctl, {0, -3, 0}},
    {"add_key", SYS_add_key, {0}},
    {"request_key", SYS_request_key, {0}},
    {"userfaultfd", SYS_userfaultfd, {0xffff}},
    {"setns", SYS_setns, {-1}},
    {"unshare", SYS_unshare, {CLONE_NEWUSER | 1}},
    {"memfd_create", SYS_memfd_create, {0, 0xffff}},
    {"memfd_secret", 447, {0xffff}},
    {"personality", SYS_personality, {0xffffffff}},
    {"reboot", SYS_reboot, {0}},
    {"kexec_load", SYS_kexec_load, {0, 17}},
    {"init_module", SYS_init_module, {0}},
    {"finit_module", SYS_finit_module, {-1}},
    {"delete_module", SYS_delete_module, {0}},
    {"swapon", SYS_swapon, {0}},
    {"swapoff", SYS_swapoff, {0}},
    {"syslog", SYS_syslog, {10}},
    {"acct", SYS_acct, {1}},
    {"quotactl", SYS_quotactl, {-1}},
    {"sethostname", SYS_sethostname, {0, 5}},
    {"setdomainname", SYS_setdomainname, {0, 5}},
    {"settimeofday", SYS_settimeofday, {0, 0}},
    {"clock_settime", SYS_clock_settime, {0, 0}},
    {"adjtimex", SYS_adjtimex, {0}},
    {"clock_adjtime", SYS_clock_adjtime, {0, 0}},
    {"shmget", SYS_shmget, {0x61637431, 0, 0}},
    {"shmat", SYS_shmat, {-1}},
    {"msgget", SYS_msgget, {0x61637431, 0}},
    {"semget", SYS_semget, {0x61637431, 0, 0}},
    {"mq_open", SYS_mq_open, {0}},
    {"fanotify_init", SYS_fanotify_init, {0xffff}},
    {"inotify_init1", SYS_inotify_init1, {0xffff}},
    {"name_to_handle_at", SYS_name_to_handle_at, {-1}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1}},
    {"setuid", SYS_setuid, {-1}},
    {"setresuid", SYS_setresuid, {-1, -1, -1}},
    {"setresgid", SYS_setresgid, {-1, -1, -1}},
    {"setgroups", SYS_setgroups, {1, 0}},
    {"capset", SYS_capset, {0}},
    {"seccomp", SYS_seccomp, {0xffff}},
    {"landlock_restrict_self", 446, {-1}},
    {"pidfd_getfd", 438, {-1}},
    {"pidfd_send_signal", 424, {-1}},
    {"process_madvise", 440, {-1}},
    {"process_mrelease", 448, {-1}},
    {"move_pages", SYS_move_pages, {0x7fffffff}},
    {"migrate_pages", SYS_migrate_pages, {0x7fffffff}},
    {"vmsplice", SYS_vmsplice, {-1}},
    {"splice", SYS_splice, {-1, 0, -1, 0, 1}},
    {"tee", SYS_tee, {-1, -1, 1}},
    {"copy_file_range", SYS_copy_file_range, {-1, 0, -1, 0, 1}},
    {"openat2", 437, {-1, 0, 0, 1}}, /* its flags and mode are in memory, where no filter looks */
    {"get_mempolicy", SYS_get_mempolicy, {0}},
    {"set_mempolicy", SYS_set_mempolicy, {0xffff}},
    {"mbind", SYS_mbind, {1, 1, 0xffff}},
    {"remap_file_pages", SYS_remap_file_pages, {1}},
    {"mlockall", SYS_mlockall, {0}},
    {"sync", SYS_sync, {0}},
    {"sched_setattr", SYS_sched_setattr, {0, 0, 0}},
    {"prctl_pdeathsig", SYS_prctl, {PR_SET_PDEATHSIG, 0}},
    {"prctl_pdeathsig_high", SYS_prctl, {(1L << 32) | PR_SET_PDEATHSIG, 0}},
    {"prctl_mm", SYS_prctl, {PR_SET_MM, -1}},
    {"prctl_ptracer", SYS_prctl, {0x59616d61, 0}},
    {"prctl_keepcaps", SYS_prctl, {PR_SET_KEEPCAPS, 0}},
    {"prctl_subreaper", SYS_prctl, {36, 0}},
    {"prctl_seccomp", SYS_prctl, {PR_SET_SECCOMP, 7}},
    {"connect", SYS_connect, {-1}},
    {"bind", SYS_bind, {-1}},
    {"setsockopt", SYS_setsockopt, {-1}},
    {"getsockopt", SYS_getsockopt, {-1}},
#ifdef __x86_64__
    {"modify_ldt", SYS_modify_ldt, {0}},
    {"iopl", SYS_iopl, {0}},
    {"ioperm", SYS_ioperm, {1, 0}},
#endif
};

/* 1, 0; -1: there is no such act. */
static int raw_act(const char *name)
{
    for (size_t i = 0; i < sizeof RAW_ACTS / sizeof *RAW_ACTS; i++)
        if (strcmp(RAW_ACTS[i].name, name) == 0) {
            const long *a = RAW_ACTS[i].arguments;
            return reached(syscall(RAW_ACTS[i].number, a[0], a[1], a[2], a[3], a[4], 0L)) ? 1 : 0;
        }
    return -1;
}

#ifdef __x86_64__
/* Other numberings of system calls; the filter ends the process. */
static bool old_call(const char *none, size_t size)
{
    (void)none, (void)size;
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* i386: getpid */) : "memory", "r8", "r9", "r10", "r11");
    return result > 0;
}

static bool x32_call(const char *none, size_t size)
{
    (void)none, (void)size;
    return syscall(0x40000000L | SYS_getpid) > 0;
}
#endif

static const struct act KERNEL_ACTS[] = {
#ifdef __x86_64__
    {"old_call", old_call}, {"x32_call", x32_call},
#endif
    {NULL, NULL},
};
