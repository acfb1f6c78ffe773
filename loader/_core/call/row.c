/* row.c: structs from C to Python, as rows: results of plugins, arguments of services. The other way is
 * pack.c. */
#include "call/record.h"

void core_set_sizes(PyObject *layout_object, char *memory)
{
    const layout *self = (layout *)layout_object;

    if (self->sized)
        memcpy(memory, &self->size, sizeof self->size);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        const struct field *field = &self->fields[i];
        for (size_t j = 0; field->kind == KIND_STRUCT && j < (field->count ? field->count : 1); j++)
            core_set_sizes(field->layout, memory + field->offset + j * field->size);
    }
}

static PyObject *load_one(struct field *field, const char *at)
{
    PyObject *value;

    if (field->kind == KIND_STRUCT)
        return core_row(field->layout, at);
    value = core_load_field(field, at);
    return field->members == NULL || value == NULL ? value : core_member(&field->members, value, field->name);
}

static PyObject *load(struct field *field, const char *native)
{
    const char *at = native + field->offset;
    PyObject *values;

    if (field->count == 0)
        return load_one(field, at);
    values = core_hidden(PyTuple_New((Py_ssize_t)field->count));
    for (size_t i = 0; values != NULL && i < field->count; i++) {
        PyObject *value = load_one(field, at + i * field->size);
        PyTuple_SET_ITEM(values, (Py_ssize_t)i, value);
        if (value == NULL)
            Py_CLEAR(values);
    }
    return values == NULL ? NULL : core_shown(values);
}

PyObject *core_new_row(PyObject **type, Py_ssize_t count)
{
    /* To make it takes as long as hundreds of calls. */
    PyTypeObject *row = (PyTypeObject *)core_made(type, &PyType_Type);

    if (row != NULL && !PyType_IsSubtype(row, &PyTuple_Type))
        return PyErr_Format(PyExc_TypeError, "a row is a tuple, not a %.100s", row->tp_name);
    return row == NULL ? NULL : core_hidden(row->tp_alloc(row, count));
}

PyObject *core_row(PyObject *layout_object, const void *native)
{
    layout *self = (layout *)layout_object;
    PyObject *row = core_new_row(&self->row, self->count);

    for (Py_ssize_t i = 0; row != NULL && i < self->count; i++) {
        PyObject *value = load(&self->fields[i], native);
        PyTuple_SET_ITEM(row, i, value);
        if (value == NULL)
            Py_CLEAR(row);
    }
    return row == NULL ? NULL : core_shown(row);
}
