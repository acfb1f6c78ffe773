/* values.h: contract values 1.0: numbers, arrays, lists and structs, in and out, for tests. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>

#include "loader/plugin.h"

LOADER_CONTRACT(values, 1, 0);

LOADER_BEGIN_C

typedef enum values_mode { VALUES_FAST = 0, VALUES_BEST = 1, VALUES_LAST = -7 } values_mode;

typedef struct values_point {
    double x, y;
} values_point;

LOADER_LIST(values_point);

/* With padding, and all that NumPy has a type for. */
typedef struct values_sample {
    int8_t kind;
    double at;
    values_point where[2];
    bool good;
    values_mode mode;
    uint16_t bits;
    float weight;
} values_sample;
LOADER_LIST(values_sample);

/* With text, which NumPy has none for. */
typedef struct values_entry {
    loader_text name;
    int64_t count;
} values_entry;
LOADER_LIST(values_entry);

typedef struct values_stats {
    size_t size;
    double mean;
    float deviation;
    int64_t count;
    values_point peak;
    int16_t histogram[3];
    values_point corners[2];
    values_mode mode;
    bool good;
    loader_text name;
} values_stats;

/* scaled = value * factor */
LOADER_EXPORT int scale(loader_call *call, double value, float factor, LOADER_OUT double *scaled);
LOADER_EXPORT int product(loader_call *call, double a, double b, LOADER_OUT double *product);
LOADER_EXPORT int narrow(loader_call *call, float value, LOADER_OUT float *same);
/* Registers of both classes, and places on the stack. */
LOADER_EXPORT int mixed(loader_call *call, int8_t a, double x, int64_t b, float y, int32_t c, uint8_t d, double z,
                        int64_t e, int16_t f, float w, LOADER_OUT double *sum);
LOADER_EXPORT int crowd(loader_call *call, double a, double b, double c, double d, double e, double f, double g,
                        float h, int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n, int8_t o,
                        LOADER_OUT double *sum);
/* Writes its arguments. */
LOADER_EXPORT int show(loader_call *call, double a, int32_t b, const loader_text *c, float d);
LOADER_EXPORT int divide(loader_call *call, int64_t a, int64_t b, LOADER_OUT int64_t *quotient,
                         LOADER_OUT int64_t *rest);
/* A result stands before the parameters. */
LOADER_EXPORT int first(loader_call *call, LOADER_OUT uint8_t *low, int64_t value, LOADER_OUT uint16_t *high);
LOADER_EXPORT int choose(loader_call *call, values_mode mode, bool flag, LOADER_OUT values_mode *same,
                         LOADER_OUT bool *other);
/* Gives what is no member of the enum, and no bool. */
LOADER_EXPORT int wrong_mode(loader_call *call, int32_t value, LOADER_OUT values_mode *mode);
LOADER_EXPORT int wrong_bool(loader_call *call, uint8_t value, LOADER_OUT bool *flag);

LOADER_EXPORT int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, LOADER_OUT double *product);
LOADER_EXPORT int gain(loader_call *call, loader_f32s *samples, float factor);
LOADER_EXPORT int total_i8(loader_call *call, const loader_i8s *of, LOADER_OUT int64_t *total);
LOADER_EXPORT int total_u16(loader_call *call, const loader_u16s *of, LOADER_OUT int64_t *total);
LOADER_EXPORT int total_i64(loader_call *call, const loader_i64s *of, LOADER_OUT int64_t *total);
LOADER_EXPORT int length(loader_call *call, const loader_u8s *of, LOADER_OUT uint64_t *size);
LOADER_EXPORT int join(loader_call *call, const loader_texts *words, const loader_text *separator);
LOADER_EXPORT int ramp(loader_call *call, int64_t count, LOADER_OUT loader_f64s *values);
/* Two arrays of one piece of memory, which begin and end inside of it. */
LOADER_EXPORT int halves(loader_call *call, int64_t count, LOADER_OUT loader_i32s *low, LOADER_OUT loader_i32s *high);
/* how: 0 nothing is set; 1 memory of the plugin's own; 2 longer than the memory; 3 a size that overflows; 4 not aligned;
 * 5 fails after it allocated; 6 empty, with memory; 7 NULL and not empty */
LOADER_EXPORT int careless(loader_call *call, int32_t how, LOADER_OUT loader_f64s *values);

