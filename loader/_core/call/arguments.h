/* arguments.h: the arguments of one call, borrowed in place. Inline, because it is on the hot path of function.c and
 * typed.c; what is seldom is in arguments.c.
 */
#ifndef LOADER_CORE_ARGUMENTS_H
#define LOADER_CORE_ARGUMENTS_H

#include "call/ends.h"
#include "call/function.h"

#define STACK_ROOM 640      /* bytes of output that need no allocation but the answer's own */
#define SHORT_INPUT 384     /* bytes of input up to which the stack is tried first */

/* What a call holds while it runs. */
struct arguments {
    uintptr_t values[CORE_SLOTS];
    loader_text texts[CORE_SLOTS];
    PyObject *owned[MAX_WORDS];
    Py_buffer buffers[MAX_WORDS];
#if !defined(_WIN32)
    double reals[MAX_REALS]; /* a float is in the low half; set in typed.c only */
#endif
    int owned_count, buffer_count;
    bool wide;    /* a text is not ASCII; then the answer mostly is not */
    size_t total; /* bytes of text and bytes */
};

void core_wrong_argument(const function *f); /* says in the exception that is set which function it was */
int core_borrow_bytes(struct arguments *a, const struct parameter *parameter, PyObject *value, loader_text *out);
int core_borrow_wide(struct arguments *a, const struct parameter *parameter, PyObject *value, Py_ssize_t place);

/* `i`: its place among the values. */
static inline int borrow(struct arguments *a, const struct parameter *parameter, PyObject *value, Py_ssize_t i)
{
    loader_text *text = &a->texts[i];

    a->values[i] = (uintptr_t)text;
    switch (parameter->kind) {
    case KIND_TEXT:
        if (PyUnicode_Check(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
            text->data = (const char *)PyUnicode_DATA(value);
            text->size = (size_t)PyUnicode_GET_LENGTH(value);
        } else if (core_borrow_text(value, parameter->name, text) < 0) {
            return -1;
        } else {
            a->wide = true;
        }
        a->total += text->size;
        return 0;
    case KIND_STRUCT: {
        const void *native = core_packed(value, parameter->layout, &core_record_type);
        PyObject *keep = NULL;
        if (native == NULL && core_pack(parameter->layout, value, &native, &keep) < 0)
            return -1;
        if (keep != NULL)
            a->owned[a->owned_count++] = keep;
        a->values[i] = (uintptr_t)native;
        return 0;
    }
    case KIND_BYTES:
        if (core_borrow_bytes(a, parameter, value, text) < 0)
            return -1;
        a->total += text->size;
        return 0;
    case KIND_NUMBERS:
    case KIND_TEXTS:
    case KIND_LIST:
    case KIND_TENSOR:
    case KIND_INTERFACE:
    case KIND_INSTANCE:
    case KIND_ARROW:
        return core_borrow_wide(a, parameter, value, i);
    default:
        if (LOADER_LIKELY(parameter->allowed == NULL))
            return core_integer(value, parameter->size, parameter->is_signed, parameter->name, &a->values[i]);
        return core_choice(parameter->allowed, value, parameter->size, parameter->is_signed, parameter->name,
                           &a->values[i]);
    }
}

static inline void release_arguments(struct arguments *a)
{
    while (a->owned_count > 0)
        Py_DECREF(a->owned[--a->owned_count]);
    while (a->buffer_count > 0)
        PyBuffer_Release(&a->buffers[--a->buffer_count]);
}

#endif /* LOADER_CORE_ARGUMENTS_H */
