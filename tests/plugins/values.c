/* values.c: what values.h declares. */
#include "values.h"

#include <stdlib.h>

LOADER_NEVER_BLOCKS(product);

int scale(loader_call *call, double value, float factor, double *scaled)
{
    (void)call;
    *scaled = value * (double)factor;
    return LOADER_OK;
}

int product(loader_call *call, double a, double b, double *result)
{
    (void)call;
    *result = a * b;
    return LOADER_OK;
}

int narrow(loader_call *call, float value, float *same)
{
    (void)call;
    *same = value;
    return LOADER_OK;
}

int mixed(loader_call *call, int8_t a, double x, int64_t b, float y, int32_t c, uint8_t d, double z, int64_t e,
          int16_t f, float w, double *sum)
{
    (void)call;
    *sum = a + 10 * x + 100 * (double)b + 1e3 * (double)y + 1e4 * c + 1e5 * d + 1e6 * z + 1e7 * (double)e + 1e8 * f +
           1e9 * (double)w;
    return LOADER_OK;
}

int crowd(loader_call *call, double a, double b, double c, double d, double e, double f, double g, float h, int64_t i,
          int64_t j, int64_t k, int64_t l, int64_t m, int64_t n, int8_t o, double *sum)
{
    (void)call;
    *sum = a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * (double)h +
           (double)(9 * i + 10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o);
    return LOADER_OK;
}

int show(loader_call *call, double a, int32_t b, const loader_text *c, float d)
{
    return loader_printf(call, "%g %d %.*s %g", a, (int)b, LOADER_PRINT(c), (double)d);
}

int divide(loader_call *call, int64_t a, int64_t b, int64_t *quotient, int64_t *rest)
{
    if (b == 0)
        return loader_fail(call, "division by zero");
    *quotient = a / b;
    *rest = a % b;
    return LOADER_OK;
}

int first(loader_call *call, uint8_t *low, int64_t value, uint16_t *high)
{
    (void)call;
    *low = (uint8_t)value;
    *high = (uint16_t)(value >> 8);
    return LOADER_OK;
}

int choose(loader_call *call, values_mode mode, bool flag, values_mode *same, bool *other)
{
    (void)call;
    *same = mode;
    *other = !flag;
    return LOADER_OK;
}

int wrong_mode(loader_call *call, int32_t value, values_mode *mode)
{
    (void)call;
    memcpy(mode, &value, sizeof value);
    return LOADER_OK;
}

int wrong_bool(loader_call *call, uint8_t value, bool *flag)
{
    (void)call;
    memcpy(flag, &value, 1);
    return LOADER_OK;
}

int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, double *result)
{
    double sum = 0;

    if (a->size != b->size)
        return loader_fail(call, "a has %zu numbers and b %zu", a->size, b->size);
    for (size_t i = 0; i < a->size; i++)
        sum += a->data[i] * b->data[i];
    *result = sum;
    return LOADER_OK;
}

int gain(loader_call *call, loader_f32s *samples, float factor)
{
    for (size_t i = 0; i < samples->size; i++)
        samples->data[i] *= factor;
    return loader_printf(call, "%zu", samples->size);
}

#define TOTAL(name, type)                                                                               \
    int name(loader_call *call, const type *of, int64_t *total)                                         \
    {                                                                                                   \
        (void)call;                                                                                     \
        for (size_t i = 0; i < of->size; i++)                                                           \
            *total += of->data[i];                                                                      \
        return LOADER_OK;                                                                               \
    }
TOTAL(total_i8, loader_i8s)
TOTAL(total_u16, loader_u16s)
TOTAL(total_i64, loader_i64s)

int length(loader_call *call, const loader_u8s *of, uint64_t *size)
{
    (void)call;
    *size = of->size;
    return LOADER_OK;
}

int join(loader_call *call, const loader_texts *words, const loader_text *separator)
{
    int status = LOADER_OK;

    for (size_t i = 0; status == LOADER_OK && i < words->size; i++) {
        if (i > 0)
            status = loader_write_text(call, separator);
        if (status == LOADER_OK)
            status = loader_write_text(call, &words->data[i]);
    }
    return status;
}

