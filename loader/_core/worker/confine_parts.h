/* The parts of confine(), for its own files only. */
#ifndef LOADER_WORKER_CONFINE_PARTS_H
#define LOADER_WORKER_CONFINE_PARTS_H

#include "confine.h"

/* A part holds. What was said about it before stays as a remark. */
void confine_holds(struct confined *result, enum confine_part part);
/* A part is missing: `what` failed with `error` (an errno, 0: none). */
void confine_lacks(struct confined *result, enum confine_part part, const char *what, int error);
/* Something worth telling of a part that may hold all the same. The first remark stays. */
void confine_remark(struct confined *result, enum confine_part part, const char *what, int error);

void confine_namespaces(const struct confinement *wanted, struct confined *result, bool *own_user, bool *own_network);
void confine_capabilities(struct confined *result);
void confine_limits(const struct confinement *wanted, struct confined *result, bool counts_threads);
void confine_landlock(const struct confinement *wanted, struct confined *result);
void confine_seccomp(const struct confinement *wanted, struct confined *result);

#endif