LOADER_EXPORT int centre(loader_call *call, const values_point_list *points, LOADER_OUT values_point *centre);
LOADER_EXPORT int move(loader_call *call, values_point_list *points, double by);
LOADER_EXPORT int circle(loader_call *call, int64_t count, LOADER_OUT values_point_list *points);
LOADER_EXPORT int samples(loader_call *call, const values_sample_list *given, LOADER_OUT values_sample_list *same);
LOADER_EXPORT int entries(loader_call *call, const values_entry_list *given, LOADER_OUT values_entry_list *doubled);
/* Writes what a tensor is: shape, strides, code, bits; and the sum of its elements, which are float or double. */
LOADER_EXPORT int shape(loader_call *call, const loader_tensor *tensor);
LOADER_EXPORT int sum(loader_call *call, const loader_tensor *tensor, LOADER_OUT double *sum);
/* result = tensor + by, element by element, of doubles of one shape */
LOADER_EXPORT int add(loader_call *call, const loader_tensor *tensor, double by, loader_tensor *result);

LOADER_EXPORT int describe(loader_call *call, const loader_f64s *values, LOADER_OUT values_stats *stats);
LOADER_EXPORT int back(loader_call *call, const values_stats *stats, LOADER_OUT values_stats *same);
LOADER_EXPORT int text_of(loader_call *call, int32_t how, LOADER_OUT loader_text *text);
LOADER_EXPORT int bytes_of(loader_call *call, int64_t size, LOADER_OUT loader_bytes *bytes);
LOADER_GIVES_TEXT LOADER_EXPORT int both(loader_call *call, const loader_text *text, LOADER_OUT uint64_t *size);
LOADER_GIVES_BYTES LOADER_EXPORT int both_bytes(loader_call *call, const loader_text *text, LOADER_OUT uint64_t *size);
/* Service "values.world/1": what passes through a table, both ways. */
typedef struct values_world values_world;
struct values_world {
    size_t size;
    int (*mean)(loader_call *call, const values_world *world, const loader_f64s *of, LOADER_OUT double *mean);
    int (*mix)(loader_call *call, const values_world *world, float a, int32_t b, double c, values_mode mode,
               bool flag, double e, LOADER_OUT double *sum, LOADER_OUT values_mode *same, LOADER_OUT bool *other,
               LOADER_OUT float *narrow, LOADER_OUT uint16_t *small);
    int (*crowd)(loader_call *call, const values_world *world, double a, double b, double c, double d, double e, double f,
                 double g, float h, int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n, int8_t o,
                 LOADER_OUT double *sum);
    int (*words)(loader_call *call, const values_world *world, const loader_texts *words, LOADER_OUT loader_text *joined,
                 LOADER_OUT loader_bytes *bytes);
    int (*trail)(loader_call *call, const values_world *world, const values_point_list *points,
                 LOADER_OUT values_point_list *back);
    int (*numbers)(loader_call *call, const values_world *world, int64_t count, LOADER_OUT loader_f64s *numbers,
                   LOADER_OUT loader_i16s *more);
    int (*stats)(loader_call *call, const values_world *world, const values_stats *given, LOADER_OUT values_stats *back);
};
LOADER_SERVICE("values.world/1", values_world);

/* Each asks the service's function of that name, and gives what that gave. */
LOADER_EXPORT int ask_mean(loader_call *call, const loader_f64s *of, LOADER_OUT double *mean);
LOADER_EXPORT int ask_mix(loader_call *call, float a, int32_t b, double c, int32_t mode, uint8_t flag,
                          LOADER_OUT double *sum, LOADER_OUT values_mode *same, LOADER_OUT bool *other,
                          LOADER_OUT float *narrow, LOADER_OUT uint16_t *small);
LOADER_EXPORT int ask_crowd(loader_call *call, LOADER_OUT double *sum);
LOADER_GIVES_BYTES LOADER_EXPORT int ask_words(loader_call *call, const loader_texts *words, LOADER_OUT loader_text *joined);
LOADER_EXPORT int ask_trail(loader_call *call, const values_point_list *points, LOADER_OUT values_point_list *back);
LOADER_EXPORT int ask_numbers(loader_call *call, int64_t count, LOADER_OUT double *sum, LOADER_OUT int64_t *more);
LOADER_EXPORT int ask_stats(loader_call *call, const values_stats *given, LOADER_OUT values_stats *back);
/* Passes arrays that are none: 0 NULL and not empty, 1 of more bytes than memory has, 2 NULL for a parameter, 3 NULL for a
 * result, 4 a value that the enum does not have */
LOADER_EXPORT int ask_wrongly(loader_call *call, int32_t how, LOADER_OUT double *mean);

/* Writes, which its declaration does not say. */
LOADER_EXPORT int writes_too(loader_call *call, LOADER_OUT uint64_t *size);
/* Fails, or stops, with the result set. */
LOADER_EXPORT int fails(loader_call *call, double a, LOADER_OUT double *result);
LOADER_EXPORT int waits(loader_call *call, double a, LOADER_OUT double *result);

LOADER_END_C

#endif /* VALUES_H */
