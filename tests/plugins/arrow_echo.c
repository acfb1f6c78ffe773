/* arrow_echo.c: see arrow_echo.h. What it gives is what it was lent, which a worker copies before the call ends. */
#include "arrow_echo.h"

#include <stdint.h>

static void end_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static void end_array(struct ArrowArray *array)
{
    array->release = NULL;
}

int echo(loader_call *call, const loader_arrow *values, loader_arrow *same)
{
    (void)call;
    *same->schema = *values->schema;
    *same->array = *values->array;
    same->schema->release = end_schema;
    same->array->release = end_array;
    return LOADER_OK;
}

int spoil(loader_call *call, const loader_arrow *values, int64_t depth, int64_t buffer, int64_t at, int64_t value,
          int64_t size, loader_arrow *spoilt)
{
    static char format[2];
    struct ArrowSchema *schema = values->schema;
    struct ArrowArray *array = values->array;

    for (; depth > 0; depth--) {
        schema = schema->dictionary != NULL ? schema->dictionary : schema->children[0];
        array = array->dictionary != NULL ? array->dictionary : array->children[0];
    }
    switch (buffer) {
    case -1: array->length = value; break;
    case -2: array->offset = value; break;
    case -3: array->null_count = value; break;
    case -4: array->n_buffers = value; break;
    case -5:
        format[0] = (char)value;
        schema->format = format;
        break;
    case -6: array->buffers[at] = NULL; break;
    default: memcpy((char *)(uintptr_t)array->buffers[buffer] + at, &value, (size_t)size);
    }
    return echo(call, values, spoilt);
}
