/* services.c: the registry of services, type Services: which tables of functions a host lends to its plugins, by
 * id. A table is made here, of what loader/services.py read in the contract, or is one of the application's own.
 * How a plugin's call of such a function comes to Python: service.c.
 */
#include "call/service.h"

const void *core_services_find(const core_services *services, const char *id, size_t size, bool *given)
{
    for (const struct service *s = services->first; s != NULL; s = s->next)
        if (s->id_size == size && memcmp(s->id, id, size) == 0) {
            *given = s->given != NULL;
            return *given ? s->given : &s->table;
        }
    return NULL;
}

/* ---- One service ------------------------------------------------------------------------------------- */

static void free_service(struct service *service)
{
    for (Py_ssize_t i = 0; service->functions != NULL && i < service->count; i++) {
        Py_XDECREF(service->functions[i].callable);
        Py_XDECREF(service->functions[i].name);
        for (Py_ssize_t j = 0; j < service->functions[i].count; j++)
            Py_XDECREF(service->functions[i].parameters[j].layout);
    }
    PyMem_Free(service->functions);
    Py_XDECREF(service->lender);
    PyMem_Free(service->id);
    PyMem_Free(service);
}

static int read_function(struct service_function *function, PyObject *item)
{
    PyObject *callable, *name, *parameters;
    int result;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a function is a tuple, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(item, "OUO!i", &callable, &name, &PyTuple_Type, &parameters, &result))
        return -1;
    if (PyTuple_GET_SIZE(parameters) > MAX_ARGUMENTS - 1) {
        PyErr_SetString(PyExc_ValueError, "too many parameters");
        return -1;
    }
    function->callable = Py_NewRef(callable);
    function->name = Py_NewRef(name);
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
        service->table.functions[i] = core_thunks[i];
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

/* ---- The type ---------------------------------------------------------------------------------------- */

/* add(id, functions) or add(id, address, lender) */
static PyObject *services_add(PyObject *object, PyObject *args)
{
    core_services *self = (core_services *)object;
    const char *id;
    Py_ssize_t size;
    PyObject *what, *lender = Py_None;
    struct service *service;
    bool given;

    if (!PyArg_ParseTuple(args, "s#O|O:add", &id, &size, &what, &lender))
        return NULL;
    if (core_services_find(self, id, (size_t)size, &given) != NULL)
        return PyErr_Format(PyExc_KeyError, "%s", id);
    service = new_service(id, size);
    if (service == NULL)
        return NULL;
    service->lender = Py_NewRef(lender);
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
        Py_VISIT(s->lender);
        for (Py_ssize_t i = 0; i < s->count; i++)
            Py_VISIT(s->functions[i].callable);
    }
    return 0;
}

static PyMethodDef services_methods[] = {
    {"add", services_add, METH_VARARGS, "add(id, functions) or add(id, address, lender): lends a table."},
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
