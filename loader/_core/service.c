/* service.c: what the host lends to plugins: tables of functions, by id.
 *
 * A table that Python objects stand behind has the shape that its C header declares: `size_t size`, then
 * function pointers. They all lead to a small set of C functions, one for each place in a table, made at
 * compile time (no code is generated at run time, so this works where memory may not be executable and
 * written, and after fork). Which service is meant is told by the table's own address, which every function
 * of a service takes as its second argument.
 *
 * A call's round trip: plugin -> thunk_<place> -> dispatch (takes the GIL, makes Python objects of the
 * arguments) -> the Python callable -> dispatch (stores the result, keeps it alive until the plugin's own
 * function returns) -> plugin.
 */
#include "internal.h"

#define MAX_FUNCTIONS 32 /* of a table made here; loader/services.py refuses more */
#define MAX_ARGUMENTS 8  /* with the result; after call and self */
#define MAGIC UINT64_C(0x6c6f616465723031)

struct service_parameter {
    enum kind kind;
    size_t size;
    bool is_signed;
    PyObject *layout; /* KIND_STRUCT */
};

struct service_function {
    PyObject *callable;
    Py_ssize_t count; /* arguments, without the result */
    enum kind result; /* KIND_NONE: what the callable gives is appended to the call's output */
    struct service_parameter parameters[MAX_ARGUMENTS];
};

typedef int (*thunk)(loader_call *, const void *, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                     uintptr_t, uintptr_t);

struct table {
    size_t size;
    thunk functions[MAX_FUNCTIONS];
};

/* One service. Never freed before its Services: plugins may hold its table's address through a call. */
struct service {
    struct service *next;
    char *id;
    size_t id_size;
    const void *given;    /* a C table of the application, or NULL: `table` below */
    PyObject *kept;       /* what keeps `given` alive, or NULL */
    Py_ssize_t count;
    struct service_function *functions;
    uint64_t magic;       /* right before the table: tells a table of ours from a stray pointer */
    struct table table;
};

struct core_services {
    PyObject_HEAD
    struct service *_Atomic first; /* grows at the front only, so that it is read without a lock */
};

/* ---- The call ---------------------------------------------------------------------------------------- */

static int complain(core_call *c)
{
    PyObject *text, *utf8 = NULL;
    const char *name;

    core_keep_cause(c);
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
    if (c->kept == NULL && (c->kept = PyList_New(0)) == NULL)
        return -1;
    return PyList_Append(c->kept, value);
}

static int wrong_result(PyObject *value, const char *wanted)
{
    PyErr_Format(PyExc_TypeError, "a service's function gave %.100s where its header declares %s",
                 Py_TYPE(value)->tp_name, wanted);
    return -1;
}

