/* process.c: a child that does not outlive its parent. See process.h. */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "process/process.h"

#if defined(__linux__)
#  include <signal.h>
#  include <sys/prctl.h>
#  include <unistd.h>

int process_ends_with(long parent)
{
    /* SIGKILL: the plugin that runs may ignore all others. A parent that ended before this call sends none. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return getppid() != (pid_t)parent;
}
#else
int process_ends_with(long parent)
{
    (void)parent;
    return 0;
}
#endif
