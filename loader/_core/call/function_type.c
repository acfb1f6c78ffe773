/* function_type.c: the type Function: how one is made of a contract's declaration, and what Python sees of it. How
 * it is called: function.c. What callers have of it: builtin.c.
 */
#include "remote/remote.h"

#include <structmember.h>

/* ---- Making one -------------------------------------------------------------------------------------- */

static size_t result_size(const struct parameter *result)
{
    if (result->kind == KIND_STRUCT)
        return core_layout_size(result->layout);
    if (result->kind == KIND_ARROW)
        return core_arrow_size();
    return result->kind == KIND_INTEGER || result->kind == KIND_FLOAT || result->kind == KIND_DOUBLE
               ? result->size
               : sizeof(loader_text);
}

/* Reads what the function is called with and gives. */
static int read_parameters(function *self, PyObject *parameters, PyObject *results)
{
    self->count = PyTuple_GET_SIZE(parameters);
    self->results = self->parameters + self->count;
    self->result_count = (int)PyTuple_GET_SIZE(results);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        struct parameter *parameter = &self->parameters[i];
        if (core_read_parameter(parameter, PyTuple_GET_ITEM(parameters, i)) < 0)
            return -1;
        self->instances += parameter->kind == KIND_INSTANCE;
        if (is_real(parameter)) {
            self->reals++;
            if (parameter->place < 3)
                self->real_registers |= 1 << parameter->place;
        } else {
            self->words++;
        }
    }
    for (int i = 0; i < self->result_count; i++) {
        struct parameter *result = &self->results[i];
        if (core_read_parameter(result, PyTuple_GET_ITEM(results, i)) < 0)
            return -1;
        self->words++; /* a pointer */
        result->offset = self->result_size;
        self->result_size += (result_size(result) + 15) / 16 * 16;
    }
    return 0;
}

static PyObject *function_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return ((function *)self)->entry(self, args, PyVectorcall_NARGS(nargsf), kwnames);
}

