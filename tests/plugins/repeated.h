/* repeated.h: contract repeated 1.0, for tests: functions that note each call in a file and end their process in the
 * first ones. */
#ifndef REPEATED_H
#define REPEATED_H

#include "loader/plugin.h"

LOADER_CONTRACT(repeated, 1, 0);

LOADER_BEGIN_C

/* Adds a byte to a file; aborts while there are no more than `falls`, gives how many there are afterwards. */
LOADER_REPEATABLE LOADER_EXPORT int marked(loader_call *call, const loader_text *path, int64_t falls,
                                           LOADER_OUT int64_t *calls);
LOADER_EXPORT int plain(loader_call *call, const loader_text *path, int64_t falls, LOADER_OUT int64_t *calls);

/* The same, when a service of the host has been asked, and the host has asked this plugin for `plain` in it. */
LOADER_REPEATABLE LOADER_EXPORT int asked(loader_call *call, const loader_text *path, int64_t falls,
                                          LOADER_OUT int64_t *calls);

typedef struct repeated_host repeated_host;
struct repeated_host {
    size_t size;
    int (*answer)(loader_call *call, const repeated_host *self, int64_t number, LOADER_OUT int64_t *twice);
};
LOADER_SERVICE("repeated.host/1", repeated_host);

typedef struct tally tally;
LOADER_CLASS(tally);
LOADER_EXPORT int tally_new(loader_call *call, LOADER_OUT tally **made);
LOADER_EXPORT int tally_count(loader_call *call, tally *self, const loader_text *path, int64_t falls,
                              LOADER_OUT int64_t *calls);
LOADER_EXPORT void tally_free(tally *self);

LOADER_END_C

#endif /* REPEATED_H */
