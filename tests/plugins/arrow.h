/* arrow.h: contract arrow 1.0, for what passes as Arrow's C data interface. */
#ifndef ARROW_H
#define ARROW_H

#include "loader/plugin.h"

LOADER_CONTRACT(arrow, 1, 0);

LOADER_BEGIN_C

/* The sum of an array of int64 without nulls. Fails for any other type. */
LOADER_EXPORT int sum(loader_call *call, const loader_arrow *values, LOADER_OUT int64_t *total);
/* Its length, null_count, offset, n_children and format, whatever it is. */
LOADER_EXPORT int look(loader_call *call, const loader_arrow *values);
/* The same, but a service is called in the middle. */
LOADER_EXPORT int look_twice(loader_call *call, const loader_arrow *values);
/* 0, 1, 2, … as int64. */
LOADER_EXPORT int count_up(loader_call *call, int64_t count, LOADER_OUT loader_arrow *values);
/* Two of them, and what is written. */
LOADER_GIVES_TEXT LOADER_EXPORT int two(loader_call *call, LOADER_OUT loader_arrow *first, LOADER_OUT int32_t *number,
                                        LOADER_OUT loader_arrow *second);
/* Goes wrong by its number; see arrow.c. */
LOADER_EXPORT int badly(loader_call *call, int32_t how, LOADER_OUT loader_arrow *values);
/* Fills `values`, and gives text that is no UTF-8. */
LOADER_EXPORT int spoilt(loader_call *call, LOADER_OUT loader_text *text, LOADER_OUT loader_arrow *values);
/* How many structs there are that count_up and its like made and nobody has released; and how often a release came
 * a second time. */
LOADER_EXPORT int alive(loader_call *call, LOADER_OUT int64_t *count, LOADER_OUT int64_t *twice);

typedef struct arrow_middle arrow_middle;
struct arrow_middle {
    size_t size;
    int (*pause)(loader_call *call, const arrow_middle *self);
};
LOADER_SERVICE("arrow.middle/1", arrow_middle);

LOADER_END_C

#endif
