/* value.c: single values, from Python objects to C and back: texts, integers, the fields of a struct. Arguments of
 * contract functions (function.c), structs (pack.c) and what passes through services (service.c) all come here.
 */
#include "call/internal.h"

#include <limits.h>

/* ---- From Python to C -------------------------------------------------------------------------------- */

bool core_not_of_type(void)
{
    PyObject *error, *trace;
    bool plain;

    if (!PyErr_ExceptionMatches(PyExc_TypeError))
        return false;
    error = core_raised();
    trace = PyException_GetTraceback(error);
    plain = trace == NULL;
    Py_XDECREF(trace);
    core_raise_again(error);
    return plain;
}

PyObject *core_items(PyObject *value)
{
    PyObject *iterator, *items, *tuple = NULL, *item;
    Py_ssize_t count;

    if (PyTuple_CheckExact(value) || PyList_CheckExact(value))
        return PySequence_Tuple(value);
    if (!PySequence_Check(value) || PyUnicode_Check(value))
        return NULL;
    count = PyObject_Size(value);
    iterator = count < 0 ? NULL : PyObject_GetIter(value);
    items = iterator == NULL ? NULL : PyList_New(0);
    while (items != NULL && (item = PyIter_Next(iterator)) != NULL) {
        if (PyList_GET_SIZE(items) == count) {
            PyErr_Format(PyExc_ValueError, "this %.100s says that it has %zd items, and has more",
                         Py_TYPE(value)->tp_name, count);
            Py_CLEAR(items);
        } else if (PyList_Append(items, item) < 0) {
            Py_CLEAR(items);
        }
        Py_DECREF(item);
    }
    if (items != NULL && !PyErr_Occurred())
        tuple = PyList_AsTuple(items);
    Py_XDECREF(items);
    Py_XDECREF(iterator);
    return tuple;
}

int core_borrow_text(PyObject *value, PyObject *name, loader_text *out)
{
    const char *data;
    Py_ssize_t size;

    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%U must be a str, not %.100s", name, Py_TYPE(value)->tp_name);
        return -1;
    }
    if (PyUnicode_IS_COMPACT_ASCII(value)) {
        out->data = (const char *)PyUnicode_DATA(value);
        out->size = (size_t)PyUnicode_GET_LENGTH(value);
        return 0;
    }
    data = PyUnicode_AsUTF8AndSize(value, &size);
    if (data == NULL)
        return -1;
    *out = (loader_text){data, (size_t)size};
    return 0;
}

int core_integer(PyObject *value, size_t size, bool is_signed, PyObject *name, uintptr_t *out)
{
    PyObject *index = PyNumber_Index(value);
    unsigned bits = (unsigned)size * 8;

    if (index == NULL) {
        if (core_not_of_type())
            PyErr_Format(PyExc_TypeError, "%U must be an int, not %.100s", name, Py_TYPE(value)->tp_name);
        return -1;
    }
    if (is_signed) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(index, &overflow);
        long long most = bits == 64 ? LLONG_MAX : (1LL << (bits - 1)) - 1;
        Py_DECREF(index);
        if (number == -1 && PyErr_Occurred())
            return -1;
        if (overflow == 0 && number <= most && number >= -most - 1) {
            *out = (uintptr_t)number;
            return 0;
        }
    } else {
        unsigned long long number = PyLong_AsUnsignedLongLong(index);
        bool failed = number == (unsigned long long)-1 && PyErr_Occurred();
        Py_DECREF(index);
        if (failed && !PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
        if (!failed && (bits == 64 || number >> bits == 0)) {
            *out = (uintptr_t)number;
            return 0;
        }
    }
    PyErr_Format(PyExc_OverflowError, "%U does not fit %s of %u bits", name,
                 is_signed ? "a signed integer" : "an unsigned integer", bits);
    return -1;
}

int core_real(PyObject *value, PyObject *name, double *out)
{
    *out = PyFloat_AsDouble(value);
    if (*out != -1.0 || !PyErr_Occurred())
        return 0;
    if (core_not_of_type())
        PyErr_Format(PyExc_TypeError, "%U must be a float, not %.100s", name, Py_TYPE(value)->tp_name);
    return -1;
}

/* What core_choice takes: (frozenset of int, how they are told to people). A new reference, or NULL with an
 * exception. */
PyObject *core_allowed(PyObject *given, PyObject *name)
{
    if (PyTuple_Check(given) && PyTuple_GET_SIZE(given) == 2 && PyFrozenSet_Check(PyTuple_GET_ITEM(given, 0)) &&
        PyUnicode_Check(PyTuple_GET_ITEM(given, 1)))
        return Py_NewRef(given);
    return PyErr_Format(PyExc_TypeError, "the values of %U are a frozenset and a str", name);
}

/* core_integer for one of the values of an enum, or of bool: any other would be undefined behaviour in a plugin. */
int core_choice(PyObject *allowed, PyObject *value, size_t size, bool is_signed, PyObject *name, uintptr_t *out)
{
    PyObject *index = PyNumber_Index(value); /* asked once: it may say something else the next time */
    int known = index == NULL ? -1 : PySet_Contains(PyTuple_GET_ITEM(allowed, 0), index);

    if (known == 1)
        known = core_integer(index, size, is_signed, name, out);
    else if (known == 0)
        known = (PyErr_Format(PyExc_ValueError, "%U is %U, not %R", name, PyTuple_GET_ITEM(allowed, 1), index), -1);
    else if (index == NULL && core_not_of_type())
        PyErr_Format(PyExc_TypeError, "%U is %U, not %.100s", name, PyTuple_GET_ITEM(allowed, 1),
                     Py_TYPE(value)->tp_name);
    Py_XDECREF(index);
    return known;
}

