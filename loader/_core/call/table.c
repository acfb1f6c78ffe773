/* table.c: what a header declares of a table of functions (type Table), and tables that are filled by it. */
#include "remote/remote.h"

/* ---- Table ------------------------------------------------------------------------------------------- */

/* Whether functions of tables may take it, or give it. */
static bool passes(const struct parameter *parameter, bool result)
{
    switch (parameter->kind) {
    case KIND_TENSOR:
    case KIND_INTERFACE:
    case KIND_INSTANCE:
    case KIND_ARROW: return false;
    default: return !parameter->writable && !(result && parameter->kind == KIND_TEXTS);
    }
}

/* (name, parameters, results); the last two as of a Function. */
static int read_function(struct service_function *entry, PyObject *item)
{
    PyObject *name, *parameters, *results;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a function is a tuple, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(item, "UO!O!", &name, &PyTuple_Type, &parameters, &PyTuple_Type, &results))
        return -1;
    const Py_ssize_t count = PyTuple_GET_SIZE(parameters), all = count + PyTuple_GET_SIZE(results);
    if (all > MAX_PARAMETERS) {
        PyErr_Format(PyExc_ValueError, "%U has too many parameters", name);
        return -1;
    }
    entry->name = Py_NewRef(name);
    entry->parameters = PyMem_Calloc((size_t)all + 1, sizeof *entry->parameters);
    if (entry->parameters == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    entry->count = count;
    entry->result_count = all - count;
    for (Py_ssize_t i = 0; i < all; i++) {
        struct parameter *parameter = &entry->parameters[i];
        if (core_read_parameter(parameter, i < count ? PyTuple_GET_ITEM(parameters, i)
                                                     : PyTuple_GET_ITEM(results, i - count)) < 0)
            return -1;
        if (!passes(parameter, i >= count)) {
            PyErr_Format(PyExc_ValueError, "%U does not pass through a table", parameter->name);
            return -1;
        }
    }
#if defined(CORE_REMOTE)
    entry->plan = core_plan(entry->parameters, count, all - count);
    if (entry->plan == NULL)
        return -1;
#endif
    return 0;
}

/* Of an interface: a name for each function, and its own. */
static int name_methods(core_table *self, PyObject *methods)
{
    bool right = PyTuple_GET_SIZE(methods) == self->count + 1;

    for (Py_ssize_t i = 0; right && i <= self->count; i++)
        right = PyUnicode_Check(PyTuple_GET_ITEM(methods, i));
    if (!right) {
        PyErr_SetString(PyExc_ValueError, "an interface has a name for each of its functions, and one of its own");
        return -1;
    }
    self->label = PyUnicode_AsUTF8(PyTuple_GET_ITEM(methods, self->count));
    self->methods = Py_NewRef(methods);
    return self->label == NULL ? -1 : 0;
}

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"functions", "methods", NULL};
    PyObject *functions, *methods = NULL;
    core_table *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|O!:Table", names, &PyTuple_Type, &functions, &PyTuple_Type,
                                     &methods))
        return NULL;
    if (PyTuple_GET_SIZE(functions) > MAX_FUNCTIONS)
        return PyErr_Format(PyExc_ValueError, "a table has at most %d functions", MAX_FUNCTIONS);
    self = (core_table *)type->tp_alloc(type, 0);
    for (Py_ssize_t i = 0; self != NULL && i < PyTuple_GET_SIZE(functions); i++) {
        self->count++; /* counted first: what is read in part is given back too */
        if (read_function(&self->functions[i], PyTuple_GET_ITEM(functions, i)) < 0)
            Py_CLEAR(self);
    }
    if (self != NULL && methods != NULL && name_methods(self, methods) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void table_dealloc(PyObject *object)
{
    core_table *self = (core_table *)object;

    for (Py_ssize_t i = 0; i < self->count; i++) {
        struct service_function *entry = &self->functions[i];
        for (Py_ssize_t j = 0; j < entry->count + entry->result_count; j++)
            core_clear_parameter(&entry->parameters[j]);
        PyMem_Free(entry->parameters);
        PyMem_RawFree(entry->plan);
        Py_XDECREF(entry->name);
    }
    Py_XDECREF(self->methods);
    Py_TYPE(object)->tp_free(object);
}

PyTypeObject core_table_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Table",
    .tp_doc = "Table(functions, methods=None): what a header declares of a table; functions are (name, parameters, "
              "results). methods: of an interface: their names, and its own.",
    .tp_basicsize = sizeof(core_table),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = table_new,
    .tp_dealloc = table_dealloc,
};

/* ---- Filled ------------------------------------------------------------------------------------------ */

int core_bind(struct bound *bound, PyObject *shape, PyObject *callables)
{
    core_table *table = (core_table *)shape;

    if (Py_TYPE(shape) != &core_table_type || !PyTuple_Check(callables) ||
        PyTuple_GET_SIZE(callables) != table->count) {
        PyErr_SetString(PyExc_TypeError, "a Table, and a callable for each of its functions");
        return -1;
    }
    bound->callables = PyMem_Calloc((size_t)table->count + 1, sizeof *bound->callables);
    if (bound->callables == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    bound->shape = (core_table *)Py_NewRef(shape);
    for (Py_ssize_t i = 0; i < table->count; i++) {
        bound->callables[i] = Py_NewRef(PyTuple_GET_ITEM(callables, i));
        bound->table.functions[i] = core_thunk(&table->functions[i], i);
    }
    bound->table.size = offsetof(struct native_table, functions) + (size_t)table->count * sizeof(thunk);
    bound->magic = MAGIC;
    return 0;
}

void core_unbind(struct bound *bound)
{
    bound->magic = 0;
    for (Py_ssize_t i = 0; bound->shape != NULL && i < bound->shape->count; i++)
        Py_XDECREF(bound->callables[i]);
    PyMem_Free(bound->callables);
    bound->callables = NULL;
    Py_CLEAR(bound->shape);
}
