/* service_arguments.c: what a plugin passes to a function of a table, as Python objects, which are copies: it is the
 * plugin's only until the function returns.
 */
#include "call/service.h"

static PyObject *real_argument(const struct parameter *parameter, const struct passed *passed)
{
    double number;
    float narrow;

#if defined(_WIN32)
    memcpy(&number, &passed->words[parameter->place], sizeof number);
#else
    memcpy(&number, &passed->reals[parameter->place], sizeof number);
#endif
    if (parameter->kind == KIND_DOUBLE)
        return PyFloat_FromDouble(number);
    memcpy(&narrow, &number, sizeof narrow); /* in the low half of its register */
    return PyFloat_FromDouble((double)narrow);
}

/* A list whose items are not there yet is hidden from the garbage collector: see core_hidden. */
static PyObject *hidden_list(size_t size)
{
    PyObject *list = PyList_New((Py_ssize_t)size);

    if (list != NULL)
        PyObject_GC_UnTrack(list);
    return list;
}

static PyObject *shown_list(PyObject *list)
{
    if (list != NULL)
        PyObject_GC_Track(list);
    return list;
}

static PyObject *texts_argument(const loader_texts *texts)
{
    PyObject *list;

    if (texts->size > PY_SSIZE_T_MAX / sizeof(loader_text) || (texts->data == NULL && texts->size != 0))
        return PyErr_Format(PyExc_ValueError, "the plugin passed %zu texts at %p", texts->size, texts->data);
    list = hidden_list(texts->size);
    for (size_t i = 0; list != NULL && i < texts->size; i++) {
        PyObject *text = core_text_object(&texts->data[i], KIND_TEXT);
        PyList_SET_ITEM(list, (Py_ssize_t)i, text);
        if (text == NULL)
            Py_CLEAR(list);
    }
    return shown_list(list);
}

static PyObject *rows_argument(PyObject *layout, const loader_text *given)
{
    const size_t size = core_layout_size(layout);
    PyObject *list;

    if (given->size > PY_SSIZE_T_MAX / size || (given->data == NULL && given->size != 0))
        return PyErr_Format(PyExc_ValueError, "the plugin passed %zu structs at %p", given->size, given->data);
    list = hidden_list(given->size);
    for (size_t i = 0; list != NULL && i < given->size; i++) {
        PyObject *row = core_row(layout, given->data + i * size);
        PyList_SET_ITEM(list, (Py_ssize_t)i, row);
        if (row == NULL)
            Py_CLEAR(list);
    }
    return shown_list(list);
}

PyObject *core_argument(struct parameter *parameter, const struct passed *passed)
{
    const uintptr_t word = passed->words[is_real(parameter) ? 0 : parameter->place];
    const loader_text *given = (const loader_text *)word;
    PyObject *value;

    if (is_real(parameter))
        return real_argument(parameter, passed);
    if (parameter->kind == KIND_INTEGER) {
        value = core_from_integer(word, parameter->size, parameter->is_signed);
        return parameter->members == NULL || value == NULL ? value
                                                           : core_member(&parameter->members, value, parameter->name);
    }
    if (given == NULL)
        return PyErr_Format(PyExc_ValueError, "the plugin passed NULL where a pointer is wanted");
    switch (parameter->kind) {
    case KIND_STRUCT: return core_row(parameter->layout, given);
    case KIND_TEXTS: return texts_argument((const loader_texts *)word);
    case KIND_LIST: return rows_argument(parameter->layout, given);
    case KIND_NUMBERS: return core_copied_array(given, parameter->element, parameter->size);
    default: return core_text_object(given, parameter->kind);
    }
}
