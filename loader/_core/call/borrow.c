/* borrow.c: arrays and lists that a plugin is lent: buffers of Python as loader_f64s and its like, structured arrays
 * and records as lists of structs, sequences of str as loader_texts.
 */
#include "call/internal.h"

static const char *name_of(char kind)
{
    return kind == 'f' ? "floating-point numbers" : kind == 'i' ? "signed integers" : "unsigned integers";
}

/* What a format of the struct module's language means here: 'f', 'i', 'u', or 0 for something else. */
static char kind_of(char letter)
{
    if (letter == '\0')
        return 0;
    return strchr("fd", letter) ? 'f' : strchr("bhilqn", letter) ? 'i' : strchr("BHILQN", letter) ? 'u' : 0;
}

static int refuse_format(PyObject *name, const Py_buffer *buffer, char kind, size_t size)
{
    PyErr_Format(PyExc_TypeError, "%U must have %s of %zu bits, not of format '%.50s' with %zd bytes each", name,
                 name_of(kind), size * 8, buffer->format == NULL ? "B" : buffer->format, buffer->itemsize);
    return -1;
}

/* Whether the elements of a buffer are these numbers: 0, or -1 with an exception. */
static int check_numbers(PyObject *name, const Py_buffer *buffer, char kind, size_t size)
{
    const char *format = buffer->format == NULL ? "B" : buffer->format;
    const char order = strchr("@=<>!", *format) && *format != '\0' ? *format++ : '@';
    const bool other = size > 1 && (PY_BIG_ENDIAN ? order == '<' : order == '>' || order == '!');

    if (kind_of(*format) != kind || format[1] != '\0' || (size_t)buffer->itemsize != size)
        return refuse_format(name, buffer, kind, size);
    if (!other)
        return 0;
    PyErr_Format(PyExc_ValueError, "%U is of the other byte order (format '%.50s'); convert it first", name,
                 buffer->format);
    return -1;
}

/* Lends a buffer whose elements are what is wanted, if they lie as a plugin wants them. Releases it otherwise. */
static int lend(PyObject *value, PyObject *name, size_t size, bool writable, Py_buffer *buffer, loader_text *out)
{
    const size_t alignment = (size & -size) < 8 ? (size & -size) : 8; /* a struct's size is a multiple of its own */

    if ((size_t)buffer->itemsize != size || !PyBuffer_IsContiguous(buffer, 'C'))
        PyErr_Format(PyExc_ValueError, "%U is not C-contiguous; pass a copy, of numpy.ascontiguousarray for example",
                     name);
    else if (buffer->len != 0 && (uintptr_t)buffer->buf % alignment != 0)
        PyErr_Format(PyExc_ValueError, "%U is not aligned to %zu bytes; pass a copy", name, alignment);
    else if (writable && buffer->readonly)
        PyErr_Format(PyExc_ValueError, "%U is changed in place, and this %.100s is read-only", name,
                     Py_TYPE(value)->tp_name);
    else
        return *out = (loader_text){(const char *)buffer->buf, (size_t)buffer->len / size}, 1;
    PyBuffer_Release(buffer);
    return -1;
}

int core_borrow_numbers(PyObject *value, PyObject *name, char kind, size_t size, bool writable, Py_buffer *buffer,
                        loader_text *out)
{
    if (PyObject_GetBuffer(value, buffer, PyBUF_FORMAT | PyBUF_STRIDES) < 0) {
        if (!PyObject_CheckBuffer(value) && PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError,
                         "%U must be a buffer of %s of %zu bits (array.array, NumPy, memoryview), not %.100s", name,
                         name_of(kind), size * 8, Py_TYPE(value)->tp_name);
        return -1;
    }
    if (check_numbers(name, buffer, kind, size) == 0)
        return lend(value, name, size, writable, buffer, out);
    PyBuffer_Release(buffer);
    return -1;
}

/* Whether the elements of a buffer are this struct. */
static int fits(PyObject *value, PyObject *layout)
{
    PyObject *form, *answer;
    int yes;

    if (core_is_array_of(value, layout))
        return 1;
    form = core_layout_arrays(layout);
    answer = form == NULL ? NULL : PyObject_CallOneArg(PyTuple_GET_ITEM(form, 1), value);
    yes = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return yes;
}

int core_borrow_list(PyObject *value, PyObject *name, PyObject *layout, bool writable, Py_buffer *buffer,
                     PyObject **keep, loader_text *out)
{
    if (PyObject_CheckBuffer(value)) {
        const int known = fits(value, layout);
        if (known > 0)
            return PyObject_GetBuffer(value, buffer, PyBUF_FORMAT | PyBUF_STRIDES) < 0
                       ? -1
                       : lend(value, name, core_layout_size(layout), writable, buffer, out);
        if (known == 0)
            PyErr_Format(PyExc_TypeError, "%U is no array of the struct: its dtype is Contract.dtype(name)", name);
        return -1;
    }
    if (!writable)
        return core_pack_list(layout, value, name, keep, out);
    PyErr_Format(PyExc_TypeError, "%U is changed in place, so it must be a structured array, not %.100s", name,
                 Py_TYPE(value)->tp_name);
    return -1;
}

/* *keep: a tuple that holds the texts, and the array of them as its last item. */
int core_borrow_texts(PyObject *value, PyObject *name, PyObject **keep, loader_text *out)
{
    PyObject *items = PyBytes_Check(value) ? NULL : core_items(value); /* a list may change while the plugin runs */
    PyObject *memory;
    Py_ssize_t count;

    if (items == NULL) {
        if (!PyErr_Occurred() || core_not_of_type())
            PyErr_Format(PyExc_TypeError, "%U must be a sequence of str, not %.100s", name, Py_TYPE(value)->tp_name);
        return -1;
    }
    count = PyTuple_GET_SIZE(items);
    memory = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(loader_text));
    for (Py_ssize_t i = 0; memory != NULL && i < count; i++) {
        loader_text text;
        if (!PyUnicode_Check(PyTuple_GET_ITEM(items, i)))
            PyErr_Format(PyExc_TypeError, "%U[%zd] must be a str, not %.100s", name, i,
                         Py_TYPE(PyTuple_GET_ITEM(items, i))->tp_name);
        else if (core_borrow_text(PyTuple_GET_ITEM(items, i), name, &text) == 0) {
            memcpy(PyBytes_AS_STRING(memory) + (size_t)i * sizeof text, &text, sizeof text);
            continue;
        }
        Py_CLEAR(memory);
    }
    *keep = memory == NULL ? NULL : PyTuple_Pack(2, items, memory);
    Py_DECREF(items);
    Py_XDECREF(memory);
    if (*keep == NULL)
        return -1;
    out->data = PyBytes_AS_STRING(memory);
    out->size = (size_t)count;
    return 0;
}
