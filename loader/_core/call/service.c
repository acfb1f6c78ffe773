/* service.c: a plugin's call of a service, into Python and back.
 *
 * A service is a table of functions that the host lends to plugins, by id. Which there are: services.c.
 *
 * A table that Python objects stand behind has the shape that its C header declares: `size_t size`, then
 * function pointers. They all lead to a small set of C functions, one for each place in a table, made at
 * compile time (no code is generated at run time, so this works where memory may not be executable and
 * written, and after fork). Which service is meant is told by the table's own address, which every function
 * of a service takes as its second argument.
 *
 * A call's round trip: plugin -> thunk_<place> -> dispatch (takes the GIL, makes Python objects of the
 * arguments) -> the Python callable -> dispatch (stores the result, keeps it alive until the plugin's own
 * function returns; lets the GIL go, also if it was kept so far and there is another thread now) -> plugin.
 */
#include "call/service.h"

/* A plugin that came to itself through a service, deeper and deeper, failed once for each time: the first reason stays,
 * and not a row of a thousand failures with their texts. */
static void name_recursion(core_call *c)
{
    PyObject *reason = c->interrupted ? NULL : PyException_GetCause(c->cause);

    if (reason != NULL && PyErr_GivenExceptionMatches(reason, PyExc_RecursionError))
        Py_XSETREF(c->cause, reason);
    else
        Py_XDECREF(reason);
}

/* The service failed: what it raised becomes the cause, and the text of the plugin's failure. */
static int complain(core_call *c)
{
    PyObject *text, *utf8 = NULL;
    const char *name;

    if (PyErr_Occurred())
        core_keep_cause(c);
    name_recursion(c);
    name = Py_TYPE(c->cause)->tp_name;
    text = PyUnicode_FromFormat("%s: %S", name, c->cause);
    if (text != NULL)
        utf8 = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"); /* file names have lone surrogates */
    if (utf8 != NULL) {
        core_set_error(c, PyBytes_AS_STRING(utf8), (size_t)PyBytes_GET_SIZE(utf8));
    } else { /* its own __str__ fails */
        PyErr_Clear();
        core_set_error(c, name, strlen(name));
    }
    Py_XDECREF(utf8);
    Py_XDECREF(text);
    return LOADER_FAILED;
}

static PyObject *argument(const struct service_parameter *parameter, uintptr_t value)
{
    const loader_text *text = (const loader_text *)value;

    if (parameter->kind == KIND_INTEGER)
        return core_from_integer(value, parameter->size, parameter->is_signed);
    if (text == NULL) {
        PyErr_SetString(PyExc_ValueError, "the plugin passed NULL where a pointer is wanted");
        return NULL;
    }
    if (parameter->kind == KIND_STRUCT)
        return core_unpack(parameter->layout, (const void *)value);
    return core_text_object(text, parameter->kind);
}

static int keep(core_call *c, PyObject *value)
{
    c->settle = true;
    if (c->lent == NULL && (c->lent = PyList_New(0)) == NULL)
        return -1;
    return PyList_Append(c->lent, value);
}

static int wrong_result(const struct service_function *function, PyObject *value, const char *wanted)
{
    PyErr_Format(PyExc_TypeError, "%U: it gave %.100s where its header declares %s", function->name,
                 Py_TYPE(value)->tp_name, wanted);
    return -1;
}

/* Whether it has a value as a float by code of its own, which may have raised what is raised. */
static bool has_float(PyObject *value)
{
    const PyNumberMethods *number = Py_TYPE(value)->tp_as_number;

    return number != NULL && number->nb_float != NULL && !PyFloat_CheckExact(value);
}

/* A number that is of another type, or too large: says whose it is. What its own code raised stays as it is. */
static int wrong_number(const struct service_function *function, PyObject *value, const char *wanted)
{
    if (PyErr_ExceptionMatches(PyExc_OverflowError) && PyLong_CheckExact(value))
        PyErr_Format(PyExc_OverflowError, "%U: it gave %S where its header declares %s", function->name, value, wanted);
    else if (PyErr_ExceptionMatches(PyExc_TypeError) && !PyIndex_Check(value) && !has_float(value))
        return wrong_result(function, value, wanted);
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
        return wrong_result(function, value, "text to write, or None");
    } else if (core_borrow_text(value, Py_None, &text) < 0) {
        return -1;
    }
    if (loader_write_text(&c->call, &text) != LOADER_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int deliver(core_call *c, const struct service_function *function, PyObject *value, void *out)
{
    enum kind kind = function->result;

    if (kind == KIND_NONE)
        return append(c, function, value);
    if (out == NULL) {
        PyErr_SetString(PyExc_ValueError, "the plugin passed NULL for a result");
        return -1;
    }
    if (kind == KIND_TEXT) {
        if (!PyUnicode_Check(value))
            return wrong_result(function, value, "text");
        return keep(c, value) < 0 ? -1 : core_borrow_text(value, value, (loader_text *)out);
    }
    if (kind == KIND_BYTES) {
        loader_bytes *bytes = (loader_bytes *)out;
        if (!PyBytes_Check(value))
            return wrong_result(function, value, "bytes");
        if (keep(c, value) < 0)
            return -1;
        bytes->data = (const unsigned char *)PyBytes_AS_STRING(value);
        bytes->size = (size_t)PyBytes_GET_SIZE(value);
        return 0;
    }
    if (kind == KIND_DOUBLE) {
        double real = PyFloat_AsDouble(value);
        if (real == -1.0 && PyErr_Occurred())
            return wrong_number(function, value, "a double");
        *(double *)out = real;
        return 0;
    }
    int64_t number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred())
        return wrong_number(function, value, "an integer of 64 bits");
    *(int64_t *)out = number;
    return 0;
}