int ramp(loader_call *call, int64_t count, loader_f64s *values)
{
    values->data = (double *)loader_alloc_items(call, (size_t)count, sizeof *values->data);
    if (values->data == NULL)
        return LOADER_NO_MEMORY;
    values->size = (size_t)count;
    for (size_t i = 0; i < values->size; i++)
        values->data[i] = (double)i;
    return LOADER_OK;
}

int halves(loader_call *call, int64_t count, loader_i32s *low, loader_i32s *high)
{
    int32_t *memory = (int32_t *)loader_alloc_items(call, (size_t)count + 2, sizeof *memory);

    if (memory == NULL)
        return LOADER_NO_MEMORY;
    for (int32_t i = 0; i < count; i++)
        memory[i + 1] = i;
    *low = (loader_i32s){memory + 1, (size_t)count / 2};
    *high = (loader_i32s){memory + 1 + count / 2, (size_t)(count - count / 2)};
    return LOADER_OK;
}

int careless(loader_call *call, int32_t how, loader_f64s *values)
{
    static double own[4] = {1, 2, 3, 4};
    double *memory = (double *)loader_alloc(call, 4 * sizeof *memory);

    if (memory == NULL)
        return LOADER_NO_MEMORY;
    memcpy(memory, own, sizeof own);
    switch (how) {
    case 1: *values = (loader_f64s){own, 4}; break;
    case 2: *values = (loader_f64s){memory, 5}; break;
    case 3: *values = (loader_f64s){memory, SIZE_MAX / 8 + 2}; break;
    case 4: values->data = (double *)(void *)((char *)memory + 4); values->size = 1; break;
    case 5: *values = (loader_f64s){memory, 4}; return loader_fail(call, "on purpose");
    case 6: *values = (loader_f64s){memory, 0}; break;
    case 7: *values = (loader_f64s){NULL, 4}; break;
    default: break;
    }
    return LOADER_OK;
}

int describe(loader_call *call, const loader_f64s *values, values_stats *stats)
{
    double sum = 0;

    if (stats->size != sizeof *stats)
        return loader_fail(call, "the host's struct has %zu bytes", stats->size);
    for (size_t i = 0; i < values->size; i++) {
        sum += values->data[i];
        if (i == 0 || values->data[i] > stats->peak.y)
            stats->peak = (values_point){(double)i, values->data[i]};
    }
    stats->count = (int64_t)values->size;
    stats->mean = values->size == 0 ? 0 : sum / (double)values->size;
    stats->deviation = 0.5f;
    stats->histogram[1] = -7;
    stats->corners[1].x = 3;
    stats->mode = VALUES_BEST;
    stats->good = true;
    stats->name = (loader_text){"stats", 5};
    return LOADER_OK;
}

int back(loader_call *call, const values_stats *stats, values_stats *same)
{
    (void)call;
    *same = *stats;
    return LOADER_OK;
}

int text_of(loader_call *call, int32_t how, loader_text *text)
{
    char *memory = (char *)loader_alloc(call, 3);

    if (memory == NULL)
        return LOADER_NO_MEMORY;
    memcpy(memory, "\xe2\x82\xac", 3);
    *text = (loader_text){memory, how == 1 ? 2 : 3}; /* 1: cut in the middle of a character */
    if (how == 2)
        *text = (loader_text){NULL, 3};
    if (how == 3)
        *text = (loader_text){NULL, 0};
    return LOADER_OK;
}

int bytes_of(loader_call *call, int64_t size, loader_bytes *bytes)
{
    unsigned char *memory = (unsigned char *)loader_alloc(call, (size_t)size);

    if (memory == NULL)
        return LOADER_NO_MEMORY;
    memset(memory, 0xff, (size_t)size);
    *bytes = (loader_bytes){memory, (size_t)size};
    return LOADER_OK;
}

int both(loader_call *call, const loader_text *text, uint64_t *size)
{
    *size = text->size;
    return loader_write_text(call, text);
}

int both_bytes(loader_call *call, const loader_text *text, uint64_t *size)
{
    return both(call, text, size);
}

int writes_too(loader_call *call, uint64_t *size)
{
    *size = 1;
    return loader_write_string(call, "x");
}

