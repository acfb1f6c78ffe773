/* every.h: contract every 2.3: what a header can say, and names that are hard in some language. */
#ifndef EVERY_H
#define EVERY_H

#include <stdbool.h>

#include "loader/plugin.h"

LOADER_CONTRACT(every, 2, 3);
LOADER_FINGERPRINT(every, 2, 3, 0x70bd0c791fabd761);
LOADER_NEEDS(3);

LOADER_BEGIN_C

typedef enum every_colour {
    EVERY_COLOUR_RED = -1,
    EVERY_COLOUR_NONE = 0,
    EVERY_COLOUR_GREEN = 4,
    EVERY_COLOUR_ALSO_GREEN = 4
} every_colour;
typedef enum every_kind { PLAIN, TYPE = 7 } every_kind;

typedef struct every_name {
    loader_text first;
    loader_bytes mark;
    bool known;
    every_colour colour;
} every_name;

typedef struct every_cell {
    int8_t type;
    uint16_t self;
    int32_t counts[3];
    double match[40];
} every_cell;

typedef struct every_options {
    size_t size;
    bool strict;
    every_kind kind;
    every_name name;
    every_cell cells[2];
    float weight;
} every_options;

LOADER_LIST(every_name);
LOADER_LIST(every_cell);

/* A table of the application's.
 * Its second line ends with a backslash \ */
typedef struct every_lookup {
    size_t size;
    /* What is known of `key`. */
    int (*find)(loader_call *call, const struct every_lookup *self, const loader_text *key, LOADER_OUT int64_t *number,
                bool exact, LOADER_OUT loader_text *text);
    int (*sum)(loader_call *call, const struct every_lookup *self, const loader_f64s *values, LOADER_OUT double *sum);
    int (*options)(loader_call *call, const struct every_lookup *self, const every_options *options,
                   const loader_texts *words, LOADER_OUT every_options *changed);
    int (*cells)(loader_call *call, const struct every_lookup *self, const every_cell_list *cells,
                 LOADER_OUT loader_i32s *counts, LOADER_OUT bool *any, LOADER_OUT every_colour *colour);
    int (*say)(loader_call *call, const struct every_lookup *self, float loud, uint8_t times);
} every_lookup;
LOADER_INTERFACE(every_lookup);

typedef struct every_store {
    size_t size;
    int (*get)(loader_call *call, const struct every_store *self, const loader_bytes *key, LOADER_OUT loader_bytes *value);
} every_store;
LOADER_SERVICE("every.store/1", every_store);

/* Numbers of all sizes, in an order that mixes them. */
LOADER_EXPORT int numbers(loader_call *call, int8_t a, float b, uint16_t c, LOADER_OUT uint64_t *sum, double d, int32_t e,
                          bool f, LOADER_OUT float *reals, unsigned long long g, every_colour h);
LOADER_EXPORT int colours(loader_call *call, every_colour colour, LOADER_OUT every_colour *other, every_kind kind,
                          LOADER_OUT bool *same);
LOADER_EXPORT int options(loader_call *call, const every_options *options, LOADER_OUT every_options *changed);
LOADER_EXPORT int names(loader_call *call, const every_name_list *names, const loader_bytes *type,
                        LOADER_OUT every_name *last, LOADER_OUT loader_text *all, LOADER_OUT loader_bytes *marks);
LOADER_EXPORT int cells(loader_call *call, every_cell_list *cells, LOADER_OUT every_cell_list *copies);
LOADER_EXPORT int integers(loader_call *call, const loader_i8s *a, const loader_u8s *b, loader_u16s *c, loader_i64s *d,
                           LOADER_OUT loader_u32s *e);
LOADER_GIVES_TEXT LOADER_EXPORT int both(loader_call *call, const loader_text *text, LOADER_OUT int32_t *size);
LOADER_EXPORT int lookup(loader_call *call, const every_lookup *lookup, const loader_text *key);
LOADER_EXPORT int stored(loader_call *call, const loader_bytes *key, LOADER_OUT loader_bytes *value);
LOADER_OPTIONAL int extra(loader_call *call, int64_t number, LOADER_OUT int64_t *twice);
LOADER_OPTIONAL int missing(loader_call *call);
LOADER_EXPORT int counted(loader_call *call, int64_t count, LOADER_OUT loader_arrow *numbers);
LOADER_EXPORT int summed(loader_call *call, const loader_arrow *numbers, LOADER_OUT double *sum, LOADER_OUT int64_t *nulls);
LOADER_EXPORT int panics(loader_call *call, const loader_text *text);

LOADER_CLASS(every_counter);
LOADER_EXPORT int every_counter_new(loader_call *call, int64_t start, LOADER_OUT every_counter **counter);
LOADER_EXPORT int every_counter_add(loader_call *call, every_counter *counter, const every_counter *other);
LOADER_EXPORT int every_counter_value(loader_call *call, const every_counter *counter, LOADER_OUT int64_t *value);
LOADER_EXPORT int every_counter_copy(loader_call *call, const every_counter *counter, LOADER_OUT every_counter **copy);
LOADER_EXPORT int every_counter_next(loader_call *call, every_counter *counter, LOADER_OUT int64_t *value,
                                     LOADER_OUT loader_text *text);
LOADER_EXPORT int every_counter_ask(loader_call *call, every_counter *counter, const every_lookup *lookup);
LOADER_EXPORT void every_counter_free(every_counter *counter);
LOADER_EXPORT int larger(loader_call *call, const every_counter *a, every_counter *b, LOADER_OUT int64_t *value);

LOADER_SHARED_CLASS(every_set);
LOADER_EXPORT int every_set_new(loader_call *call, LOADER_OUT every_set **set);
LOADER_EXPORT int every_set_put(loader_call *call, every_set *set, const loader_text *text);
LOADER_EXPORT int every_set_size(loader_call *call, const every_set *set, LOADER_OUT uint64_t *count);
LOADER_EXPORT void every_set_free(every_set *set);

LOADER_END_C

#endif /* EVERY_H */
