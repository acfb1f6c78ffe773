/* keywords.c: the arguments of a Function that is called with keywords, or with too few or too many: put in the order
 * of its parameters. Apart from function.c, which is the hot path.
 */
#include "call/function.h"

static Py_ssize_t place_of(const function *f, PyObject *name)
{
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (f->parameters[i].name == name || PyUnicode_Compare(f->parameters[i].name, name) == 0)
            return i;
    return -1;
}

static int missing(const function *f, PyObject *const *values)
{
    PyObject *names = PyList_New(0), *comma = PyUnicode_FromString(", "), *list;

    for (Py_ssize_t i = 0; names != NULL && i < f->count; i++)
        if (values[i] == NULL && PyList_Append(names, f->parameters[i].name) < 0)
            Py_CLEAR(names);
    list = names == NULL || comma == NULL ? NULL : PyUnicode_Join(comma, names);
    if (list != NULL)
        PyErr_Format(PyExc_TypeError, "%U() is called without %U", f->name, list);
    Py_XDECREF(list);
    Py_XDECREF(comma);
    Py_XDECREF(names);
    return -1;
}

/* The one struct parameter that is not given, if any: keywords that name no parameter are its fields. */
static Py_ssize_t open_struct(const function *f, PyObject *const *values)
{
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (values[i] == NULL && f->parameters[i].kind == KIND_STRUCT)
            return i;
    return -1;
}

/* The `given` arguments, and behind them those that `kwnames` names, as `values` in the order of the parameters, which
 * are all NULL before. Keywords that name no parameter are fields of its struct: then *fields is a new dict, also where
 * it fails. 0, or -1 with TypeError. */
static int order(const function *f, PyObject *const *args, Py_ssize_t given, PyObject *kwnames, PyObject **values,
                 PyObject **fields)
{
    const Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);

    if (given > f->count) {
        PyErr_Format(PyExc_TypeError, "%U() takes %zd argument%s, %zd %s given", f->name, f->count,
                     f->count == 1 ? "" : "s", given, given == 1 ? "was" : "were");
        return -1;
    }
    for (Py_ssize_t i = 0; i < given; i++)
        values[i] = args[i];
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        Py_ssize_t place = place_of(f, name);
        if (place >= 0 && values[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "%U() got %U twice", f->name, name);
            return -1;
        }
        if (place >= 0) {
            values[place] = args[given + i];
            continue;
        }
        if (open_struct(f, values) < 0) {
            PyErr_Format(PyExc_TypeError, "%U() has no parameter %U", f->name, name);
            return -1;
        }
        if ((*fields == NULL && (*fields = PyDict_New()) == NULL) ||
            PyDict_SetItem(*fields, name, args[given + i]) < 0)
            return -1;
    }
    if (*fields != NULL && open_struct(f, values) >= 0) {
        values[open_struct(f, values)] = *fields;
    } else if (*fields != NULL) {
        PyErr_Format(PyExc_TypeError, "%U() got a struct and fields of it", f->name);
        return -1;
    }
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (values[i] == NULL)
            return missing(f, values);
    return 0;
}

PyObject *core_call_by_name(function *f, core_in_order call, PyObject *const *args, Py_ssize_t given, PyObject *kwnames)
{
    PyObject *values[MAX_PARAMETERS] = {NULL};
    PyObject *fields = NULL, *result = NULL;

    if (order(f, args, given, kwnames, values, &fields) == 0)
        result = call(f, values);
    Py_XDECREF(fields);
    return result;
}
