/* arrow.c: a plugin that takes and gives Arrow arrays, well and badly. */
#include "arrow.h"

#include <stdatomic.h>
#include <stdlib.h>

/* With Arrow's own header, or nanoarrow's, behind it nothing is defined twice. */
#ifndef ARROW_C_DATA_INTERFACE
#  error "the guard of the specification"
#endif

static atomic_llong structs_alive, released_twice;

int alive(loader_call *call, int64_t *count, int64_t *twice)
{
    (void)call;
    *count = atomic_load(&structs_alive);
    *twice = atomic_load(&released_twice);
    return LOADER_OK;
}

int sum(loader_call *call, const loader_arrow *values, int64_t *total)
{
    const struct ArrowArray *array = values->array;

    if (strcmp(values->schema->format, "l") != 0) {
        loader_fail(call, "an array of int64 ('l') is wanted, not '%s'", values->schema->format);
        return LOADER_INVALID;
    }
    if (array->null_count != 0)
        return loader_fail(call, "nulls are not wanted");
    for (int64_t i = 0; i < array->length; i++)
        *total += ((const int64_t *)array->buffers[1])[array->offset + i];
    return LOADER_OK;
}

int look(loader_call *call, const loader_arrow *values)
{
    const struct ArrowArray *array = values->array;

    return loader_printf(call, "%lld %lld %lld %lld %s", (long long)array->length, (long long)array->null_count,
                         (long long)array->offset, (long long)array->n_children, values->schema->format);
}

int look_twice(loader_call *call, const loader_arrow *values)
{
    const arrow_middle *middle = arrow_middle_get(call);

    if (middle == NULL || middle->pause(call, middle) != LOADER_OK)
        return LOADER_FAILED;
    return look(call, values);
}

/* ---- Arrays of its own ------------------------------------------------------------------------------- */

static void end_schema(struct ArrowSchema *schema)
{
    if (schema->release == NULL)
        atomic_fetch_add(&released_twice, 1);
    schema->release = NULL;
    atomic_fetch_sub(&structs_alive, 1);
}

static void end_array(struct ArrowArray *array)
{
    if (array->release == NULL)
        atomic_fetch_add(&released_twice, 1);
    free((void *)(uintptr_t)array->buffers[1]);
    free(array->buffers);
    array->release = NULL;
    atomic_fetch_sub(&structs_alive, 1);
}

/* Says nothing in return: a release that forgets to mark what it released. */
static void end_and_forget(struct ArrowSchema *schema)
{
    (void)schema;
    atomic_fetch_sub(&structs_alive, 1);
}

static int fill_schema(struct ArrowSchema *schema)
{
    *schema = (struct ArrowSchema){.format = "l", .name = "", .flags = ARROW_FLAG_NULLABLE, .release = end_schema};
    atomic_fetch_add(&structs_alive, 1);
    return LOADER_OK;
}

static int fill_array(struct ArrowArray *array, int64_t count)
{
    int64_t *numbers = malloc(((size_t)count + 1) * sizeof *numbers);
    const void **buffers = calloc(2, sizeof *buffers);

    if (numbers == NULL || buffers == NULL) {
        free(numbers);
        free(buffers);
        return LOADER_NO_MEMORY;
    }
    for (int64_t i = 0; i < count; i++)
        numbers[i] = i;
    buffers[1] = numbers;
    *array = (struct ArrowArray){.length = count, .n_buffers = 2, .buffers = buffers, .release = end_array};
    atomic_fetch_add(&structs_alive, 1);
    return LOADER_OK;
}

static int fill(loader_arrow *values, int64_t count)
{
    fill_schema(values->schema);
    return fill_array(values->array, count); /* half filled if that fails: the host releases the schema */
}

int count_up(loader_call *call, int64_t count, loader_arrow *values)
{
    if (count < 0)
        return loader_fail(call, "there is no array of %lld", (long long)count);
    return fill(values, count);
}

int two(loader_call *call, loader_arrow *first, int32_t *number, loader_arrow *second)
{
    *number = 7;
    if (fill(first, 2) != LOADER_OK || fill(second, 3) != LOADER_OK)
        return LOADER_NO_MEMORY;
    return loader_write_string(call, "both");
}

int spoilt(loader_call *call, loader_text *text, loader_arrow *values)
{
    char *room = loader_alloc(call, 1);

    if (room == NULL)
        return LOADER_NO_MEMORY;
    *room = (char)0xFF;
    *text = (loader_text){room, 1};
    return fill(values, 4);
}

int badly(loader_call *call, int32_t how, loader_arrow *values)
{
    static struct ArrowSchema other;
    static struct ArrowSchema *child = NULL, *self_child[2];
    static struct ArrowArray *array_child[2], other_child;
    static const void *other_buffers[2];

    switch (how) {
    case 0: return LOADER_OK; /* nothing */
    case 1: return fill_schema(values->schema);
    case 2: return fill_array(values->array, 2);
    case 3: fill(values, 2); return loader_fail(call, "after all of it");
    case 4: fill_schema(values->schema); return loader_fail(call, "after half of it");
    case 5: values->schema = &other; return LOADER_OK;
    case 6: values->schema = NULL; values->array = NULL; return LOADER_OK;
    case 7: fill(values, 2); values->schema->format = NULL; return LOADER_OK;
    case 8: fill(values, 2); values->array->length = -1; return LOADER_OK;
    case 9: fill(values, 2); values->schema->n_children = values->array->n_children = 1; return LOADER_OK;
    case 10: fill(values, 2); values->schema->n_children = 1; return LOADER_OK;
    case 11: /* NULL for a child */
        fill(values, 2);
        values->schema->n_children = values->array->n_children = 1;
        values->schema->children = &child;
        array_child[0] = NULL;
        values->array->children = array_child;
        return LOADER_OK;
    case 12: /* contains itself, twice */
        fill(values, 2);
        values->schema->n_children = values->array->n_children = 2;
        self_child[0] = self_child[1] = values->schema;
        values->schema->children = self_child;
        array_child[0] = array_child[1] = values->array;
        values->array->children = array_child;
        return LOADER_OK;
    case 13: fill(values, 2); return loader_write_string(call, "text that its header does not declare");
    case 14: fill(values, 2); return 77;
    case 15: fill(values, 2); values->schema->release = end_and_forget; return loader_fail(call, "forgets");
    case 16: fill(values, 2); values->array->length = INT64_MAX; values->array->offset = 1; return LOADER_OK;
    case 17: /* memory that goes when the call ends */
        fill(values, 2);
        other_buffers[1] = loader_alloc(call, 16);
        values->array->buffers[0] = other_buffers[1];
        return LOADER_OK;
    case 18: /* as a child's */
        fill(values, 2);
        other_child = *values->array;
        other_buffers[0] = loader_alloc(call, 16);
        other_child.buffers = other_buffers;
        array_child[0] = &other_child;
        other = *values->schema;
        self_child[0] = &other;
        values->schema->n_children = values->array->n_children = 1;
        values->schema->children = self_child;
        values->array->children = array_child;
        return LOADER_OK;
    default: return loader_fail(call, "there are no more ways");
    }
}