/* *item is a copy from now on if it is no bytes: what it holds may change while the struct is kept. */
static int store_bytes(const struct field *field, char *memory, PyObject **item)
{
    const bool changes = !PyBytes_Check(*item);
    loader_text text;

    if (changes) {
        PyObject *copy = PyObject_CheckBuffer(*item) ? PyBytes_FromObject(*item) : NULL;
        if (copy == NULL) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_TypeError, "%U must be bytes, not %.100s", field->name, Py_TYPE(*item)->tp_name);
            return -1;
        }
        Py_SETREF(*item, copy);
    }
    text.data = PyBytes_AS_STRING(*item);
    text.size = (size_t)PyBytes_GET_SIZE(*item);
    memcpy(memory, &text, sizeof text);
    return changes;
}

/* Writes *item to a field's memory, which borrows its text. Of an array, one element. Returns 1 if the same object may
 * have another value later. */
int core_store_field(const struct field *field, char *memory, PyObject **item)
{
    PyObject *const value = *item;
    loader_text text;
    uintptr_t number;
    double real;
    float narrow;

    switch (field->kind) {
    case KIND_TEXT:
        if (core_borrow_text(value, field->name, &text) < 0)
            return -1;
        memcpy(memory, &text, sizeof text);
        return 0;
    case KIND_BYTES:
        return store_bytes(field, memory, item);
    case KIND_DOUBLE:
    case KIND_FLOAT:
        if (core_real(value, field->name, &real) < 0)
            return -1;
        narrow = (float)real;
        memcpy(memory, field->kind == KIND_FLOAT ? (const void *)&narrow : (const void *)&real, field->size);
        return !PyFloat_Check(value) && !PyLong_Check(value);
    default:
        if ((field->allowed == NULL
                 ? core_integer(value, field->size, field->is_signed, field->name, &number)
                 : core_choice(field->allowed, value, field->size, field->is_signed, field->name, &number)) < 0)
            return -1;
        core_store_integer(memory, number, field->size);
        return !PyLong_Check(value); /* an object with __index__ */
    }
}

/* ---- From C to Python -------------------------------------------------------------------------------- */

PyObject *core_from_integer(uintptr_t value, size_t size, bool is_signed)
{
    unsigned shift = 64 - (unsigned)size * 8;

    /* What is above the parameter's width is not defined by the calling conventions: cut it off. */
    if (is_signed)
        return PyLong_FromLongLong((long long)((uint64_t)value << shift) >> shift);
    return PyLong_FromUnsignedLongLong(((uint64_t)value << shift) >> shift);
}

/* What a plugin lent as text or bytes, as an object. */
PyObject *core_text_object(const loader_text *text, enum kind kind)
{
    const char *data = text->data == NULL ? "" : text->data;

    if ((text->data == NULL && text->size != 0) || text->size > PY_SSIZE_T_MAX) {
        PyErr_Format(PyExc_ValueError, "the plugin passed a text of %zu bytes at %p", text->size, text->data);
        return NULL;
    }
    return kind == KIND_TEXT ? PyUnicode_DecodeUTF8(data, (Py_ssize_t)text->size, NULL)
                             : PyBytes_FromStringAndSize(data, (Py_ssize_t)text->size);
}

PyObject *core_made(PyObject **slot, PyTypeObject *type)
{
    PyObject *maker, *made;

    if (PyObject_TypeCheck(*slot, type))
        return *slot;
    maker = Py_NewRef(*slot); /* another thread may make it too, meanwhile: the first one stays */
    made = PyObject_CallNoArgs(maker);
    if (made != NULL && !PyObject_TypeCheck(made, type)) {
        PyErr_Format(PyExc_TypeError, "a %.100s is wanted, not %.100s", type->tp_name, Py_TYPE(made)->tp_name);
        Py_CLEAR(made);
    }
    if (made != NULL && *slot == maker)
        Py_SETREF(*slot, Py_NewRef(made));
    Py_DECREF(maker);
    if (made == NULL)
        return NULL;
    Py_DECREF(made);
    return *slot;
}

PyObject *core_member(PyObject **members, PyObject *value, PyObject *name)
{
    PyObject *known = core_made(members, &PyDict_Type);
    PyObject *member = known == NULL ? NULL : Py_XNewRef(PyDict_GetItemWithError(known, value));

    if (member == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%U is %R, which is none of its values", name, value);
    Py_XDECREF(value);
    return member;
}

/* One value at `memory`; what it is in an enum is for core_member. */
PyObject *core_load_field(const struct field *field, const void *native)
{
    const char *memory = (const char *)native;
    loader_text text;
    uint64_t number = 0;
    double real;
    float narrow;

    switch (field->kind) {
    case KIND_TEXT:
    case KIND_BYTES:
        memcpy(&text, memory, sizeof text);
        return core_text_object(&text, field->kind);
    case KIND_DOUBLE:
        memcpy(&real, memory, sizeof real);
        return PyFloat_FromDouble(real);
    case KIND_FLOAT:
        memcpy(&narrow, memory, sizeof narrow);
        return PyFloat_FromDouble((double)narrow);
    default:
        memcpy((char *)&number + (PY_BIG_ENDIAN ? sizeof number - field->size : 0), memory, field->size);
        return core_from_integer((uintptr_t)number, field->size, field->is_signed);
    }
}
