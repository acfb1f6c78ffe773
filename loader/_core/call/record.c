/* record.c: type Record, the base of frozen dataclasses: an object that keeps its native form, which pack.c makes at
 * the first call that wants it, so that passing it again costs nothing.
 */
#include "call/record.h"

static int record_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((core_record *)object)->storage);
    return 0;
}

static int record_clear(PyObject *object)
{
    core_record *self = (core_record *)object;

    self->native = NULL; /* it lies in the storage */
    Py_CLEAR(self->layout);
    Py_CLEAR(self->storage);
    return 0;
}

static void record_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    record_clear(object);
    Py_TYPE(object)->tp_free(object);
}

/* What pickle and copy take along: the attributes, not the native form. object's own __getstate__ refuses types
 * whose instances hold more than those. */
static PyObject *record_getstate(PyObject *self, PyObject *Py_UNUSED(none))
{
    PyObject *dict = PyObject_GetAttrString(self, "__dict__");
    PyObject *copyreg, *names = NULL, *slots = NULL, *state = NULL;

    if (dict == NULL) { /* a class with slots, or no memory */
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return NULL;
        PyErr_Clear();
        dict = Py_NewRef(Py_None);
    }
    copyreg = PyImport_ImportModule("copyreg");
    if (copyreg != NULL)
        names = PyObject_CallMethod(copyreg, "_slotnames", "O", (PyObject *)Py_TYPE(self));
    if (names != NULL && PyList_Check(names))
        slots = PyDict_New();
    if (slots == NULL)
        goto done;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names); i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        PyObject *value = PyObject_GetAttr(self, name);
        int failed = value == NULL ? !PyErr_ExceptionMatches(PyExc_AttributeError)
                                   : PyDict_SetItem(slots, name, value);
        Py_XDECREF(value);
        if (failed)
            goto done;
        PyErr_Clear(); /* a slot without a value */
    }
    state = PyDict_GET_SIZE(slots) == 0 ? Py_NewRef(dict) : PyTuple_Pack(2, dict, slots);
done:
    Py_XDECREF(slots);
    Py_XDECREF(names);
    Py_XDECREF(copyreg);
    Py_DECREF(dict);
    return state;
}

static PyMethodDef record_methods[] = {
    {"__getstate__", record_getstate, METH_NOARGS, "The attributes, for pickle and copy."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_record_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Record",
    .tp_doc = "Base of dataclasses that are passed as structs: a frozen one keeps the native form.",
    .tp_basicsize = sizeof(core_record),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = record_dealloc,
    .tp_traverse = record_traverse,
    .tp_clear = record_clear,
    .tp_methods = record_methods,
};
