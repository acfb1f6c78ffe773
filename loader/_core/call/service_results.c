/* service_results.c: what the callable behind a function of a table gives: checked against the header, stored where the
 * plugin wants it, and kept until the plugin's own function returns.
 */
#include "call/service.h"

static int keep(core_call *c, PyObject *value)
{
    c->settle = true;
    if (c->lent == NULL && (c->lent = PyList_New(0)) == NULL)
        return -1;
    return PyList_Append(c->lent, value);
}

/* Whose value it is that is wrong. `result` may be NULL: what is written to the output. */
static PyObject *whose(const struct service_function *function, const struct parameter *result)
{
    return result == NULL ? Py_NewRef(function->name)
                          : PyUnicode_FromFormat("%U, result %U", function->name, result->name);
}

static int wrong_result(const struct service_function *function, const struct parameter *result, PyObject *value,
                        const char *wanted)
{
    PyObject *name = whose(function, result);

    if (name != NULL)
        PyErr_Format(PyExc_TypeError, "%U: it gave %.100s where its header declares %s", name, Py_TYPE(value)->tp_name,
                     wanted);
    Py_XDECREF(name);
    return -1;
}

/* Whether it has a value as a float by code of its own, which may have raised what is raised. */
static bool has_float(PyObject *value)
{
    const PyNumberMethods *number = Py_TYPE(value)->tp_as_number;

    return number != NULL && number->nb_float != NULL && !PyFloat_CheckExact(value);
}

/* A number that is of another type, or too large: says whose it is. What its own code raised stays as it is. */
static int wrong_number(const struct service_function *function, const struct parameter *result, PyObject *value,
                        const char *wanted)
{
    if (PyErr_ExceptionMatches(PyExc_OverflowError) && PyLong_CheckExact(value)) {
        PyObject *name = whose(function, result);
        if (name != NULL)
            PyErr_Format(PyExc_OverflowError, "%U: it gave %S where its header declares %s", name, value, wanted);
        Py_XDECREF(name);
    } else if (PyErr_ExceptionMatches(PyExc_TypeError) && !PyIndex_Check(value) && !has_float(value)) {
        return wrong_result(function, result, value, wanted);
    }
    return -1;
}

/* What was raised about a value of the application's says whose it is. */
static int named(const struct service_function *function, const struct parameter *result)
{
    PyObject *error = core_raised(), *name = whose(function, result);

    if (name != NULL && (PyErr_GivenExceptionMatches(error, PyExc_TypeError) ||
                         PyErr_GivenExceptionMatches(error, PyExc_ValueError)))
        PyErr_Format((PyObject *)Py_TYPE(error), "%U: %S", name, error);
    if (PyErr_Occurred())
        Py_DECREF(error);
    else
        core_raise_again(error);
    Py_XDECREF(name);
    return -1;
}

