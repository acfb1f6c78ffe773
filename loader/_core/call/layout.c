/* layout.c: type Layout: how a C struct lies in memory, as loader/contract/ has read it in a header. */
#include "call/record.h"

static void layout_dealloc(PyObject *object)
{
    layout *self = (layout *)object;

    core_forget_frozen(self);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_XDECREF(self->fields[i].name);
        Py_XDECREF(self->fields[i].allowed);
        Py_XDECREF(self->fields[i].layout);
        Py_XDECREF(self->fields[i].members);
    }
    Py_XDECREF(self->row);
    Py_XDECREF(self->arrays);
    PyMem_Free(self->fields);
    Py_XDECREF(self->name);
    Py_TYPE(object)->tp_free(object);
}

size_t core_layout_size(PyObject *object)
{
    return ((layout *)object)->size;
}

PyObject *core_layout_arrays(PyObject *object)
{
    PyObject *form = core_made(&((layout *)object)->arrays, &PyTuple_Type);

    if (form != NULL && PyTuple_GET_SIZE(form) != 2)
        return PyErr_Format(PyExc_TypeError, "what is asked of arrays is a format and a function");
    return form;
}

size_t core_layout_texts(PyObject *object, size_t base, uint32_t *places, size_t room)
{
    const layout *self = (const layout *)object;
    size_t found = 0;

    for (Py_ssize_t i = 0; i < self->count; i++) {
        const struct field *field = &self->fields[i];
        for (size_t j = 0; j < (field->count == 0 ? 1 : field->count); j++) {
            const size_t at = base + field->offset + j * field->size;
            if (field->kind == KIND_STRUCT) {
                found += core_layout_texts(field->layout, at, places + found, found < room ? room - found : 0);
            } else if (field->kind == KIND_TEXT || field->kind == KIND_BYTES) {
                if (found < room)
                    places[found] = (uint32_t)at;
                found++;
            }
        }
    }
    return found;
}

static bool right_size(int kind, Py_ssize_t size, PyObject *nested)
{
    switch (kind) {
    case KIND_TEXT:
    case KIND_BYTES: return size == sizeof(loader_text);
    case KIND_DOUBLE: return size == sizeof(double);
    case KIND_FLOAT: return size == sizeof(float);
    case KIND_INTEGER: return size == 1 || size == 2 || size == 4 || size == 8;
    case KIND_STRUCT: return Py_TYPE(nested) == &core_layout_type && (size_t)size == core_layout_size(nested);
    default: return false;
    }
}

static int read_field(layout *self, PyObject *item, struct field *field)
{
    PyObject *name, *allowed = Py_None, *nested = Py_None, *members = Py_None;
    int kind, is_signed;
    Py_ssize_t offset, size, count = 0;

    if (!PyArg_ParseTuple(item, "UCnnp|OOnO", &name, &kind, &offset, &size, &is_signed, &allowed, &nested, &count,
                          &members))
        return -1;
    if (offset < 0 || count < 0 || !right_size(kind, size, nested) || (size_t)offset > self->size ||
        (self->size - (size_t)offset) / (size_t)size < (size_t)(count == 0 ? 1 : count)) {
        PyErr_Format(PyExc_ValueError, "field %U does not fit its struct", name);
        return -1;
    }
    if (allowed != Py_None && (field->allowed = core_allowed(allowed, name)) == NULL)
        return -1;
    field->name = Py_NewRef(name);
    PyUnicode_InternInPlace(&field->name);
    field->offset = (size_t)offset;
    field->size = (size_t)size;
    field->kind = (enum kind)kind;
    field->is_signed = is_signed != 0;
    field->count = (size_t)count;
    field->layout = kind == KIND_STRUCT ? Py_NewRef(nested) : NULL;
    field->members = members == Py_None ? NULL : Py_NewRef(members);
    return 0;
}

static PyObject *layout_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "size", "sized", "fields", "row", "arrays", NULL};
    PyObject *name, *fields, *row = Py_None, *arrays = Py_None;
    Py_ssize_t size;
    int sized;
    layout *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UnpO!|OO:Layout", names, &name, &size, &sized, &PyTuple_Type,
                                     &fields, &row, &arrays))
        return NULL;
    if (size < 1 || size > 4096 || (sized && size < 8)) {
        PyErr_SetString(PyExc_ValueError, "a struct has 1 to 4096 bytes");
        return NULL;
    }
    self = (layout *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->name = Py_NewRef(name);
    self->row = Py_NewRef(row);
    self->arrays = Py_NewRef(arrays);
    self->size = (size_t)size;
    self->sized = sized != 0;
    self->fields = PyMem_Calloc((size_t)PyTuple_GET_SIZE(fields) + 1, sizeof *self->fields);
    if (self->fields == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); i++, self->count++)
        if (read_field(self, PyTuple_GET_ITEM(fields, i), &self->fields[i]) < 0) {
            Py_DECREF(self);
            return NULL;
        }
    return (PyObject *)self;
}

PyTypeObject core_layout_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Layout",
    .tp_doc = "Layout(name, size, sized, fields, row): a C struct; fields are (name, kind, offset, size, signed,"
              " allowed, nested layout, count, members). `row`: the class of its rows, or what makes it; `arrays`:"
              " the same of what is asked of arrays.",
    .tp_basicsize = sizeof(layout),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = layout_new,
    .tp_dealloc = layout_dealloc,
};
