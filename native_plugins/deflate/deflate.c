/* deflate.c: zlib's streams as instances of two classes: a real C library behind a contract, without a line of Python.
 *
 * A chunk may be longer than zlib's counters, which have 32 bits, and what comes out goes straight into the host's
 * buffer, a window at a time. Between windows the host may end the work.
 */
#include "deflate.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#define WINDOW (64 * 1024) /* bytes of output that are asked for at once */

struct deflater {
    z_stream zlib;
    bool ended;
};

struct inflater {
    z_stream zlib;
    bool ended;
    uint64_t size;
};

static int window_bits(deflate_format format)
{
    switch (format) {
    case DEFLATE_RAW: return -MAX_WBITS;
    case DEFLATE_GZIP: return MAX_WBITS + 16;
    default: return MAX_WBITS;
    }
}

static int failed(loader_call *call, const z_stream *zlib, int result)
{
    if (result == Z_MEM_ERROR)
        return LOADER_NO_MEMORY;
    return loader_fail(call, "zlib: %s", zlib->msg != NULL ? zlib->msg : zError(result));
}

/* Hands all of a chunk through `step`, deflate or inflate, until it wants no more. *ended: the stream is over. */
static int run(loader_call *call, z_stream *zlib, int (*step)(z_stream *, int), int flush, const loader_bytes *chunk,
               bool *ended)
{
    const unsigned char *data = chunk->data;
    size_t left = chunk->size;
    int result = Z_OK;

    do {
        const size_t part = left < UINT_MAX ? left : UINT_MAX;
        zlib->next_in = (unsigned char *)(uintptr_t)data; /* zlib does not write to it; its header lacks the const */
        zlib->avail_in = (unsigned)part;
        do {
            char *room = loader_reserve(call, WINDOW);
            const int stop = loader_cancelled(call);
            if (room == NULL)
                return LOADER_NO_MEMORY;
            if (stop != LOADER_OK)
                return stop;
            zlib->next_out = (unsigned char *)room;
            zlib->avail_out = WINDOW;
            result = step(zlib, part == left ? flush : Z_NO_FLUSH);
            loader_commit(call, WINDOW - zlib->avail_out);
            if (result == Z_STREAM_END)
                *ended = true;
            else if (result != Z_OK && result != Z_BUF_ERROR) /* Z_BUF_ERROR: nothing to do just now */
                return failed(call, zlib, result);
        } while (!*ended && (zlib->avail_in > 0 || zlib->avail_out == 0));
        data += part;
        left -= part;
    } while (left > 0 && !*ended);
    return LOADER_OK;
}

int deflater_new(loader_call *call, int32_t level, deflate_format format, deflater **made)
{
    deflater *self;
    int result;

    if (level < 0 || level > 9)
        return loader_fail(call, "level %d is not 0 to 9", (int)level);
    self = (deflater *)calloc(1, sizeof *self);
    if (self == NULL)
        return LOADER_NO_MEMORY;
    result = deflateInit2(&self->zlib, level, Z_DEFLATED, window_bits(format), 8, Z_DEFAULT_STRATEGY);
    if (result != Z_OK) {
        const int status = failed(call, &self->zlib, result);
        free(self);
        return status;
    }
    *made = self;
    return LOADER_OK;
}

static int deflater_run(loader_call *call, deflater *stream, const loader_bytes *chunk, int flush)
{
    if (stream->ended)
        return loader_fail(call, "the stream is finished");
    return run(call, &stream->zlib, deflate, flush, chunk, &stream->ended);
}

int deflater_feed(loader_call *call, deflater *stream, const loader_bytes *chunk)
{
    return deflater_run(call, stream, chunk, Z_NO_FLUSH);
}

int deflater_finish(loader_call *call, deflater *stream)
{
    const loader_bytes nothing = {(const unsigned char *)"", 0};

    return deflater_run(call, stream, &nothing, Z_FINISH);
}

void deflater_free(deflater *stream)
{
    (void)deflateEnd(&stream->zlib);
    free(stream);
}

int inflater_new(loader_call *call, deflate_format format, inflater **made)
{
    inflater *self = (inflater *)calloc(1, sizeof *self);
    int result;

    if (self == NULL)
        return LOADER_NO_MEMORY;
    result = inflateInit2(&self->zlib, window_bits(format));
    if (result != Z_OK) {
        const int status = failed(call, &self->zlib, result);
        free(self);
        return status;
    }
    *made = self;
    return LOADER_OK;
}

int inflater_feed(loader_call *call, inflater *stream, const loader_bytes *chunk)
{
    int status;

    if (stream->ended)
        return LOADER_OK;
    status = run(call, &stream->zlib, inflate, Z_NO_FLUSH, chunk, &stream->ended);
    stream->size = stream->zlib.total_out;
    return status;
}

int inflater_state(loader_call *call, const inflater *stream, int32_t *ended, uint64_t *size)
{
    (void)call;
    *ended = stream->ended;
    *size = stream->size;
    return LOADER_OK;
}

void inflater_free(inflater *stream)
{
    (void)inflateEnd(&stream->zlib);
    free(stream);
}
