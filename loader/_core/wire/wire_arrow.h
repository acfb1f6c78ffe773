/* wire_arrow.h: Arrow arrays between a host and its workers: whether one is an array, what buffers its format has, and
 * how it is copied into a lane. Out of it: remote/arrow_take.c.
 *
 * Both sides have copies, and each releases its own: what a plugin is lent lies in the arena, and what it gave is
 * released in the worker as soon as it is copied. Plain C; arrow_check.c is for calls in the host's process too, on all
 * systems.
 */
#ifndef LOADER_WIRE_ARROW_H
#define LOADER_WIRE_ARROW_H

#ifndef LOADER_HOST
#  define LOADER_HOST
#endif
#include "loader/plugin.h"

#include <stdbool.h>

/* ---- arrow_check.c: in any process ---- */

enum { ARROW_MOST_DEPTH = 64, ARROW_MOST_PARTS = 1000000 };

/* What a result points to. */
struct wire_arrow {
    loader_arrow given;
    struct ArrowSchema schema;
    struct ArrowArray array;
    const char *wrong; /* NULL, or what is wrong with it, if that is known already */
};

/* Whose memory an array must not be in; `found` NULL: any is right. */
struct wire_borrowed {
    bool (*found)(const void *owner, const void *data);
    const void *owner;
};

/* What is wrong with an array, or NULL: what its specification asks for, and C can see. */
const char *wire_arrow_wrong(const struct ArrowSchema *schema, const struct ArrowArray *array,
                             struct wire_borrowed borrowed);
/* The same of a result. */
const char *wire_arrow_result_wrong(const struct wire_arrow *room, struct wire_borrowed borrowed);

#if defined(__linux__)
#  include "wire/wire.h"

/* ---- arrow_form.c: what the specification says of a format ---- */

enum wire_buffer {
    BUFFER_VALIDITY = 1, /* a bit an element; or NULL */
    BUFFER_BITS,
    BUFFER_FIXED,        /* `width` bytes an element */
    BUFFER_OFFSETS,      /* `width` bytes an element, and one element more */
    BUFFER_DATA,         /* as many bytes as the last offset says */
    BUFFER_VIEWS         /* 16 bytes an element; behind them any number of buffers, then the sizes of these */
};

struct wire_form {
    uint32_t count; /* of buffers; with views, the first two */
    struct {
        uint8_t kind;
        uint32_t width;
    } buffers[3];
    char nest;    /* 'l' offsets into one child, 'v' a list view, 'w' `per` elements of one child, 's' a struct, 'd' and
                     'u' a dense or sparse union, 'r' run ends; 0: it has no children */
    bool is_text; /* what its data is */
    bool is_index; /* an integer: it may have a dictionary */
    int64_t per;
};

/* False: a format that is not known here, or another number of buffers than it has. */
bool wire_form_of(const char *format, int64_t n_buffers, struct wire_form *form);
/* Bytes of a buffer for `count` elements, those of DATA aside; -1: no memory has as many. */
int64_t wire_buffer_size(const struct wire_form *form, uint32_t buffer, int64_t count);
int64_t wire_offset(const void *offsets, uint32_t width, int64_t i);
/* Bytes of a schema's metadata, of which `most` may be read; -1: it is longer, or none. */
int64_t wire_metadata_size(const char *metadata, int64_t most);

/* ---- arrow_put.c ---- */

/* Copies the two, which are an array, and what they lead to into the arena. In the copies `private_data` of a schema is
 * the size of its metadata, and the release functions are at these addresses. What cannot be copied, or NULL; or
 * arena->top > arena->end: there was no room. */
const char *wire_put_arrow(struct wire_arena *arena, const uint64_t release[2], const loader_arrow *from,
                           struct ArrowSchema *schema, struct ArrowArray *array);

#endif /* __linux__ */
#endif /* LOADER_WIRE_ARROW_H */
