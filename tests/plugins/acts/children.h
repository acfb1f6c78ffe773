/* Acts that make a new process, for acts.c; process.h lists them. */
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

#define ACT(name) static bool name(const char *argument, size_t size)
#define UNUSED (void)argument, (void)size

static bool ended(pid_t child)
{
    if (child > 0) (void)waitpid(child, NULL, 0);
    return child > 0;
}

ACT(act_fork)
{
    UNUSED;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return ended(child);
}

ACT(libc_fork)
{
    UNUSED;
    pid_t child = fork();
    if (child == 0) _exit(0);
    return ended(child);
}

ACT(shared_child) /* as vfork: a process with this memory */
{
    UNUSED;
    static char stack[16384] __attribute__((aligned(16)));
    extern int act_child(void *);
    pid_t child = clone(act_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    return ended(child);
}

__attribute__((visibility("hidden"))) int act_child(void *nothing) { return nothing != NULL; }

ACT(sibling) /* a child of the host */
{
    UNUSED;
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child > 0;
}

ACT(silent_child) /* whose end nobody is told of */
{
    UNUSED;
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FS | CLONE_FILES, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    if (child > 0) (void)waitpid(child, NULL, __WALL);
    return child > 0;
}

ACT(thread_elsewhere) /* in namespaces of its own; with CLONE_FS that is an error */
{
    UNUSED;
    long flags = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWNS | CLONE_FS;
    return reached(syscall(SYS_clone, flags, 0, 0, 0, 0));
}

ACT(clone3_child)
{
    UNUSED;
    uint64_t given[8] = {[4] = SIGCHLD};
    pid_t child = (pid_t)syscall(435, given, sizeof given);
    if (child == 0) _exit(0);
    return ended(child);
}

ACT(spawn_program)
{
    UNUSED;
    pid_t child;
    char *const arguments[] = {(char[]){"true"}, NULL}, *const environment[] = {NULL};
    return posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment) == 0 && ended(child);
}

ACT(shell) { return UNUSED, system("true") == 0; }
ACT(run_program) { return UNUSED, reached(syscall(SYS_execve, "/bin/true", 1L, 1L)); }
ACT(run_descriptor) { return UNUSED, reached(syscall(SYS_execveat, -1, "", 1L, 1L, AT_EMPTY_PATH)); }
