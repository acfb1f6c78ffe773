/* owner.c: Owner, the plugin as the C side knows it: whose call this is. */
#include "internal.h"

#include <structmember.h>

static PyObject *owner_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "path", "services", "max_output", "fork_safe", NULL};
    PyObject *name, *path, *services = Py_None, *max_output = Py_None;
    int fork_safe = 1;
    size_t limit = SIZE_MAX;
    core_owner *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UU|OOp:Owner", names, &name, &path, &services, &max_output,
                                     &fork_safe))
        return NULL;
    if (services != Py_None && Py_TYPE(services) != &core_services_type) {
        PyErr_SetString(PyExc_TypeError, "services is a Services or None");
        return NULL;
    }
    if (max_output != Py_None) {
        limit = PyLong_AsSize_t(max_output);
        if (limit == (size_t)-1 && PyErr_Occurred())
            return NULL;
    }
    self = (core_owner *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->name = Py_NewRef(name);
    self->path = Py_NewRef(path);
    self->services = services == Py_None ? NULL : (core_services *)Py_NewRef(services);
    self->max_output = limit;
    self->generation = core_generation;
    self->fork_safe = fork_safe != 0;
    return (PyObject *)self;
}

static void owner_dealloc(PyObject *object)
{
    core_owner *self = (core_owner *)object;

    PyObject_GC_UnTrack(object);
    Py_XDECREF(self->name);
    Py_XDECREF(self->path);
    Py_XDECREF((PyObject *)self->services);
    Py_TYPE(object)->tp_free(object);
}

/* No tp_clear, as for Services: a cycle through a host's services is broken at the Plugin. */
static int owner_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT((PyObject *)((core_owner *)object)->services);
    return 0;
}

static PyMemberDef owner_members[] = {
    {"name", T_OBJECT, offsetof(core_owner, name), READONLY, "The plugin's name."},
    {"path", T_OBJECT, offsetof(core_owner, path), READONLY, "The plugin's file."},
    {"fork_safe", T_BOOL, offsetof(core_owner, fork_safe), READONLY, "False: refused in forked children."},
    {"talks", T_BOOL, offsetof(core_owner, talks), READONLY, "It has called into Python."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject core_owner_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Owner",
    .tp_doc = "Owner(name, path, services=None, max_output=None, fork_safe=True): a plugin, for the C side.",
    .tp_basicsize = sizeof(core_owner),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = owner_new,
    .tp_dealloc = owner_dealloc,
    .tp_traverse = owner_traverse,
    .tp_members = owner_members,
};
