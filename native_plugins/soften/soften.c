/* soften.c: a box filter on tensors: reads NumPy's, torch's and others' memory where it lies, strides and all.
 *
 * A mean over a square is one over columns of one over rows, and a row's is kept up to date while it moves along: the
 * work does not grow with the radius.
 */
#include "soften.h"

#include <stdbool.h>

typedef struct view {
    char *data;
    int64_t rows, columns, channels;
    int64_t row, column, channel; /* bytes from one to the next */
    bool is_float;
} view;

static bool view_of(const loader_tensor *tensor, view *out)
{
    const bool bytes = tensor->code == LOADER_TENSOR_UINT && tensor->bits == 8;
    const bool floats = tensor->code == LOADER_TENSOR_FLOAT && tensor->bits == 32;
    const int64_t size = tensor->bits / 8;

    if ((!bytes && !floats) || tensor->lanes != 1 || (tensor->ndim != 2 && tensor->ndim != 3))
        return false;
    out->data = (char *)tensor->data + tensor->byte_offset;
    out->rows = tensor->shape[0];
    out->columns = tensor->shape[1];
    out->channels = tensor->ndim == 3 ? tensor->shape[2] : 1;
    out->row = tensor->strides[0] * size;
    out->column = tensor->strides[1] * size;
    out->channel = tensor->ndim == 3 ? tensor->strides[2] * size : 0;
    out->is_float = floats;
    return true;
}

static double at(const view *image, int64_t row, int64_t column, int64_t channel)
{
    const char *place = image->data + row * image->row + column * image->column + channel * image->channel;
    float number;

    if (!image->is_float)
        return *(const unsigned char *)place;
    memcpy(&number, place, sizeof number);
    return number;
}

static void put(const view *image, int64_t row, int64_t column, int64_t channel, double value)
{
    char *place = image->data + row * image->row + column * image->column + channel * image->channel;
    const float number = (float)value;

    if (image->is_float)
        memcpy(place, &number, sizeof number);
    else
        *(unsigned char *)place = (unsigned char)(value + 0.5);
}

static int64_t inside(int64_t place, int64_t count)
{
    return place < 0 ? 0 : place >= count ? count - 1 : place;
}

/* One channel. `sums`: a column's sum over the rows around, one for each column. */
static int soften_channel(loader_call *call, const view *from, const view *to, int64_t channel, int64_t radius,
                          double *sums)
{
    const double area = (double)(2 * radius + 1) * (double)(2 * radius + 1);

    for (int64_t column = 0; column < from->columns; column++) {
        sums[column] = 0;
        for (int64_t row = -radius; row <= radius; row++)
            sums[column] += at(from, inside(row, from->rows), column, channel);
    }
    for (int64_t row = 0; row < from->rows; row++) {
        const int stop = loader_cancelled(call);
        double sum = 0;
        if (stop != LOADER_OK)
            return stop;
        for (int64_t column = -radius; column <= radius; column++)
            sum += sums[inside(column, from->columns)];
        for (int64_t column = 0; column < from->columns; column++) {
            put(to, row, column, channel, sum / area);
            sum += sums[inside(column + radius + 1, from->columns)] - sums[inside(column - radius, from->columns)];
        }
        for (int64_t column = 0; column < from->columns; column++)
            sums[column] += at(from, inside(row + radius + 1, from->rows), column, channel) -
                            at(from, inside(row - radius, from->rows), column, channel);
    }
    return LOADER_OK;
}

int soften(loader_call *call, const loader_tensor *image, int64_t radius, loader_tensor *result)
{
    view from, to;
    double *sums;

    if (!view_of(image, &from) || !view_of(result, &to) || from.is_float != to.is_float)
        return loader_fail(call, "image and result are of float32 or of uint8, and have 2 or 3 dimensions");
    if (image->ndim != result->ndim || from.rows != to.rows || from.columns != to.columns ||
        from.channels != to.channels)
        return loader_fail(call, "image and result are not of one shape");
    if (radius < 0 || radius > 1000)
        return loader_fail(call, "radius %lld is not 0 to 1000", (long long)radius);
    if (from.rows == 0 || from.columns == 0)
        return LOADER_OK;
    sums = (double *)loader_alloc_items(call, (size_t)from.columns, sizeof *sums); /* scratch: the host gives it back */
    if (sums == NULL)
        return LOADER_NO_MEMORY;
    for (int64_t channel = 0; channel < from.channels; channel++) {
        const int status = soften_channel(call, &from, &to, channel, radius, sums);
        if (status != LOADER_OK)
            return status;
    }
    return LOADER_OK;
}
