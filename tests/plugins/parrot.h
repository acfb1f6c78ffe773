/* parrot.h: contract parrot 2.1, for tests: a second contract in one file, and one that has grown. */
#ifndef PARROT_H
#define PARROT_H

#include "loader/plugin.h"

LOADER_CONTRACT(parrot, 2, 1);

LOADER_BEGIN_C

/* Writes `text` as often as `times` says. */
LOADER_EXPORT int repeat(loader_call *call, const loader_text *text, uint8_t times);

/* Since 2.1: writes `text` in capital letters. */
LOADER_OPTIONAL int shout(loader_call *call, const loader_text *text);

LOADER_END_C

#endif /* PARROT_H */