static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "address", "owner", "parameters", "results", "row", "gives", "doc", "text",
                            "plugin", "signature", "ends", NULL};
    PyObject *name, *address, *owner, *parameters, *results, *row, *doc, *text, *plugin, *signature;
    const char *gives;
    int ends = 0;
    core_function found;
    function *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOO!O!O!OsOSOO|p:Function", names, &name, &address,
                                     &core_owner_type, &owner, &PyTuple_Type, &parameters, &PyTuple_Type, &results,
                                     &row, &gives, &doc, &text, &plugin, &signature, &ends))
        return NULL;
    found = core_function_at((core_owner *)owner, address);
    if (found == NULL)
        return NULL;
    if (PyTuple_GET_SIZE(parameters) + PyTuple_GET_SIZE(results) > MAX_PARAMETERS)
        return PyErr_Format(PyExc_ValueError, "%U has more than %d parameters", name, MAX_PARAMETERS);
    self = (function *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->address = found;
    self->owner = (core_owner *)Py_NewRef(owner);
    self->step.name = PyUnicode_AsUTF8(name);
    if (self->step.name == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    self->never_blocks = core_promised(self->owner, name);
    self->gives = (enum kind)*gives;
    self->row = Py_NewRef(row);
    self->name = Py_NewRef(name);
    self->doc = Py_NewRef(doc);
    self->text = Py_NewRef(text);
    self->plugin = Py_NewRef(plugin);
    self->signature = Py_NewRef(signature);
    if (read_parameters(self, parameters, results) < 0) {
        Py_DECREF(self);
        return NULL;
    }
#if defined(CORE_REMOTE)
    if (self->owner->remote != NULL &&
        (self->plan = core_plan(self->parameters, self->count, self->result_count)) == NULL) {
        Py_DECREF(self);
        return NULL;
    }
#endif
    if (self->words > MAX_WORDS || self->reals > MAX_REALS) {
        Py_DECREF(self);
        return PyErr_Format(PyExc_ValueError, "%U has too many parameters of one class", name);
    }
    self->is_small = self->words <= 2 && self->reals <= 2;
    self->ends = ends != 0;
    self->vectorcall = function_vectorcall;
    self->entry = self->owner->remote == NULL ? core_doubles_entry(self) : NULL;
    if (self->entry == NULL)
        self->entry = self->reals > 0 || self->result_count > 0 || self->instances > 0 || self->ends
                          ? core_enter_typed
                          : core_enter_function;
    if (!PyType_IsSubtype(type, &core_method_type) && core_make_builtin(self) < 0) {
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
    Py_VISIT(self->row);
    Py_VISIT(self->builtin);
    Py_VISIT((PyObject *)self->owner);
    for (Py_ssize_t i = 0; i < self->count + self->result_count; i++)
        Py_VISIT(self->parameters[i].layout); /* a Class leads back here */
    return 0;
}

static int function_clear(PyObject *object)
{
    function *self = (function *)object;
    Py_CLEAR(self->plugin);
    Py_CLEAR(self->signature);
    Py_XSETREF(self->row, Py_NewRef(Py_None)); /* a destructor that goes with it may call it yet */
    Py_CLEAR(self->builtin);
    return 0;
}

static void function_dealloc(PyObject *object)
{
    function *self = (function *)object;

    PyObject_GC_UnTrack(object);
    function_clear(object);
    for (Py_ssize_t i = 0; i < self->count + self->result_count; i++)
        core_clear_parameter(&self->parameters[i]);
    Py_XDECREF(self->row);
    PyMem_RawFree(self->plan);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->name);
    Py_XDECREF(self->doc);
    Py_XDECREF(self->text);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *function_repr(PyObject *object)
{
    function *self = (function *)object;
    return PyUnicode_FromFormat("<function %U of plugin %U>", self->name, self->owner->name);
}

/* Under its own name it has its builtin, before all else: there pickle looks for it. */
static PyObject *function_getattro(PyObject *object, PyObject *name)
{
    function *self = (function *)object;

    if (self->builtin != NULL && (name == self->name || PyUnicode_Compare(name, self->name) == 0))
        return Py_NewRef(self->builtin);
    return PyErr_Occurred() ? NULL : PyObject_GenericGetAttr(object, name);
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
    function *self = (function *)object;
    void *pointer;

    if (self->owner->remote != NULL)
        return PyErr_Format(PyExc_TypeError, "%U of plugin %U has no address here: it is in another process",
                            self->name, self->owner->name);
    memcpy(&pointer, &self->address, sizeof pointer);
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
    {"plugin", T_OBJECT, offsetof(function, plugin), 0, "The Plugin that it belongs to; see loader/reload.py."},
    {"builtin", T_OBJECT, offsetof(function, builtin), READONLY, "What callers have; None: a Method."},
    {"owner", T_OBJECT, offsetof(function, owner), READONLY, "The plugin, for the C side."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef function_getset[] = {
    {"__signature__", function_signature, NULL, "For inspect.signature.", NULL},
    {"address", function_address, NULL, "Where the function is, for engines in C. TypeError: in another process.", NULL},
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
    .tp_getattro = function_getattro,
    .tp_members = function_members,
    .tp_getset = function_getset,
    .tp_methods = function_methods,
};

/* ---- Methods of a class ------------------------------------------------------------------------------ */

static PyObject *method_get(PyObject *object, PyObject *instance, PyObject *Py_UNUSED(type))
{
    return instance == NULL || instance == Py_None ? Py_NewRef(object) : PyMethod_New(object, instance);
}

static PyObject *method_reduce(PyObject *object, PyObject *Py_UNUSED(none))
{
    function *self = (function *)object;

    return PyErr_Format(PyExc_TypeError, "%U is a method of instances, which cannot be pickled", self->name);
}

static PyMethodDef method_methods[] = {
    {"__reduce__", method_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* A Function in the class of its first parameter, which is found through an instance. */
PyTypeObject core_method_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Method",
    .tp_base = &core_function_type,
    .tp_basicsize = sizeof(function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_vectorcall_offset = offsetof(function, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = function_new,
    .tp_dealloc = function_dealloc,
    .tp_traverse = function_traverse,
    .tp_clear = function_clear,
    .tp_descr_get = method_get,
    .tp_members = function_members, /* a type without a docstring of its own has None as __doc__, and so its objects */
    .tp_methods = method_methods,
};
