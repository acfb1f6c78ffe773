/* crumb.h: whose function this thread is in, for whoever looks when the process dies. Plain C: no Python.
 *
 * A breadcrumb is kept by storing pointers, nothing else, so that it costs next to nothing on a call. It lies in
 * memory of the thread's own and not on the stack, which is the first thing that a plugin that overruns a buffer
 * destroys. crash_line.c reads it in a signal handler.
 */
#ifndef LOADER_CRUMB_H
#define LOADER_CRUMB_H

#include <stddef.h>

struct core_owner;

/* One function that a thread may be in. */
typedef struct core_step {
    const char *name; /* of the function; lives as long as any call of it */
    int in_document;  /* core_crumb.offset tells where in a document the call arose */
} core_step;

typedef struct core_crumb {
    struct core_owner *owner; /* whose function runs; NULL: none */
    const core_step *step;    /* which one; NULL: it is in a service of the host now */
    size_t offset;            /* bytes from the start of the document */
    unsigned armed;           /* crash.c: the thread has its stack for signal handlers */
    volatile int dying;       /* crash.c: a handler runs on this thread */
} core_crumb;

#endif /* LOADER_CRUMB_H */