/* Appends a str or bytes to the output of the call; None is nothing. */
static int append(core_call *c, const struct service_function *function, PyObject *value)
{
    loader_text text;

    if (value == Py_None)
        return 0;
    if (PyBytes_Check(value)) {
        text.data = PyBytes_AS_STRING(value);
        text.size = (size_t)PyBytes_GET_SIZE(value);
    } else if (!PyUnicode_Check(value)) {
        return wrong_result(function, NULL, value, "text to write, or None");
    } else if (core_borrow_text(value, Py_None, &text) < 0) {
        return -1;
    }
    if (loader_write_text(&c->call, &text) != LOADER_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int deliver_integer(const struct service_function *function, const struct parameter *result, PyObject *value,
                           void *out)
{
    uintptr_t number;
    char wanted[40];

    if (result->allowed != NULL) {
        if (core_choice(result->allowed, value, result->size, result->is_signed, result->name, &number) < 0)
            return named(function, result);
    } else if (core_integer(value, result->size, result->is_signed, result->name, &number) < 0) {
        (void)snprintf(wanted, sizeof wanted, "an %sinteger of %u bits", result->is_signed ? "" : "unsigned ",
                       (unsigned)result->size * 8);
        return wrong_number(function, result, value, wanted);
    }
    core_store_integer(out, number, result->size);
    return 0;
}

static int deliver_real(const struct service_function *function, const struct parameter *result, PyObject *value,
                        void *out)
{
    const double real = PyFloat_AsDouble(value);
    const float narrow = (float)real;

    if (real == -1.0 && PyErr_Occurred())
        return wrong_number(function, result, value, result->kind == KIND_FLOAT ? "a float" : "a double");
    memcpy(out, result->kind == KIND_FLOAT ? (const void *)&narrow : (const void *)&real, result->size);
    return 0;
}

/* Here and below `out` is set last: a result that could not be given is left as it was. */
static int deliver_struct(core_call *c, const struct service_function *function, const struct parameter *result,
                          PyObject *value, void *out)
{
    const void *native;
    PyObject *storage;

    if (core_pack(result->layout, value, &native, &storage) < 0)
        return named(function, result);
    const int failed = keep(c, storage == NULL ? value : storage); /* a record keeps its form itself */
    if (!failed)
        memcpy(out, native, core_layout_size(result->layout));
    Py_XDECREF(storage);
    return failed;
}

/* An array is lent as it lies, and cannot be resized while it is; records are copied. */
static int deliver_array(core_call *c, const struct service_function *function, const struct parameter *result,
                         PyObject *value, loader_text *out)
{
    PyObject *kept = NULL;
    Py_buffer buffer;
    loader_text array;

    if (result->kind == KIND_LIST) {
        if (core_pack_list(result->layout, value, result->name, &kept, &array) < 0)
            return named(function, result);
    } else {
        kept = PyObject_CheckBuffer(value) ? PyMemoryView_FromObject(value) : NULL;
        if (kept == NULL && PyErr_Occurred())
            return -1;
        if (core_borrow_numbers(kept == NULL ? value : kept, result->name, result->element, result->size, false,
                                &buffer, &array) < 0) {
            Py_XDECREF(kept);
            return named(function, result);
        }
        PyBuffer_Release(&buffer); /* the memoryview has its own hold on it */
    }
    const int failed = keep(c, kept);
    if (!failed)
        *out = array;
    Py_DECREF(kept);
    return failed;
}

static int deliver_one(core_call *c, const struct service_function *function, const struct parameter *result,
                       PyObject *value, void *out)
{
    loader_bytes *bytes = (loader_bytes *)out;

    if (out == NULL) {
        PyErr_SetString(PyExc_ValueError, "the plugin passed NULL for a result");
        return -1;
    }
    switch (result->kind) {
    case KIND_TEXT:
        if (!PyUnicode_Check(value))
            return wrong_result(function, result, value, "text");
        return keep(c, value) < 0 ? -1 : core_borrow_text(value, value, (loader_text *)out);
    case KIND_BYTES:
        if (!PyBytes_Check(value))
            return wrong_result(function, result, value, "bytes");
        if (keep(c, value) < 0)
            return -1;
        bytes->data = (const unsigned char *)PyBytes_AS_STRING(value);
        bytes->size = (size_t)PyBytes_GET_SIZE(value);
        return 0;
    case KIND_FLOAT:
    case KIND_DOUBLE: return deliver_real(function, result, value, out);
    case KIND_STRUCT: return deliver_struct(c, function, result, value, out);
    case KIND_NUMBERS:
    case KIND_LIST: return deliver_array(c, function, result, value, (loader_text *)out);
    default: return deliver_integer(function, result, value, out);
    }
}

int core_deliver(core_call *c, struct service_function *function, PyObject *value, const struct passed *passed)
{
    struct parameter *const results = function->parameters + function->count;

    if (function->result_count == 0)
        return append(c, function, value);
    if (function->result_count == 1)
        return deliver_one(c, function, results, value, (void *)passed->words[results->place]);
    if (!PyTuple_Check(value) || PyTuple_GET_SIZE(value) != function->result_count) {
        char wanted[40];
        (void)snprintf(wanted, sizeof wanted, "a tuple of %zd results", function->result_count);
        return wrong_result(function, NULL, value, wanted);
    }
    for (Py_ssize_t i = 0; i < function->result_count; i++) {
        void *const out = (void *)passed->words[results[i].place];
        if (deliver_one(c, function, &results[i], PyTuple_GET_ITEM(value, i), out) < 0)
            return -1;
    }
    return 0;
}
