/* Acts on other processes, above all the parent (the host); for acts.c. */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

ACT(trace_host)
{
    UNUSED;
    if (ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) != 0) return false;
    (void)ptrace(PTRACE_DETACH, getppid(), NULL, NULL);
    return true;
}

ACT(trace_me) { return UNUSED, reached(ptrace(PTRACE_PEEKDATA, 1, NULL, NULL)); }

static bool memory_of_host(long call)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)16, 1};
    return reached(syscall(call, getppid(), &here, 1, &there, 1, 0));
}

ACT(read_host) { return UNUSED, memory_of_host(SYS_process_vm_readv); }
ACT(write_host) { return UNUSED, memory_of_host(SYS_process_vm_writev); }

static bool open_of(pid_t pid, const char *name, int flags)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return opens(path, flags);
}

ACT(host_memory) { return UNUSED, open_of(getppid(), "mem", O_RDWR); }
ACT(host_maps) { return UNUSED, open_of(getppid(), "maps", O_RDONLY); }
ACT(host_environment) { return UNUSED, open_of(getppid(), "environ", O_RDONLY); }
ACT(host_command) { return UNUSED, open_of(getppid(), "cmdline", O_RDONLY); }
ACT(host_descriptors) { return UNUSED, open_of(getppid(), "fd", O_RDONLY | O_DIRECTORY); }
ACT(host_descriptor) { return UNUSED, open_of(getppid(), "fd/0", O_RDONLY | O_NONBLOCK); }
ACT(host_root) { return UNUSED, open_of(getppid(), "root/etc/passwd", O_RDONLY); }
ACT(own_memory) { return UNUSED, open_of(getpid(), "mem", O_RDWR); }
ACT(own_settings) { return UNUSED, open_of(getpid(), "oom_score_adj", O_RDWR); }

ACT(signal_host) { return UNUSED, kill(getppid(), 0) == 0; }
ACT(signal_group) { return UNUSED, kill(0, 0) == 0; }
ACT(signal_group_named) { return UNUSED, kill(-getpgid(getppid()), 0) == 0 || kill(-getpgrp(), 0) == 0; }
ACT(signal_all) { return UNUSED, kill(-1, 0) == 0; }
ACT(signal_init) { return UNUSED, kill(1, 0) == 0; }
ACT(signal_high) /* the kernel takes 32 bits, a careless filter compares 64 */
{
    return UNUSED, syscall(SYS_kill, (long)getppid() | (long)(UINT64_C(1) << 32), 0L) == 0;
}
ACT(tgkill_host) { return UNUSED, syscall(SYS_tgkill, getppid(), getppid(), 0) == 0; }
ACT(tkill_host) { return UNUSED, syscall(SYS_tkill, getppid(), 0) == 0; }

ACT(queue_host)
{
    UNUSED;
    siginfo_t information = {.si_signo = 0, .si_code = SI_QUEUE};
    return syscall(SYS_rt_sigqueueinfo, getppid(), 0, &information) == 0;
}

ACT(queue_host_thread)
{
    UNUSED;
    siginfo_t information = {.si_signo = 0, .si_code = SI_QUEUE};
    return syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), 0, &information) == 0;
}

ACT(pidfd_host)
{
    UNUSED;
    int process = (int)syscall(SYS_pidfd_open, getppid(), 0);
    if (process >= 0) (void)close(process);
    return process >= 0;
}

static bool on_pipe(bool (*act)(int))
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    bool done = act(ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return done;
}

static bool own_by_host(int file) { return fcntl(file, F_SETOWN, getppid()) == 0; }
static bool own_by_host_ex(int file)
{
    struct f_owner_ex owner = {F_OWNER_PID, getppid()};
    return fcntl(file, F_SETOWN_EX, &owner) == 0;
}
static bool own_by_ioctl(int file)
{
    int host = getppid();
    return reached(ioctl(file, 0x8901 /* FIOSETOWN */, &host)) || reached(ioctl(file, 0x8902 /* SIOCSPGRP */, &host));
}
static bool async(int file)
{
    return fcntl(file, F_SETFL, O_ASYNC) == 0 || ioctl(file, FIOASYNC, &(int){1}) == 0;
}
static bool set_signal(int file) { return fcntl(file, F_SETSIG, SIGURG) == 0; }
static bool larger_pipe(int file) { return fcntl(file, F_SETPIPE_SZ, 1 << 20) >= 0; }
static bool type_ahead(int file) { return reached(ioctl(file, TIOCSTI, "x")); }
static bool type_ahead_high(int file)
{
    return reached(syscall(SYS_ioctl, file, (unsigned long)TIOCSTI | (UINT64_C(1) << 32), "x"));
}

