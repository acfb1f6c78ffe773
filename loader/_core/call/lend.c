/* lend.c: an argument that is an interface: for the time of one call, a table of functions that leads to a Python
 * object. Its functions are those of services, and are called in the same way: see service.c.
 */
#include "call/service.h"

struct lent {
    PyObject_HEAD
    struct bound bound;
};

static void lent_dealloc(PyObject *object)
{
    core_unbind(&((struct lent *)object)->bound);
    Py_TYPE(object)->tp_free(object);
}

/* What is behind the table that an argument brings. */
PyTypeObject core_lent_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Lent",
    .tp_basicsize = sizeof(struct lent),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = lent_dealloc,
};

/* Its methods, in the order of the table; of a table with one function a callable will do. A method comes first: an
 * object that has it and can be called too means the method. */
static PyObject *methods_of(const core_table *table, PyObject *value, PyObject *name)
{
    PyObject *methods = core_hidden(PyTuple_New(table->count));

    for (Py_ssize_t i = 0; methods != NULL && i < table->count; i++) {
        PyObject *wanted = PyTuple_GET_ITEM(table->methods, i), *method = PyObject_GetAttr(value, wanted);
        if (method == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
            if (table->count == 1 && PyCallable_Check(value))
                method = Py_NewRef(value);
            else
                PyErr_Format(PyExc_TypeError, "%U must have a method %U%s, and %.100s has none", name, wanted,
                             table->count == 1 ? ", or be callable" : "", Py_TYPE(value)->tp_name);
        } else if (method != NULL && !PyCallable_Check(method)) {
            PyErr_Format(PyExc_TypeError, "%U must have a method %U, and that of %.100s is no function", name, wanted,
                         Py_TYPE(value)->tp_name);
            Py_CLEAR(method);
        }
        PyTuple_SET_ITEM(methods, i, method);
        if (method == NULL)
            Py_CLEAR(methods);
    }
    return methods == NULL ? NULL : core_shown(methods);
}

int core_lend(PyObject *object, PyObject *value, PyObject *name, PyObject **keep, uintptr_t *out)
{
    core_table *table = (core_table *)object;
    PyObject *methods = methods_of(table, value, name);
    struct lent *lent = methods == NULL ? NULL : (struct lent *)core_lent_type.tp_alloc(&core_lent_type, 0);

    if (lent != NULL) {
        lent->bound.id = table->label;
        lent->bound.id_size = strlen(table->label);
        if (core_bind(&lent->bound, object, methods) < 0)
            Py_CLEAR(lent);
    }
    Py_XDECREF(methods);
    if (lent == NULL)
        return -1;
    *out = (uintptr_t)&lent->bound.table;
    *keep = (PyObject *)lent;
    return 0;
}
