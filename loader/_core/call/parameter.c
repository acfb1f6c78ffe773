/* parameter.c: see parameter.h. */
#include "call/instance.h"
#include "call/service.h"

/* What goes with a kind: a Layout, Table or Class, or nothing. */
static bool is_with(enum kind kind, PyObject *layout)
{
    switch (kind) {
    case KIND_STRUCT:
    case KIND_LIST: return Py_TYPE(layout) == &core_layout_type;
    case KIND_INTERFACE: return Py_TYPE(layout) == &core_table_type && ((core_table *)layout)->methods != NULL;
    case KIND_INSTANCE: return Py_TYPE(layout) == &core_class_type;
    default: return true;
    }
}

int core_read_parameter(struct parameter *parameter, PyObject *item)
{
    PyObject *name, *layout, *allowed = Py_None, *members = Py_None;
    const char *element = "";
    int kind, is_signed, place, writable;
    Py_ssize_t size;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a parameter is a tuple, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(item, "UCnpOOipsO", &name, &kind, &size, &is_signed, &layout, &allowed, &place, &writable,
                          &element, &members))
        return -1;
    if (kind == '\0' || strchr("tbsifdnlvxoca", kind) == NULL || (size != 1 && size != 2 && size != 4 && size != 8) ||
        (kind == KIND_FLOAT && size != 4) || (kind == KIND_DOUBLE && size != 8) ||
        (kind == KIND_NUMBERS) != (*element != '\0' && strchr("fiu", *element) != NULL) || place < 0 ||
        place >= CORE_SLOTS ||
        !is_with((enum kind)kind, layout)) {
        PyErr_Format(PyExc_ValueError, "%U is not a parameter", name);
        return -1;
    }
#if !defined(__x86_64__) && !defined(_M_X64) && !defined(__aarch64__) && !defined(_M_ARM64)
    if (kind == KIND_FLOAT) { /* where in its register it lies is not known here */
        PyErr_Format(PyExc_ValueError, "%U is a float, which cannot be passed on this CPU; use double", name);
        return -1;
    }
#endif
    if (allowed != Py_None && (parameter->allowed = core_allowed(allowed, name)) == NULL)
        return -1;
    parameter->name = Py_NewRef(name);
    PyUnicode_InternInPlace(&parameter->name);
    parameter->kind = (enum kind)kind;
    parameter->size = (size_t)size;
    parameter->is_signed = is_signed != 0;
    parameter->layout = Py_NewRef(layout);
    parameter->place = (unsigned char)place;
    parameter->writable = writable != 0;
    parameter->element = *element;
    if (members != Py_None)
        parameter->members = Py_NewRef(members);
    return 0;
}

void core_clear_parameter(struct parameter *parameter)
{
    Py_XDECREF(parameter->name);
    Py_XDECREF(parameter->layout);
    Py_XDECREF(parameter->allowed);
    Py_XDECREF(parameter->members);
}
