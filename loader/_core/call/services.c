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
            return *given ? s->given : &s->bound.table;
        }
    return NULL;
}

const core_table *core_services_shape(const core_services *services, const void *table)
{
    for (const struct service *s = services->first; s != NULL; s = s->next)
        if (table == (s->given != NULL ? s->given : &s->bound.table))
            return s->given != NULL ? s->given_shape : s->bound.shape;
    return NULL;
}

/* ---- One service ------------------------------------------------------------------------------------- */

static void free_service(struct service *service)
{
    core_unbind(&service->bound);
    Py_XDECREF(service->lender);
    Py_XDECREF(service->given_shape);
    PyMem_Free(service->id);
    PyMem_Free(service);
}

static struct service *new_service(const char *id, Py_ssize_t size)
{
    struct service *service = PyMem_Calloc(1, sizeof *service);

    if (service != NULL && (service->id = PyMem_Malloc((size_t)size + 1)) != NULL) {
        memcpy(service->id, id, (size_t)size);
        service->id_size = (size_t)size;
        service->bound.id = service->id;
        service->bound.id_size = service->id_size;
        return service;
    }
    PyMem_Free(service);
    PyErr_NoMemory();
    return NULL;
}

/* ---- The type ---------------------------------------------------------------------------------------- */

/* add(id, table, callables) or add(id, address, lender, table) */
static PyObject *services_add(PyObject *object, PyObject *args)
{
    core_services *self = (core_services *)object;
    const char *id;
    Py_ssize_t size;
    PyObject *what, *behind = Py_None, *shape = Py_None;
    struct service *service;
    bool given;

    if (!PyArg_ParseTuple(args, "s#O|OO:add", &id, &size, &what, &behind, &shape))
        return NULL;
    if (core_services_find(self, id, (size_t)size, &given) != NULL)
        return PyErr_Format(PyExc_KeyError, "%s", id);
    service = new_service(id, size);
    if (service == NULL)
        return NULL;
    if (Py_TYPE(what) == &core_table_type) {
        if (core_bind(&service->bound, what, behind) < 0)
            goto failed;
    } else {
        service->lender = Py_NewRef(behind);
        if (Py_TYPE(shape) == &core_table_type)
            service->given_shape = (core_table *)Py_NewRef(shape);
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
        for (Py_ssize_t i = 0; s->bound.shape != NULL && i < s->bound.shape->count; i++)
            Py_VISIT(s->bound.callables[i]);
    }
    return 0;
}

static PyMethodDef services_methods[] = {
    {"add", services_add, METH_VARARGS, "add(id, table, callables) or add(id, address, lender, table): lends "
     "a table."},
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
