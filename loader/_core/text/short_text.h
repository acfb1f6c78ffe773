/* short_text.h: a short ASCII text as a new str: how most calls end.
 *
 * PyUnicode_New takes 60 instructions beside its memory, to find out what kind of str it is to make and to fill its
 * fields one by one. Of short ASCII texts all fields but the length are the same, so they are copied, all at once,
 * from a str that PyUnicode_New has made: 2 of the 30 ns of a call. Memory and counting are Python's own, as for
 * every object made in C: PyObject_Malloc, and PyObject_Init where more than a count begins with an object.
 */
#ifndef LOADER_SHORT_TEXT_H
#define LOADER_SHORT_TEXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "text/ascii.h"

/* A longer one costs so much that it does not matter; and these are of pymalloc's sizes. */
enum { SHORT_TEXT_MOST = 384 };

/* From 3.13 on a tracer may ask to be told of new objects; debug builds count them or keep them in a list. */
#if PY_VERSION_HEX >= 0x030D0000 || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS)
#  define SHORT_TEXT_INIT(text) (void)PyObject_Init((PyObject *)(text), &PyUnicode_Type)
#else
#  define SHORT_TEXT_INIT(text) (void)(text) /* the model's count is 1 */
#endif

/* Fills the model. Returns 0, or -1 with MemoryError. */
static inline int short_text_model(PyASCIIObject *model)
{
    PyObject *text = PyUnicode_New(2, 127); /* those of one character may be shared objects */

    if (text == NULL)
        return -1;
    memcpy(model, text, sizeof *model);
    Py_DECREF(text);
    return 0;
}

/* `size` bytes as a new str. NULL if they are not ASCII; with an exception if there is no memory. */
static inline PyObject *short_text(const PyASCIIObject *model, const char *data, size_t size)
{
    PyASCIIObject *text;
    char *to;

    if (!LOADER_LIKELY(size - 1 < SHORT_TEXT_MOST)) { /* 0 among them: the empty str is shared */
        PyObject *other = PyUnicode_New((Py_ssize_t)size, 127);

        if (other == NULL || size == 0 || ascii_copy_long((char *)PyUnicode_DATA(other), data, size))
            return other;
        Py_DECREF(other);
        return NULL;
    }
    text = (PyASCIIObject *)PyObject_Malloc(sizeof *text + size + 1);
    if (!LOADER_LIKELY(text != NULL))
        return PyErr_NoMemory();
    *text = *model;
    SHORT_TEXT_INIT(text);
    text->length = (Py_ssize_t)size;
    to = (char *)(text + 1);
    to[size] = '\0';
    if (LOADER_LIKELY(ascii_copy(to, data, size)))
        return (PyObject *)text;
    Py_DECREF(text);
    return NULL;
}

#endif /* LOADER_SHORT_TEXT_H */