static int call_python(core_call *c, const struct service_function *function, const uintptr_t *values)
{
    PyObject *arguments[MAX_ARGUMENTS] = {NULL}, *result = NULL;
    Py_ssize_t made = 0;
    int failed;

    if (!core_stack_left()) {
        PyErr_SetString(PyExc_RecursionError, "services and plugins call each other too deeply for this thread's stack");
        return complain(c);
    }
    if (Py_EnterRecursiveCall(" in a service that a plugin calls") != 0)
        return complain(c);
    while (made < function->count &&
           (arguments[made] = argument(&function->parameters[made], values[made])) != NULL)
        made++;
    if (made == function->count)
        result = PyObject_Vectorcall(function->callable, arguments, (size_t)made, NULL);
    while (made > 0)
        Py_DECREF(arguments[--made]);
    failed = result == NULL || deliver(c, function, result, (void *)values[function->count]) < 0;
    Py_XDECREF(result);
    Py_LeaveRecursiveCall();
    return failed ? complain(c) : LOADER_OK;
}

/* Up to Python 3.13 a thread that wants the GIL when the interpreter ends is ended, by pthread_exit, which in glibc
 * unwinds all frames of the thread: the plugin's too, where nothing may, and where `catch (...)` ends the process.
 * Such a thread stays here instead, as it does from Python 3.14 on. Compiled with -fexceptions (setup.py). */
#if defined(__GLIBC__)
#  include <unistd.h>
static void stay(const bool *unwound)
{
    while (*unwound)
        pause();
}
#  define NOT_UNWOUND(name) bool name __attribute__((cleanup(stay))) = true
#else
#  define NOT_UNWOUND(name) bool name = true
#endif

static int dispatch(loader_call *call, const void *self, Py_ssize_t place, const uintptr_t *values)
{
    static const char no_service[] = "this is not the table of a service that the host lent";
    core_call *c = (core_call *)call;
    const struct service *service;
    const bool away = c->thread != NULL;
    const core_step *step = c->crumb->step;
    uint64_t magic = 0;
    int status;

    if (self != NULL)
        memcpy(&magic, (const char *)self - sizeof magic, sizeof magic);
    service = magic == MAGIC ? (const struct service *)((const char *)self - offsetof(struct service, table)) : NULL;
    if (service == NULL || place >= service->count)
        return core_set_error(c, no_service, sizeof no_service - 1), LOADER_INVALID;
    if (!core_on_thread(c)) /* and no error text: to set one here would race with the call's own thread */
        return LOADER_INVALID;
    NOT_UNWOUND(unwound);
    core_acquire(c);
    c->crumb->step = NULL; /* a crash in here is not the plugin's */
    core_tell_log(c); /* in order with what the service logs */
    if (c->owner->watch != NULL)
        core_watch_service(c, step == NULL ? "" : step->name, service->id, service->id_size);
    status = core_run_handlers(c) ? complain(c) : call_python(c, &service->functions[place], values);
    if (status == LOADER_OK && core_run_handlers(c)) /* a service in C gives them no turn */
        status = complain(c);
    if (c->owner->watch != NULL)
        core_watch_service(c, step == NULL ? "" : step->name, "", 0);
    c->crumb->step = step;
    core_go_on(c, away);
    unwound = false;
    (void)unwound;
    return status;
}

/* A thunk reads as many arguments as any function of a service may have. Those that its caller did not pass
 * are whatever is in those registers and stack slots, and dispatch does not look at them. */
#define THUNK(n)                                                                                        \
    static int thunk_##n(loader_call *call, const void *self, uintptr_t a, uintptr_t b, uintptr_t c,    \
                         uintptr_t d, uintptr_t e, uintptr_t f, uintptr_t g, uintptr_t h)               \
    {                                                                                                   \
        const uintptr_t values[MAX_ARGUMENTS] = {a, b, c, d, e, f, g, h};                               \
        return dispatch(call, self, n, values);                                                         \
    }
#define EIGHT(X, d) X(d##0) X(d##1) X(d##2) X(d##3) X(d##4) X(d##5) X(d##6) X(d##7)
/* Octal numbers: thunk_00 to thunk_037. */
#define ALL(X) EIGHT(X, 0) EIGHT(X, 01) EIGHT(X, 02) EIGHT(X, 03)
#define ADDRESS(n) thunk_##n,
ALL(THUNK)
const thunk core_thunks[MAX_FUNCTIONS] = {ALL(ADDRESS)};
