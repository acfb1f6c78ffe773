/* function_type.c: the type Function: how one is made of a contract's declaration, and what Python sees of it. How
 * it is called: function.c.
 */
#include "call/function.h"

#include <structmember.h>

/* ---- Making one -------------------------------------------------------------------------------------- */

static int read_parameter(struct parameter *parameter, PyObject *item)
{
    PyObject *name, *layout, *allowed = Py_None;
    int kind, is_signed;
    Py_ssize_t size;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a parameter is a tuple, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(item, "UCnpO|O", &name, &kind, &size, &is_signed, &layout, &allowed))
        return -1;
    if ((kind != KIND_TEXT && kind != KIND_BYTES && kind != KIND_STRUCT && kind != KIND_INTEGER) ||
        (size != 1 && size != 2 && size != 4 && size != 8) ||
        (kind == KIND_STRUCT) != (Py_TYPE(layout) == &core_layout_type)) {
        PyErr_Format(PyExc_ValueError, "%U is not a parameter", name);
        return -1;
    }
    if (allowed != Py_None && (parameter->allowed = core_allowed(allowed, name)) == NULL)
        return -1;
    parameter->name = Py_NewRef(name);
    PyUnicode_InternInPlace(&parameter->name);
    parameter->kind = (enum kind)kind;
    parameter->size = (size_t)size;
    parameter->is_signed = is_signed != 0;
    parameter->layout = Py_NewRef(layout);
    return 0;
}

static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "address", "owner", "parameters", "gives_bytes", "doc", "plugin", "signature",
                            NULL};
    PyObject *name, *address, *owner, *parameters, *doc, *plugin, *signature;
    int gives_bytes;
    void *pointer;
    function *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOO!O!pOOO:Function", names, &name, &address, &core_owner_type,
                                     &owner, &PyTuple_Type, &parameters, &gives_bytes, &doc, &plugin, &signature))
        return NULL;
    pointer = PyLong_AsVoidPtr(address);
    if (pointer == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a function is not at address 0");
        return NULL;
    }
    if (PyTuple_GET_SIZE(parameters) > MAX_PARAMETERS)
        return PyErr_Format(PyExc_ValueError, "%U has more than %d parameters", name, MAX_PARAMETERS);
    self = (function *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = core_function_vectorcall;
    memcpy(&self->address, &pointer, sizeof pointer); /* ISO C has no cast from data to function pointers */
    self->owner = (core_owner *)Py_NewRef(owner);
    self->step.name = PyUnicode_AsUTF8(name);
    if (self->step.name == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    core_note_range(self->owner, pointer);
    self->never_blocks = self->owner->promises != NULL && PySet_Contains(self->owner->promises, name) == 1;
    self->gives_bytes = gives_bytes != 0;
    self->name = Py_NewRef(name);
    self->doc = Py_NewRef(doc);
    self->plugin = Py_NewRef(plugin);
    self->signature = Py_NewRef(signature);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parameters); i++, self->count++)
        if (read_parameter(&self->parameters[i], PyTuple_GET_ITEM(parameters, i)) < 0) {
            Py_DECREF(self);
            return NULL;
        }
    return (PyObject *)self;
}

/* ---- The type ---------------------------------------------------------------------------------------- */

static int function_traverse(PyObject *object, visitproc visit, void *arg)
{
    function *self = (function *)object;
    Py_VISIT(self->plugin);
    Py_VISIT(self->signature);
    Py_VISIT((PyObject *)self->owner);
    return 0;
}

static int function_clear(PyObject *object)
{
    function *self = (function *)object;
    Py_CLEAR(self->plugin);
    Py_CLEAR(self->signature);
    return 0;
}

static void function_dealloc(PyObject *object)
{
    function *self = (function *)object;

    PyObject_GC_UnTrack(object);
    function_clear(object);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_XDECREF(self->parameters[i].name);
        Py_XDECREF(self->parameters[i].layout);
        Py_XDECREF(self->parameters[i].allowed);
    }
    Py_XDECREF(self->owner);
    Py_XDECREF(self->name);
    Py_XDECREF(self->doc);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *function_repr(PyObject *object)
{
    function *self = (function *)object;
    return PyUnicode_FromFormat("<function %U of plugin %U>", self->name, self->owner->name);
}

static PyObject *function_signature(PyObject *object, void *Py_UNUSED(closure))
{
    function *self = (function *)object;

    if (self->signature != NULL && PyCallable_Check(self->signature)) {
        PyObject *made = PyObject_CallNoArgs(self->signature);
        if (made == NULL)
            return NULL;
        Py_XSETREF(self->signature, made);
    }
    return Py_NewRef(self->signature == NULL ? Py_None : self->signature);
}

static PyObject *function_address(PyObject *object, void *Py_UNUSED(closure))
{
    void *pointer;
    memcpy(&pointer, &((function *)object)->address, sizeof pointer);
    return PyLong_FromVoidPtr(pointer);
}

static PyObject *function_reduce(PyObject *object, PyObject *Py_UNUSED(none))
{
    function *self = (function *)object;
    PyObject *plugin = self->plugin == NULL ? Py_None : self->plugin;
    /* From the class: a plugin's own attributes may be functions of any name. */
    PyObject *find = PyObject_GetAttrString((PyObject *)Py_TYPE(plugin), "_function");

    return find == NULL ? NULL : Py_BuildValue("N(OO)", find, plugin, self->name);
}

static PyMemberDef function_members[] = {
    {"__name__", T_OBJECT, offsetof(function, name), READONLY, NULL},
    {"__qualname__", T_OBJECT, offsetof(function, name), READONLY, NULL},
    {"__doc__", T_OBJECT, offsetof(function, doc), READONLY, NULL},
    {"plugin", T_OBJECT, offsetof(function, plugin), READONLY, "The Plugin that it belongs to."},
    {"owner", T_OBJECT, offsetof(function, owner), READONLY, "The plugin, for the C side."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef function_getset[] = {
    {"__signature__", function_signature, NULL, "For inspect.signature.", NULL},
    {"address", function_address, NULL, "Where the function is, for engines in C.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef function_methods[] = {
    {"__reduce__", function_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_function_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Function",
    .tp_basicsize = sizeof(function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(function, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = function_new,
    .tp_dealloc = function_dealloc,
    .tp_traverse = function_traverse,
    .tp_clear = function_clear,
    .tp_repr = function_repr,
    .tp_members = function_members,
    .tp_getset = function_getset,
    .tp_methods = function_methods,
};
