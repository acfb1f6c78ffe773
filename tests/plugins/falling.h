/* falling.h: contract falling 1.0, for tests: a plugin whose process ends, hangs or goes on as it is told. */
#ifndef FALLING_H
#define FALLING_H

#include "loader/plugin.h"

LOADER_CONTRACT(falling, 1, 0);

LOADER_BEGIN_C

LOADER_EXPORT int add(loader_call *call, int64_t a, int64_t b, LOADER_OUT int64_t *sum);

/* Appends `number` to a file, 8 bytes in one write, and gives twice of it: what was done can be counted. */
LOADER_EXPORT int note(loader_call *call, const loader_text *path, int64_t number, LOADER_OUT int64_t *twice);

/* abort, read, exit, quit, overflow: ends the process. hang: never returns, and asks nothing. stop: until it is told
 * to stop. memory: takes memory until there is no more. print: a line to stdout, one to stderr, one without an end.
 * Any other text is written. */
LOADER_EXPORT int fall(loader_call *call, const loader_text *how);

/* Works for about `rounds` nanoseconds, alone in its process with -DALONE. */
LOADER_EXPORT int work(loader_call *call, int64_t rounds, LOADER_OUT int64_t *sum);

/* Ignores SIGTERM from now on. */
LOADER_EXPORT int deaf(loader_call *call);

/* Asks falling.host/1, then goes on as fall(how). */
LOADER_EXPORT int back(loader_call *call, const loader_text *how);

typedef struct falling_host falling_host;
struct falling_host {
    size_t size;
    int (*answer)(loader_call *call, const falling_host *self, int64_t number, LOADER_OUT int64_t *twice);
};
LOADER_SERVICE("falling.host/1", falling_host);

LOADER_END_C

#endif /* FALLING_H */
