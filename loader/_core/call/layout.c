/* layout.c: type Layout: how a C struct lies in memory, as loader/contract/ has read it in a header. */
#include "call/record.h"

static void layout_dealloc(PyObject *object)
{
    layout *self = (layout *)object;

    core_forget_frozen(self);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_XDECREF(self->fields[i].name);
        Py_XDECREF(self->fields[i].allowed);
    }
    PyMem_Free(self->fields);
    Py_XDECREF(self->name);
    Py_TYPE(object)->tp_free(object);
}

static int read_field(layout *self, PyObject *item, struct field *field)
{
    PyObject *name, *allowed = Py_None;
    int kind, is_signed;
    Py_ssize_t offset, size;

    if (!PyArg_ParseTuple(item, "UCnnp|O", &name, &kind, &offset, &size, &is_signed, &allowed))
        return -1;
    if (offset < 0 || size < 1 || size > 16 || (size_t)offset > self->size ||
        self->size - (size_t)offset < (size_t)size ||
        (kind != KIND_TEXT && kind != KIND_BYTES && kind != KIND_INTEGER && kind != KIND_DOUBLE) ||
        ((kind == KIND_TEXT || kind == KIND_BYTES) && size != 16) || (kind == KIND_DOUBLE && size != 8) ||
        (kind == KIND_INTEGER && size != 1 && size != 2 && size != 4 && size != 8)) {
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
    return 0;
}

static PyObject *layout_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "size", "sized", "fields", NULL};
    PyObject *name, *fields;
    Py_ssize_t size;
    int sized;
    layout *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UnpO!:Layout", names, &name, &size, &sized, &PyTuple_Type,
                                     &fields))
        return NULL;
    if (size < 1 || size > 4096 || (sized && size < 8)) {
        PyErr_SetString(PyExc_ValueError, "a struct has 1 to 4096 bytes");
        return NULL;
    }
    self = (layout *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->name = Py_NewRef(name);
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
    .tp_doc = "Layout(name, size, sized, fields): a C struct; fields are (name, kind, offset, size, signed, allowed)."
              " `allowed`, of integers, may be left out: see core_choice in value.c.",
    .tp_basicsize = sizeof(layout),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = layout_new,
    .tp_dealloc = layout_dealloc,
};