/* Appends a str or bytes to the output of the call; None is nothing. */
static int append(core_call *c, PyObject *value)
{
    loader_text text;

    if (value == Py_None)
        return 0;
    if (PyBytes_Check(value)) {
        text.data = PyBytes_AS_STRING(value);
        text.size = (size_t)PyBytes_GET_SIZE(value);
    } else if (!PyUnicode_Check(value)) {
        return wrong_result(value, "text to write, or None");
    } else if (core_borrow_text(value, Py_None, &text) < 0) {
        return -1;
    }
    if (loader_write_text(&c->call, &text) != LOADER_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int deliver(core_call *c, enum kind kind, PyObject *value, void *out)
{
    if (kind == KIND_NONE)
        return append(c, value);
    if (out == NULL) {
        PyErr_SetString(PyExc_ValueError, "the plugin passed NULL for a result");
        return -1;
    }
    if (kind == KIND_TEXT) {
        if (!PyUnicode_Check(value))
            return wrong_result(value, "text");
        return keep(c, value) < 0 ? -1 : core_borrow_text(value, value, (loader_text *)out);
    }
    if (kind == KIND_BYTES) {
        loader_bytes *bytes = (loader_bytes *)out;
        if (!PyBytes_Check(value))
            return wrong_result(value, "bytes");
        if (keep(c, value) < 0)
            return -1;
        bytes->data = (const unsigned char *)PyBytes_AS_STRING(value);
        bytes->size = (size_t)PyBytes_GET_SIZE(value);
        return 0;
    }
    if (kind == KIND_DOUBLE) {
        double real = PyFloat_AsDouble(value);
        if (real == -1.0 && PyErr_Occurred())
            return -1;
        *(double *)out = real;
        return 0;
    }
    int64_t number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred())
        return -1;
    *(int64_t *)out = number;
    return 0;
}

static int call_python(core_call *c, const struct service_function *function, const uintptr_t *values)
{
    PyObject *arguments[MAX_ARGUMENTS] = {NULL}, *result = NULL;
    Py_ssize_t made = 0;
    int failed;

    while (made < function->count &&
           (arguments[made] = argument(&function->parameters[made], values[made])) != NULL)
        made++;
    if (made == function->count)
        result = PyObject_Vectorcall(function->callable, arguments, (size_t)made, NULL);
    while (made > 0)
        Py_DECREF(arguments[--made]);
    failed = result == NULL || deliver(c, function->result, result, (void *)values[function->count]) < 0;
    Py_XDECREF(result);
    return failed ? complain(c) : LOADER_OK;
}

static int dispatch(loader_call *call, const void *self, Py_ssize_t place, const uintptr_t *values)
{
    static const char no_service[] = "this is not the table of a service that the host lent";
    core_call *c = (core_call *)call;
    const struct service *service;
    PyThreadState *thread = c->thread;
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
    core_acquire(c);
    c->owner->talks = true;
    c->crumb->step = NULL; /* a crash in here is not the plugin's */
    status = call_python(c, &service->functions[place], values);
    c->crumb->step = step;
    if (thread != NULL)
        core_release(c);
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
static const thunk thunks[MAX_FUNCTIONS] = {ALL(ADDRESS)};

/* ---- The registry of services ------------------------------------------------------------------------ */

const void *core_services_find(const core_services *services, const char *id, size_t size)
{
    for (const struct service *s = services->first; s != NULL; s = s->next)
        if (s->id_size == size && memcmp(s->id, id, size) == 0)
            return s->given != NULL ? s->given : &s->table;
    return NULL;
}

static void free_service(struct service *service)
{
    for (Py_ssize_t i = 0; service->functions != NULL && i < service->count; i++) {
        Py_XDECREF(service->functions[i].callable);
        for (Py_ssize_t j = 0; j < service->functions[i].count; j++)
            Py_XDECREF(service->functions[i].parameters[j].layout);
    }
    PyMem_Free(service->functions);
    Py_XDECREF(service->kept);
    PyMem_Free(service->id);
    PyMem_Free(service);
}

static int read_function(struct service_function *function, PyObject *item)
{
    PyObject *callable, *parameters;
    int result;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a function is a tuple, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(item, "OO!i", &callable, &PyTuple_Type, &parameters, &result))
        return -1;
    if (PyTuple_GET_SIZE(parameters) > MAX_ARGUMENTS - 1) {
        PyErr_SetString(PyExc_ValueError, "too many parameters");
        return -1;
    }
    function->callable = Py_NewRef(callable);
    function->result = (enum kind)result;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parameters); i++) {
        struct service_parameter *parameter = &function->parameters[i];
        PyObject *layout;
        int kind, is_signed;
        Py_ssize_t size;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(parameters, i), "CnpO", &kind, &size, &is_signed, &layout))
            return -1;
        if (size < 1 || size > 8 || (kind == KIND_STRUCT && Py_TYPE(layout) != &core_layout_type)) {
            PyErr_SetString(PyExc_ValueError, "not a parameter");
            return -1;
        }
        parameter->kind = (enum kind)kind;
        parameter->size = (size_t)size;
        parameter->is_signed = is_signed != 0;
        parameter->layout = Py_NewRef(layout);
        function->count++;
    }
    return 0;
}