ACT(owner_host) { return UNUSED, on_pipe(own_by_host); }
ACT(owner_host_ex) { return UNUSED, on_pipe(own_by_host_ex); }
ACT(owner_host_ioctl) { return UNUSED, on_pipe(own_by_ioctl); }
ACT(signal_driven) { return UNUSED, on_pipe(async); }
ACT(signal_chosen) { return UNUSED, on_pipe(set_signal); }
ACT(pipe_size) { return UNUSED, on_pipe(larger_pipe); }
ACT(type_in_terminal) { return UNUSED, on_pipe(type_ahead); }
ACT(type_in_terminal_high) { return UNUSED, on_pipe(type_ahead_high); }

ACT(pgid) { return UNUSED, setpgid(0, 0) == 0; }
ACT(session) { return UNUSED, setsid() >= 0 || reached(setpgid(0x7ffffffe, 0)); }
ACT(host_group) { return UNUSED, getpgid(getppid()) >= 0; }
ACT(host_session) { return UNUSED, getsid(getppid()) >= 0; }
ACT(read_priority) { return UNUSED, syscall(SYS_getpriority, PRIO_PROCESS, getppid()) >= 0; }
ACT(host_priority) { return UNUSED, setpriority(PRIO_PROCESS, (id_t)getppid(), 0) == 0; }
ACT(user_priority) { return UNUSED, setpriority(PRIO_USER, 0, 0) == 0 || setpriority(PRIO_PGRP, 0, 0) == 0; }

ACT(host_affinity)
{
    UNUSED;
    cpu_set_t set;
    return sched_getaffinity(getppid(), sizeof set, &set) == 0;
}

ACT(move_host)
{
    UNUSED;
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 && sched_setaffinity(getppid(), sizeof set, &set) == 0;
}

ACT(host_scheduler)
{
    UNUSED;
    struct sched_param none = {0};
    return sched_setscheduler(getppid(), SCHED_OTHER, &none) == 0;
}

ACT(host_policy)
{
    UNUSED;
    struct sched_param found;
    return sched_getscheduler(getppid()) >= 0 || sched_getparam(getppid(), &found) == 0;
}

ACT(host_limits)
{
    UNUSED;
    struct rlimit limit;
    return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) == 0;
}

ACT(set_limits)
{
    UNUSED;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 || prlimit(0, RLIMIT_NOFILE, &limit, NULL) == 0;
}

static clockid_t host_clock(void) { return (clockid_t)((~(unsigned)getppid() << 3) | 2); } /* CPUCLOCK_SCHED */

ACT(host_time)
{
    UNUSED;
    struct timespec time = {0};
    return syscall(SYS_clock_gettime, host_clock(), &time) == 0;
}

ACT(host_clocks) /* other calls that take one */
{
    UNUSED;
    struct timespec time = {0};
    return syscall(SYS_clock_getres, host_clock(), &time) == 0 ||
           reached(syscall(SYS_clock_nanosleep, host_clock(), 1L /* TIMER_ABSTIME */, &time, NULL));
}

static bool timer_on(clockid_t clock, int thread)
{
    int timer;
    struct sigevent event = {.sigev_notify = thread == 0 ? SIGEV_NONE : SIGEV_THREAD_ID};
    if (thread != 0) *(int *)&event._sigev_un = thread;
    if (syscall(SYS_timer_create, clock, &event, &timer) != 0) return false;
    (void)syscall(SYS_timer_delete, timer);
    return true;
}

ACT(host_timer) { return UNUSED, timer_on(host_clock(), 0); }
ACT(timer_to_host) { return UNUSED, timer_on(CLOCK_MONOTONIC, getppid()); } /* never: the kernel looks itself */

