/* serving.h: contract serving 1.0, whose one function calls a service again and again. */
#ifndef SERVING_H
#define SERVING_H

#include "loader/plugin.h"

LOADER_CONTRACT(serving, 1, 0);

LOADER_BEGIN_C
typedef struct serving_app serving_app;
struct serving_app {
    size_t size;
    int (*work)(loader_call *call, const serving_app *self);
};
LOADER_SERVICE("serving.app/1", serving_app);

LOADER_EXPORT int serve(loader_call *call, int64_t times);
LOADER_END_C

#endif /* SERVING_H */
