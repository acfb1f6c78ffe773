/* The order in which a worker gives things up, and the parts that are one call: descriptors, environment,
 * no_new_privs. The order matters: namespaces need capabilities, Landlock and seccomp need no_new_privs, and seccomp
 * comes last because it refuses what the others call. */
#define _GNU_SOURCE
#include "confine_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

const char *const confine_part_name[CONFINE_PARTS] = {
    "no_new_privs", "landlock", "seccomp", "rlimits", "descriptors", "environment", "namespaces", "capabilities",
    "network",
};

void confine_holds(struct confined *result, enum confine_part part)
{
    result->engaged |= (uint32_t)part;
    result->missing &= ~(uint32_t)part;
}

void confine_remark(struct confined *result, enum confine_part part, const char *what, int error)
{
    char *why = result->why[__builtin_ctz((unsigned)part)];
    if (why[0] != '\0') return;
    if (error != 0)
        (void)snprintf(why, CONFINE_WHY, "%s: %s", what, strerror(error));
    else
        (void)snprintf(why, CONFINE_WHY, "%s", what);
}

void confine_lacks(struct confined *result, enum confine_part part, const char *what, int error)
{
    confine_remark(result, part, what, error);
    result->engaged &= ~(uint32_t)part;
    result->missing |= (uint32_t)part;
}

/* sendto may give a datagram another address, and so reach every unix socket of the machine. */
static bool leads_elsewhere(int descriptor)
{
    int domain, type;
    socklen_t size = sizeof domain;
    if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return false;
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_DGRAM;
}

/* The lowest descriptor to keep that is not below `from`; -1: none. */
static int next_kept(const struct confinement *wanted, int from)
{
    int next = -1;
    for (size_t i = 0; i < wanted->keep_count; i++)
        if (wanted->keep[i] >= from && (next < 0 || wanted->keep[i] < next)) next = wanted->keep[i];
    return next;
}

/* Kernels before 5.9 have no close_range. */
static int close_one_by_one(int first, unsigned last)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    rlim_t end = limit.rlim_max < (1 << 20) ? limit.rlim_max : (1 << 20);
    for (int descriptor = first; (rlim_t)descriptor < end && (unsigned)descriptor <= last; descriptor++)
        (void)close(descriptor);
    return 0;
}

static void close_descriptors(const struct confinement *wanted, struct confined *result)
{
    int first = 0, kept;
    do {
        kept = next_kept(wanted, first);
        unsigned last = kept < 0 ? ~0U : (unsigned)kept - 1;
        if (kept != first && syscall(SYS_close_range, first, last, 0) != 0 &&
            (errno != ENOSYS || close_one_by_one(first, last) != 0)) {
            confine_lacks(result, CONFINE_DESCRIPTORS, "close_range", errno);
            return;
        }
        first = kept + 1;
    } while (kept >= 0);
    confine_holds(result, CONFINE_DESCRIPTORS);
    for (size_t i = 0; i < wanted->keep_count; i++)
        if (leads_elsewhere(wanted->keep[i]))
            confine_lacks(result, CONFINE_DESCRIPTORS, "a kept one is a unix datagram socket, which reaches others", 0);
}

/* The strings lie on the stack, where a plugin would find them after clearenv, too. */
static void clear_environment(struct confined *result)
{
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
        memset(*variable, 0, strlen(*variable));
    if (clearenv() != 0)
        confine_lacks(result, CONFINE_ENVIRONMENT, "clearenv", errno);
    else
        confine_holds(result, CONFINE_ENVIRONMENT);
}

static void forbid_new_privileges(struct confined *result)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        confine_lacks(result, CONFINE_NO_NEW_PRIVS, "prctl(PR_SET_NO_NEW_PRIVS)", errno);
    else
        confine_holds(result, CONFINE_NO_NEW_PRIVS);
}

static bool makes_sense(const struct confinement *wanted)
{
    for (size_t i = 0; i < wanted->keep_count; i++)
        if (wanted->keep[i] < 0) return false;
    return (wanted->read_count == 0 || wanted->read != NULL) && (wanted->write_count == 0 || wanted->write != NULL) &&
           (wanted->library_count == 0 || wanted->libraries != NULL);
}

/* unshare(CLONE_THREAD) does nothing in a process of one thread, and is EINVAL in others. Containers refuse unshare
 * altogether; there, the folder of threads has a link for each, and two of its own. */
static bool has_threads(void)
{
    struct stat threads;
    if (unshare(CLONE_THREAD) == 0) return false;
    return errno == EINVAL || (stat("/proc/self/task", &threads) == 0 && threads.st_nlink > 3);
}

static bool wants(const struct confinement *wanted, enum confine_part part)
{
    return (wanted->without & (uint32_t)part) == 0;
}

int confine(const struct confinement *wanted, struct confined *result)
{
    memset(result, 0, sizeof *result);
    if (!makes_sense(wanted)) {
        errno = EINVAL;
        return -1;
    }
    if (has_threads()) {
        errno = EBUSY;
        return -1;
    }
    bool root = geteuid() == 0, own_user = false, own_network = false; /* in a user namespace, root is another number */
    if (wants(wanted, CONFINE_ENVIRONMENT)) clear_environment(result);
    if (wants(wanted, CONFINE_DESCRIPTORS)) close_descriptors(wanted, result);
    if (wants(wanted, CONFINE_NAMESPACES)) confine_namespaces(wanted, result, &own_user, &own_network);
    if (wants(wanted, CONFINE_RLIMITS)) confine_limits(wanted, result, own_user && !root);
    if (wants(wanted, CONFINE_CAPABILITIES)) confine_capabilities(result);
    if (wants(wanted, CONFINE_NO_NEW_PRIVS)) forbid_new_privileges(result);
    if (wants(wanted, CONFINE_LANDLOCK)) confine_landlock(wanted, result);
    if (wants(wanted, CONFINE_DESCRIPTORS) && chdir("/") != 0) /* after Landlock's rules: their paths may be relative */
        confine_lacks(result, CONFINE_DESCRIPTORS, "chdir(\"/\")", errno);
    if (wants(wanted, CONFINE_SECCOMP)) confine_seccomp(wanted, result);
    if (!wanted->network && wants(wanted, CONFINE_NETWORK)) {
        if (own_network || (result->engaged & CONFINE_SECCOMP) != 0)
            confine_holds(result, CONFINE_NETWORK);
        else
            confine_lacks(result, CONFINE_NETWORK, "neither seccomp nor a network namespace", 0);
    }
    return 0;
}