ACT(host_futexes)
{
    UNUSED;
    void *head;
    size_t length;
    return syscall(SYS_get_robust_list, getppid(), &head, &length) == 0;
}

ACT(compare_host) { return UNUSED, reached(syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0)); }
ACT(host_io_priority) { return UNUSED, reached(syscall(SYS_ioprio_set, 1, getppid(), 0)); }
ACT(outlive_host) { return UNUSED, prctl(PR_SET_PDEATHSIG, 0) == 0; }
ACT(dumpable) { return UNUSED, prctl(PR_SET_DUMPABLE, 1) == 0; }

ACT(environment) { return UNUSED, getenv("PATH") != NULL || (environ != NULL && environ[0] != NULL); }

ACT(environment_left) /* on the stack of the first thread, where the kernel puts it */
{
    UNUSED;
    static char wanted[] = "MPBEFS`DPOGJOFE>"; /* LOADER_CONFINED=, of which no copy may be made on the stack */
    for (char *each = wanted; wanted[0] == 'M' && *each != '\0'; each++) *each -= each > wanted;
    wanted[0] = 'L';
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *end;
        char *from = (char *)strtoul(line, &end, 16), *to = (char *)strtoul(end + 1, NULL, 16);
        if (strstr(line, "[stack]") == NULL) continue;
        found = memmem(from, (size_t)(to - from), wanted, sizeof wanted - 1) != NULL;
    }
    if (maps != NULL) (void)fclose(maps);
    return found;
}

ACT(inherited) /* a descriptor above those that the tests keep */
{
    UNUSED;
    for (int file = 20; file < 1024; file++)
        if (fcntl(file, F_GETFD) >= 0) return true;
    return false;
}

static const struct act PROCESS_ACTS[] = {
    {"fork", act_fork}, {"libc_fork", libc_fork}, {"shared_child", shared_child}, {"sibling", sibling},
    {"silent_child", silent_child}, {"thread_elsewhere", thread_elsewhere},
    {"clone3_child", clone3_child}, {"spawn_program", spawn_program}, {"shell", shell}, {"run_program", run_program},
    {"run_descriptor", run_descriptor}, {"trace_host", trace_host}, {"trace_me", trace_me}, {"read_host", read_host},
    {"write_host", write_host}, {"host_memory", host_memory}, {"host_maps", host_maps},
    {"host_environment", host_environment}, {"host_command", host_command}, {"host_descriptors", host_descriptors},
    {"host_descriptor", host_descriptor}, {"host_root", host_root}, {"own_memory", own_memory},
    {"own_settings", own_settings}, {"signal_host", signal_host}, {"signal_group", signal_group},
    {"signal_group_named", signal_group_named}, {"signal_all", signal_all}, {"signal_init", signal_init},
    {"signal_high", signal_high}, {"tgkill_host", tgkill_host}, {"tkill_host", tkill_host}, {"queue_host", queue_host},
    {"queue_host_thread", queue_host_thread}, {"pidfd_host", pidfd_host}, {"owner_host", owner_host},
    {"owner_host_ex", owner_host_ex}, {"owner_host_ioctl", owner_host_ioctl}, {"signal_driven", signal_driven},
    {"signal_chosen", signal_chosen}, {"pipe_size", pipe_size}, {"type_in_terminal", type_in_terminal},
    {"type_in_terminal_high", type_in_terminal_high}, {"pgid", pgid}, {"session", session}, {"host_group", host_group},
    {"host_session", host_session}, {"read_priority", read_priority},
    {"host_priority", host_priority}, {"user_priority", user_priority}, {"host_affinity", host_affinity},
    {"move_host", move_host}, {"host_scheduler", host_scheduler}, {"host_policy", host_policy},
    {"host_limits", host_limits},
    {"set_limits", set_limits}, {"host_time", host_time}, {"host_clocks", host_clocks}, {"host_timer", host_timer},
    {"timer_to_host", timer_to_host}, {"host_futexes", host_futexes},
    {"compare_host", compare_host}, {"host_io_priority", host_io_priority}, {"outlive_host", outlive_host},
    {"dumpable", dumpable}, {"environment", environment}, {"environment_left", environment_left},
    {"inherited", inherited}, {NULL, NULL},
};
