/* fatal.h: contract fatal 1.0, for tests: a plugin that dies, or changes the state of the process, as it is told. */
#ifndef FATAL_H
#define FATAL_H

#include "loader/plugin.h"

LOADER_CONTRACT(fatal, 1, 0);

LOADER_BEGIN_C

/* Dies of `kind`: read, write, jump, abort, divide, bus, illegal, overflow, or goes on with any other text, which
 * it writes. */
LOADER_EXPORT int die(loader_call *call, const loader_text *kind);

/* The same, on a thread that the plugin starts. */
LOADER_EXPORT int die_elsewhere(loader_call *call, const loader_text *kind);

/* Destroys the stack above itself, then reads what is not there. */
LOADER_EXPORT int smash(loader_call *call);

/* Calls the service fatal.host/1, which is to call a plugin or to die itself, then dies of `kind`. */
LOADER_EXPORT int back(loader_call *call, const loader_text *kind);

/* Changes `what`: rounding, flush, handler, mask, umask, folder, locale, environment, descriptor, thread. */
LOADER_EXPORT int change(loader_call *call, const loader_text *what);

/* Never returns: sleeps in pieces. */
LOADER_EXPORT int stay(loader_call *call);

/* A text to be given back; for engines and threads. */
LOADER_EXPORT int echo(loader_call *call, const loader_text *text);

typedef struct fatal_host fatal_host;
struct fatal_host {
    size_t size;
    int (*run)(loader_call *call, const fatal_host *self);
};
LOADER_SERVICE("fatal.host/1", fatal_host);

LOADER_END_C

#endif /* FATAL_H */
