/* unset.h: contract unset 1.0: results of every kind, none of which is set. */
#ifndef UNSET_H
#define UNSET_H

#include <stdbool.h>

#include "loader/plugin.h"

LOADER_CONTRACT(unset, 1, 0);

LOADER_BEGIN_C

typedef enum unset_mode { UNSET_NONE = 0, UNSET_SOME = 1 } unset_mode;
typedef enum unset_odd { UNSET_ONE = 1, UNSET_THREE = 3 } unset_odd;
typedef struct unset_point {
    double x, y;
} unset_point;
LOADER_LIST(unset_point);
typedef struct unset_sized {
    size_t size;
    int32_t count;
    loader_text name;
    unset_point at;
} unset_sized;
LOADER_CLASS(unset_thing);

LOADER_EXPORT int numbers(loader_call *call, int32_t a, LOADER_OUT int64_t *wide, LOADER_OUT uint8_t *small,
                          LOADER_OUT double *real, LOADER_OUT float *narrow, LOADER_OUT bool *flag,
                          LOADER_OUT unset_mode *mode);
LOADER_EXPORT int memory(loader_call *call, int32_t a, LOADER_OUT loader_text *text, LOADER_OUT loader_bytes *bytes,
                         LOADER_OUT loader_i16s *array, LOADER_OUT unset_point_list *points);
LOADER_EXPORT int point(loader_call *call, int32_t a, LOADER_OUT unset_point *point);
LOADER_EXPORT int sized(loader_call *call, int32_t a, LOADER_OUT unset_sized *sized);
LOADER_GIVES_TEXT LOADER_EXPORT int both(loader_call *call, int32_t a, LOADER_OUT int64_t *number);
LOADER_EXPORT int no_zero(loader_call *call, int32_t a, LOADER_OUT unset_odd *mode);
LOADER_EXPORT int arrow(loader_call *call, int32_t a, LOADER_OUT loader_arrow *values);
LOADER_EXPORT int unset_thing_new(loader_call *call, int32_t a, LOADER_OUT unset_thing **thing);
LOADER_EXPORT void unset_thing_free(unset_thing *thing);
/* Writes over much of the stack, where room for results may be. */
LOADER_EXPORT int fill(loader_call *call, int32_t a);

LOADER_END_C

#endif