static int read_functions(struct service *service, PyObject *functions)
{
    Py_ssize_t count = PyTuple_GET_SIZE(functions);

    if (count > MAX_FUNCTIONS) {
        PyErr_Format(PyExc_ValueError, "a service has at most %d functions", MAX_FUNCTIONS);
        return -1;
    }
    service->functions = PyMem_Calloc((size_t)count + 1, sizeof *service->functions);
    if (service->functions == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        service->count++; /* counted first, so that free_service sees what read_function began */
        if (read_function(&service->functions[i], PyTuple_GET_ITEM(functions, i)) < 0)
            return -1;
        service->table.functions[i] = thunks[i];
    }
    service->table.size = offsetof(struct table, functions) + (size_t)count * sizeof(thunk);
    service->magic = MAGIC;
    return 0;
}

static struct service *new_service(const char *id, Py_ssize_t size)
{
    struct service *service = PyMem_Calloc(1, sizeof *service);

    if (service != NULL && (service->id = PyMem_Malloc((size_t)size + 1)) != NULL) {
        memcpy(service->id, id, (size_t)size);
        service->id_size = (size_t)size;
        return service;
    }
    PyMem_Free(service);
    PyErr_NoMemory();
    return NULL;
}

/* add(id, functions) or add(id, address, kept) */
static PyObject *services_add(PyObject *object, PyObject *args)
{
    core_services *self = (core_services *)object;
    const char *id;
    Py_ssize_t size;
    PyObject *what, *kept = Py_None;
    struct service *service;

    if (!PyArg_ParseTuple(args, "s#O|O:add", &id, &size, &what, &kept))
        return NULL;
    if (core_services_find(self, id, (size_t)size) != NULL)
        return PyErr_Format(PyExc_KeyError, "%s", id);
    service = new_service(id, size);
    if (service == NULL)
        return NULL;
    service->kept = Py_NewRef(kept);
    if (PyTuple_Check(what)) {
        if (read_functions(service, what) < 0)
            goto failed;
    } else {
        service->given = PyLong_AsVoidPtr(what);
        if (service->given == NULL) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "a table is not at address 0");
            goto failed;
        }
    }
    service->next = self->first;
    self->first = service; /* a release store: readers see the whole service */
    Py_RETURN_NONE;
failed:
    free_service(service);
    return NULL;
}

static PyObject *services_ids(PyObject *object, PyObject *Py_UNUSED(none))
{
    PyObject *ids = PyList_New(0);

    for (struct service *s = ((core_services *)object)->first; ids != NULL && s != NULL; s = s->next) {
        PyObject *id = PyUnicode_DecodeUTF8(s->id, (Py_ssize_t)s->id_size, "replace");
        if (id == NULL || PyList_Append(ids, id) < 0)
            Py_CLEAR(ids);
        Py_XDECREF(id);
    }
    return ids;
}

static void services_dealloc(PyObject *object)
{
    core_services *self = (core_services *)object;
    struct service *next;

    PyObject_GC_UnTrack(object);
    for (struct service *s = self->first; s != NULL; s = next) {
        next = s->next;
        free_service(s);
    }
    Py_TYPE(object)->tp_free(object);
}

static int services_traverse(PyObject *object, visitproc visit, void *arg)
{
    for (struct service *s = ((core_services *)object)->first; s != NULL; s = s->next) {
        Py_VISIT(s->kept);
        for (Py_ssize_t i = 0; i < s->count; i++)
            Py_VISIT(s->functions[i].callable);
    }
    return 0;
}

static PyMethodDef services_methods[] = {
    {"add", services_add, METH_VARARGS, "add(id, functions) or add(id, address, kept): lends a table."},
    {"ids", services_ids, METH_NOARGS, "The ids, newest first."},
    {NULL, NULL, 0, NULL},
};

/* No tp_clear: a service that a running plugin holds must not be emptied under it. A cycle through a service
 * is broken at its other objects (the Host clears itself). */
PyTypeObject core_services_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Services",
    .tp_doc = "Services(): tables of functions that a host lends to its plugins, by id.",
    .tp_basicsize = sizeof(core_services),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = services_dealloc,
    .tp_traverse = services_traverse,
    .tp_methods = services_methods,
};
