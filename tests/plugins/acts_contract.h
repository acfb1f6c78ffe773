/* A contract for the acts of acts.c, so that they run in a worker as any plugin does. */
#ifndef ACTS_CONTRACT_H
#define ACTS_CONTRACT_H
#include "loader/plugin.h"

LOADER_CONTRACT(acts_contract, 1, 0);
LOADER_BEGIN_C

/* 1: it was done, 0: not, -1: there is no such act. */
LOADER_EXPORT int called(loader_call *call, const loader_text *name, int64_t size, LOADER_OUT int32_t *done);
/* The same, in a thread that the constructor started. */
LOADER_EXPORT int in_thread(loader_call *call, const loader_text *name, int64_t size, LOADER_OUT int32_t *done);
/* What the constructor's act number `index` came to. */
LOADER_EXPORT int at_load(loader_call *call, int64_t index, LOADER_OUT int32_t *done);
/* Writes the name of act number `index`; nothing: there are no more. */
LOADER_EXPORT int name_of(loader_call *call, int64_t index);

LOADER_END_C
#endif
