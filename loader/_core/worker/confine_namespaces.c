/* Namespaces of the worker's own. Not a PID namespace: unshare gives it to children only, and threads are then refused.
 *
 * The network namespace has no device at all, so that abstract unix sockets and localhost are out of reach even where
 * seccomp is missing. The mount namespace changes nothing by itself; it is there so that no mount of a later exploit
 * shows outside. */
#define _GNU_SOURCE
#include "confine_parts.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

static const struct {
    int flag;
    const char *name;
} KINDS[] = {
    {CLONE_NEWNET, "network namespace"}, {CLONE_NEWIPC, "IPC namespace"},       {CLONE_NEWUTS, "UTS namespace"},
    {CLONE_NEWNS, "mount namespace"},    {CLONE_NEWCGROUP, "cgroup namespace"},
};

void confine_namespaces(const struct confinement *wanted, struct confined *result, bool *own_user, bool *own_network)
{
    int all = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP;
    if (!wanted->network) all |= CLONE_NEWNET;
    /* As root the user namespace would only give capabilities back. Others can have no namespace without it. */
    *own_user = geteuid() != 0 && unshare(CLONE_NEWUSER | all) == 0;
    *own_network = *own_user && !wanted->network;
    if (*own_user || unshare(all) == 0) {
        *own_network = !wanted->network;
        confine_holds(result, CONFINE_NAMESPACES);
        return;
    }
    /* Root of a container, or a kernel without one kind: take what there is. */
    *own_user = unshare(CLONE_NEWUSER) == 0;
    if (!*own_user) confine_lacks(result, CONFINE_NAMESPACES, "user namespace", errno);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if ((KINDS[i].flag & all) == 0) continue;
        if (unshare(KINDS[i].flag) != 0)
            confine_lacks(result, CONFINE_NAMESPACES, KINDS[i].name, errno);
        else if (KINDS[i].flag == CLONE_NEWNET)
            *own_network = true;
    }
    if ((result->missing & CONFINE_NAMESPACES) == 0) confine_holds(result, CONFINE_NAMESPACES);
}
