/* A contract whose function calls a service that the host may make of the function itself. */
#ifndef RECURSIVE_H
#define RECURSIVE_H
#include "loader/plugin.h"

LOADER_CONTRACT(recursive, 1, 0);
LOADER_BEGIN_C

LOADER_EXPORT int down(loader_call *call);

typedef struct recursive_again recursive_again;
struct recursive_again {
    size_t size;
    int (*again)(loader_call *call, const recursive_again *self);
};
LOADER_SERVICE("recursive.again/1", recursive_again);

LOADER_END_C
#endif