int fails(loader_call *call, double a, double *result)
{
    *result = a;
    return loader_fail(call, "not %g", a);
}

int waits(loader_call *call, double a, double *result)
{
    int status;

    *result = a;
    do
        status = loader_cancelled(call);
    while (status == LOADER_OK);
    return status;
}

int centre(loader_call *call, const values_point_list *points, values_point *centre)
{
    if (points->size == 0)
        return loader_fail(call, "there are no points");
    for (size_t i = 0; i < points->size; i++) {
        centre->x += points->data[i].x / (double)points->size;
        centre->y += points->data[i].y / (double)points->size;
    }
    return LOADER_OK;
}

int move(loader_call *call, values_point_list *points, double by)
{
    (void)call;
    for (size_t i = 0; i < points->size; i++)
        points->data[i].x += by;
    return LOADER_OK;
}

int circle(loader_call *call, int64_t count, values_point_list *points)
{
    points->data = (values_point *)loader_alloc_items(call, (size_t)count, sizeof *points->data);
    if (points->data == NULL)
        return LOADER_NO_MEMORY;
    points->size = (size_t)count;
    for (size_t i = 0; i < points->size; i++)
        points->data[i] = (values_point){(double)i, -(double)i};
    return LOADER_OK;
}

int samples(loader_call *call, const values_sample_list *given, values_sample_list *same)
{
    same->data = (values_sample *)loader_alloc_items(call, given->size, sizeof *same->data);
    if (same->data == NULL)
        return LOADER_NO_MEMORY;
    same->size = given->size;
    if (given->size != 0)
        memcpy(same->data, given->data, given->size * sizeof *same->data);
    return LOADER_OK;
}

int entries(loader_call *call, const values_entry_list *given, values_entry_list *doubled)
{
    doubled->data = (values_entry *)loader_alloc_items(call, given->size, sizeof *doubled->data);
    if (doubled->data == NULL)
        return LOADER_NO_MEMORY;
    doubled->size = given->size;
    for (size_t i = 0; i < given->size; i++) {
        const values_entry *entry = &given->data[i];
        char *name = (char *)loader_alloc(call, entry->name.size * 2);
        if (name == NULL)
            return LOADER_NO_MEMORY;
        if (entry->name.size != 0) {
            memcpy(name, entry->name.data, entry->name.size);
            memcpy(name + entry->name.size, entry->name.data, entry->name.size);
        }
        doubled->data[i] = (values_entry){{name, entry->name.size * 2}, entry->count * 2};
    }
    return LOADER_OK;
}

int shape(loader_call *call, const loader_tensor *tensor)
{
    int status = loader_printf(call, "%d/%d:", (int)tensor->code, (int)tensor->bits);

    for (int i = 0; status == LOADER_OK && i < tensor->ndim; i++)
        status = loader_printf(call, " %lld*%lld", (long long)tensor->shape[i], (long long)tensor->strides[i]);
    return status;
}

/* Of the element that `place` counts, in C's order: how many elements from the first one it lies. */
static int64_t offset_of(const loader_tensor *tensor, int64_t place)
{
    int64_t offset = 0;

    for (int i = tensor->ndim - 1; i >= 0; i--) {
        offset += place % tensor->shape[i] * tensor->strides[i];
        place /= tensor->shape[i];
    }
    return offset;
}

static int64_t count_of(const loader_tensor *tensor)
{
    int64_t count = 1;

    for (int i = 0; i < tensor->ndim; i++)
        count *= tensor->shape[i];
    return count;
}

int sum(loader_call *call, const loader_tensor *tensor, double *result)
{
    const char *first = (const char *)tensor->data + tensor->byte_offset;
    const int64_t count = count_of(tensor);

    if (tensor->code != LOADER_TENSOR_FLOAT || (tensor->bits != 32 && tensor->bits != 64))
        return loader_fail(call, "elements of code %d and %d bits", (int)tensor->code, (int)tensor->bits);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = offset_of(tensor, i);
        *result += tensor->bits == 64 ? ((const double *)(const void *)first)[at]
                                      : (double)((const float *)(const void *)first)[at];
    }
    return LOADER_OK;
}

