/* numbers.c: the plugin. peers/extensions/c_extension_numbers.c does the same by hand. */
#include "numbers.h"

int multiply(loader_call *call, double a, double b, double *product)
{
    (void)call;
    *product = a * b;
    return LOADER_OK;
}

int scale(loader_call *call, double value, float factor, double *scaled)
{
    (void)call;
    *scaled = value * (double)factor;
    return LOADER_OK;
}

int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, double *product)
{
    double sum = 0;

    if (a->size != b->size)
        return loader_fail(call, "the arrays are of unlike length");
    for (size_t i = 0; i < a->size; i++)
        sum += a->data[i] * b->data[i];
    *product = sum;
    return LOADER_OK;
}

int ramp(loader_call *call, int64_t count, loader_f64s *values)
{
    if (count < 0)
        return loader_fail(call, "a count is not negative");
    values->data = (double *)loader_alloc_items(call, (size_t)count, sizeof *values->data);
    if (values->data == NULL)
        return LOADER_NO_MEMORY;
    values->size = (size_t)count;
    for (size_t i = 0; i < values->size; i++)
        values->data[i] = (double)i;
    return LOADER_OK;
}
