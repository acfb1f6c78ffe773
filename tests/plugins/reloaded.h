/* reloaded.h: contract reloaded 1.0: a plugin that says which of many builds it is, for tests of reload. */
#ifndef RELOADED_H
#define RELOADED_H
#include <stdbool.h>

#include "loader/plugin.h"

LOADER_CONTRACT(reloaded, 1, 0);

LOADER_BEGIN_C

/* What the application does in the middle of a call. */
typedef struct reloaded_app reloaded_app;
struct reloaded_app {
    size_t size;
    int (*back)(loader_call *call, const reloaded_app *self);
};
LOADER_SERVICE("reloaded.app/1", reloaded_app);

/* Which build it is: four digits. */
LOADER_EXPORT int build(loader_call *call);
/* The same, after the application's service has returned. */
LOADER_EXPORT int through(loader_call *call);
/* How often this code was called. */
LOADER_EXPORT int times(loader_call *call, LOADER_OUT int64_t *count);
/* Adds one, in a function of numbers alone. */
LOADER_EXPORT int next_to(loader_call *call, double number, LOADER_OUT double *next);
LOADER_EXPORT int fail(loader_call *call, const loader_text *message);
/* Self-tests: builds with an 'F' do not pass the first, and give false in the second. */
LOADER_EXPORT int check(loader_call *call);
LOADER_EXPORT int sound(loader_call *call, LOADER_OUT bool *is_sound);
LOADER_OPTIONAL int extra(loader_call *call);

/* Adds up, and hands its state on to the next build. */
LOADER_CLASS(adder);
LOADER_EXPORT int adder_new(loader_call *call, LOADER_OUT adder **made);
LOADER_EXPORT int adder_add(loader_call *call, adder *self, int64_t more, LOADER_OUT int64_t *total);
LOADER_EXPORT int adder_build(loader_call *call, const adder *self);
LOADER_GIVES_BYTES LOADER_EXPORT int adder_export_state(loader_call *call, const adder *self);
LOADER_EXPORT int adder_import_state(loader_call *call, const loader_bytes *state, LOADER_OUT adder **made);
LOADER_EXPORT void adder_free(adder *self);

LOADER_END_C

#endif /* RELOADED_H */