int add(loader_call *call, const loader_tensor *tensor, double by, loader_tensor *result)
{
    const double *from = (const double *)(const void *)((const char *)tensor->data + tensor->byte_offset);
    double *to = (double *)(void *)((char *)result->data + result->byte_offset);
    const int64_t count = count_of(tensor);

    if (count != count_of(result))
        return loader_fail(call, "%lld elements and %lld", (long long)count, (long long)count_of(result));
    for (int64_t i = 0; i < count; i++)
        to[offset_of(result, i)] = from[offset_of(tensor, i)] + by;
    return LOADER_OK;
}

/* ---- The service ------------------------------------------------------------------------------------- */

int ask_mean(loader_call *call, const loader_f64s *of, double *mean)
{
    const values_world *world = values_world_get(call);

    return world == NULL ? LOADER_FAILED : world->mean(call, world, of, mean);
}

int ask_mix(loader_call *call, float a, int32_t b, double c, int32_t mode, uint8_t flag, double *sum,
            values_mode *same, bool *other, float *narrow, uint16_t *small)
{
    const values_world *world = values_world_get(call);
    values_mode given;

    memcpy(&given, &mode, sizeof given); /* any value: that is the host's to refuse */
    return world == NULL ? LOADER_FAILED
                         : world->mix(call, world, a, b, c, given, flag != 0, 0.25, sum, same, other, narrow, small);
}

int ask_crowd(loader_call *call, double *sum)
{
    const values_world *world = values_world_get(call);

    return world == NULL ? LOADER_FAILED
                         : world->crowd(call, world, 1, 2, 3, 4, 5, 6, 7, 8.0f, 9, 10, 11, 12, 13, 14, -15, sum);
}

int ask_words(loader_call *call, const loader_texts *words, loader_text *joined)
{
    const values_world *world = values_world_get(call);
    loader_text text;
    loader_bytes bytes;
    char *memory;
    int status = world == NULL ? LOADER_FAILED : world->words(call, world, words, &text, &bytes);

    if (status != LOADER_OK)
        return status;
    memory = (char *)loader_alloc(call, text.size);
    if (memory == NULL)
        return LOADER_NO_MEMORY;
    if (text.size != 0)
        memcpy(memory, text.data, text.size);
    *joined = (loader_text){memory, text.size};
    return loader_write_bytes(call, &bytes);
}

int ask_trail(loader_call *call, const values_point_list *points, values_point_list *back)
{
    const values_world *world = values_world_get(call);
    values_point_list lent;
    int status = world == NULL ? LOADER_FAILED : world->trail(call, world, points, &lent);

    if (status != LOADER_OK)
        return status;
    back->data = (values_point *)loader_alloc_items(call, lent.size, sizeof *lent.data);
    if (back->data == NULL)
        return LOADER_NO_MEMORY;
    back->size = lent.size;
    if (lent.size != 0)
        memcpy(back->data, lent.data, lent.size * sizeof *lent.data);
    return LOADER_OK;
}

int ask_numbers(loader_call *call, int64_t count, double *total, int64_t *more)
{
    const values_world *world = values_world_get(call);
    loader_f64s numbers;
    loader_i16s integers;
    int status = world == NULL ? LOADER_FAILED : world->numbers(call, world, count, &numbers, &integers);

    if (status != LOADER_OK)
        return status;
    for (size_t i = 0; i < numbers.size; i++)
        *total += numbers.data[i];
    for (size_t i = 0; i < integers.size; i++)
        *more += integers.data[i];
    return LOADER_OK;
}

int ask_stats(loader_call *call, const values_stats *given, values_stats *back)
{
    const values_world *world = values_world_get(call);

    return world == NULL ? LOADER_FAILED : world->stats(call, world, given, back);
}

int ask_wrongly(loader_call *call, int32_t how, double *mean)
{
    static double one = 1;
    const values_world *world = values_world_get(call);
    const loader_f64s given = {how == 0 ? NULL : &one, how == 1 ? SIZE_MAX / 8 : 1};

    if (world == NULL)
        return LOADER_FAILED;
    return world->mean(call, world, how == 2 ? NULL : &given, how == 3 ? NULL : mean);
}
