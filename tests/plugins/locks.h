/* locks.h: contract locks 1.0, for tests: what an ordinary thread-safe plugin does with its mutex, and what it must
 * not do. */
#ifndef LOCKS_H
#define LOCKS_H

#include "loader/plugin.h"

LOADER_CONTRACT(locks, 1, 0);

LOADER_BEGIN_C

/* Service "locks.app/1": the application does what it wants. */
typedef struct locks_app locks_app;
struct locks_app {
    size_t size;
    int (*work)(loader_call *call, const locks_app *app);
};

LOADER_SERVICE("locks.app/1", locks_app);

/* With the mutex: writes the text eight times; logs; asks loader_cancelled; fails, and fails again with other text. */
LOADER_EXPORT int fill(loader_call *call, const loader_text *text);
LOADER_EXPORT int note(loader_call *call, const loader_text *text);
LOADER_EXPORT int ask(loader_call *call);
LOADER_EXPORT int fail(loader_call *call);

/* With the mutex: writes how often it was called. */
LOADER_EXPORT int quick(loader_call *call);

/* Logs, calls the service, logs, and takes the mutex, for `milliseconds`. */
LOADER_EXPORT int serve(loader_call *call, int64_t milliseconds);

/* What is wrong: calls the service with the mutex. */
LOADER_EXPORT int serve_locked(loader_call *call);

/* Waits until `count` threads are in it, at most two seconds; writes "met" or "alone". */
LOADER_EXPORT int meet(loader_call *call, int64_t count);

/* The same, and promises never to block, which is a lie. */
LOADER_EXPORT int meet_promised(loader_call *call, int64_t count);

/* Promises never to block. Sleeps; calls the service if `serve` is not 0. */
LOADER_EXPORT int promised(loader_call *call, int64_t milliseconds, int64_t serve);

/* Works for `before` milliseconds, then asks loader_cancelled each millisecond, for `most`. Writes "end". */
LOADER_EXPORT int loop(loader_call *call, int64_t before, int64_t most);

/* Logs so many lines of `size` bytes, "<number> ...". */
LOADER_EXPORT int chatter(loader_call *call, int64_t count, int64_t size);

LOADER_END_C

#endif /* LOCKS_H */
