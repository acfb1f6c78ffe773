/* codec_c: the codec in C, from the header alone. What each function does is in ../README.md. */
#include "codec.h"

#include <math.h>
#include <stdlib.h>

/* Says why an argument's value is not acceptable. */
#define INVALID(call, text) loader_fail_with(call, LOADER_INVALID, text, sizeof(text) - 1)

int scale(loader_call *call, double value, float factor, double *scaled)
{
    (void)call;
    *scaled = value * (double)factor;
    return LOADER_OK;
}

int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, double *product)
{
    double sum = 0;

    if (a->size != b->size) {
        (void)loader_fail(call, "dot: %zu numbers and %zu", a->size, b->size);
        return LOADER_INVALID;
    }
    for (size_t i = 0; i < a->size; i++)
        sum += a->data[i] * b->data[i];
    *product = sum;
    return LOADER_OK;
}

int gain(loader_call *call, loader_f32s *samples, float factor)
{
    (void)call;
    for (size_t i = 0; i < samples->size; i++)
        samples->data[i] *= factor;
    return LOADER_OK;
}

/* isnan of MinGW's <math.h> is a macro that converts to every type, with a warning for each. */
static int is_nan(double value)
{
    return value != value;
}

int describe(loader_call *call, const loader_f64s *values, codec_stats *stats)
{
    const double count = (double)values->size;
    codec_point peak = {0, NAN};
    double sum = 0, squares = 0;

    if (values->size == 0)
        return INVALID(call, "describe: no values");
    for (size_t i = 0; i < values->size; i++) {
        sum += values->data[i];
        if (values->data[i] > peak.y || (is_nan(peak.y) && !is_nan(values->data[i])))
            peak = (codec_point){(double)i, values->data[i]};
    }
    stats->mean = sum / count;
    for (size_t i = 0; i < values->size; i++)
        squares += (values->data[i] - stats->mean) * (values->data[i] - stats->mean);
    stats->deviation = (float)sqrt(squares / count);
    stats->count = (int64_t)values->size;
    stats->peak = peak;
    return LOADER_OK;
}

int divide(loader_call *call, int64_t a, int64_t b, int64_t *quotient, int64_t *rest)
{
    if (b == 0)
        return INVALID(call, "divide: by zero");
    if (a == INT64_MIN && b == -1)
        return INVALID(call, "divide: overflow");
    *quotient = a / b;
    *rest = a % b;
    return LOADER_OK;
}

int join(loader_call *call, const loader_texts *words, const loader_text *separator)
{
    int status = LOADER_OK;

    for (size_t i = 0; i < words->size && status == LOADER_OK; i++) {
        if (i > 0)
            status = loader_write_text(call, separator);
        if (status == LOADER_OK)
            status = loader_write_text(call, &words->data[i]);
    }
    return status;
}

int ramp(loader_call *call, int64_t count, loader_f64s *values)
{
    double *data;

    if (count < 0)
        return INVALID(call, "ramp: a negative count");
    if (count == 0)
        return LOADER_OK;
    data = (double *)loader_alloc_items(call, (size_t)count, sizeof *data);
    if (data == NULL)
        return LOADER_NO_MEMORY;
    for (int64_t i = 0; i < count; i++)
        data[i] = (double)i;
    *values = (loader_f64s){data, (size_t)count};
    return LOADER_OK;
}

int centre(loader_call *call, const codec_point_list *points, codec_point *centre)
{
    codec_point sum = {0, 0};

    if (points->size == 0)
        return INVALID(call, "centre: no points");
    for (size_t i = 0; i < points->size; i++) {
        sum.x += points->data[i].x;
        sum.y += points->data[i].y;
    }
    *centre = (codec_point){sum.x / (double)points->size, sum.y / (double)points->size};
    return LOADER_OK;
}

/* Where an element is, by the tensor's strides. */
static double *element(const loader_tensor *tensor, int64_t row, int64_t column)
{
    double *first = (double *)(void *)((char *)tensor->data + tensor->byte_offset);

    return first + row * tensor->strides[0] + column * tensor->strides[1];
}

static int is_wanted(const loader_tensor *tensor)
{
    return tensor->ndim == 2 && tensor->code == LOADER_TENSOR_FLOAT && tensor->bits == 64 && tensor->lanes == 1 &&
           tensor->device_type == 1;
}

int blur(loader_call *call, const loader_tensor *image, loader_tensor *result)
{
    if (!is_wanted(image) || !is_wanted(result))
        return INVALID(call, "blur: a tensor of two dimensions of double is wanted");
    if (image->shape[0] != result->shape[0] || image->shape[1] != result->shape[1])
        return INVALID(call, "blur: the shapes differ");
    for (int64_t row = 0; row < image->shape[0]; row++)
        for (int64_t column = 0; column < image->shape[1]; column++) {
            double sum = 0;
            int count = 0;

            for (int64_t y = row > 0 ? row - 1 : 0; y <= row + 1 && y < image->shape[0]; y++)
                for (int64_t x = column > 0 ? column - 1 : 0; x <= column + 1 && x < image->shape[1]; x++) {
                    sum += *element(image, y, x);
                    count++;
                }
            *element(result, row, column) = sum / count;
        }
    return LOADER_OK;
}

int train(loader_call *call, const loader_f64s *values, const codec_progress *progress)
{
    int status = LOADER_OK;

    for (size_t i = 0; i < values->size && status == LOADER_OK; i++)
        status = progress->at(call, progress, (double)(i + 1) / (double)values->size);
    return status;
}

/* ---- The encoder ------------------------------------------------------------------------------------------ */

enum { MAX_WAITING = 65536 };

struct codec_encoder {
    codec_mode mode;
    unsigned char last; /* the byte before the next one */
    size_t first, size; /* of what waits in the ring */
    unsigned char waiting[MAX_WAITING];
};

int codec_encoder_new(loader_call *call, codec_mode mode, codec_encoder **encoder)
{
    codec_encoder *made = (codec_encoder *)calloc(1, sizeof *made);

    (void)call;
    if (made == NULL)
        return LOADER_NO_MEMORY;
    made->mode = mode;
    *encoder = made;
    return LOADER_OK;
}

int codec_encoder_feed(loader_call *call, codec_encoder *encoder, const loader_bytes *chunk)
{
    unsigned char *room;

    if (chunk->size > MAX_WAITING - encoder->size)
        return INVALID(call, "feed: too much is waiting");
    room = (unsigned char *)loader_reserve(call, chunk->size);
    if (room == NULL)
        return LOADER_NO_MEMORY;
    for (size_t i = 0; i < chunk->size; i++) {
        const unsigned char before = encoder->mode == CODEC_BEST ? encoder->last : 0;

        room[i] = (unsigned char)(chunk->data[i] - before);
        encoder->last = chunk->data[i];
        encoder->waiting[(encoder->first + encoder->size++) % MAX_WAITING] = room[i];
    }
    loader_commit(call, chunk->size);
    return LOADER_OK;
}

int codec_encoder_next(loader_call *call, codec_encoder *encoder, int64_t *code)
{
    (void)call;
    if (encoder->size == 0)
        return LOADER_DONE;
    *code = encoder->waiting[encoder->first];
    encoder->first = (encoder->first + 1) % MAX_WAITING;
    encoder->size--;
    return LOADER_OK;
}

void codec_encoder_free(codec_encoder *encoder)
{
    free(encoder);
}
