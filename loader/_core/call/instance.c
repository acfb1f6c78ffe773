/* instance.c: classes of a plugin (type Class) and their instances (type Instance): made by functions that give one by
 * LOADER_OUT, freed once by the plugin's T_free: closed, at the end of `with`, or when Python has no use for them.
 *
 * The class that Python sees is made by loader/instances.py, right below Instance, with the plugin's functions as its
 * methods (type Method). Who is in a function with an instance: hold.c.
 */
#include "call/arguments.h"
#include "call/instance.h"
#include "remote/remote.h"

#include <structmember.h>

/* ---- Class ------------------------------------------------------------------------------------------- */

static PyObject *class_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "owner", "free_name", "address", "shared", NULL};
    PyObject *name, *owner, *free_name, *address;
    core_function native;
    int shared;
    core_class *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UO!UOp:Class", names, &name, &core_owner_type, &owner, &free_name,
                                     &address, &shared))
        return NULL;
    native = core_function_at((core_owner *)owner, address);
    if (native == NULL || (self = (core_class *)type->tp_alloc(type, 0)) == NULL)
        return NULL;
    self->free = (void (*)(void *))native;
    self->name = Py_NewRef(name);
    self->owner = (core_owner *)Py_NewRef(owner);
    self->free_name = Py_NewRef(free_name);
    self->shared = shared != 0;
    self->step.name = PyUnicode_AsUTF8(free_name);
    if (self->step.name == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    self->free_never_blocks = core_promised(self->owner, free_name);
    return (PyObject *)self;
}

static int class_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_class *self = (core_class *)object;
    Py_VISIT(self->type);
    Py_VISIT(self->make);
    Py_VISIT((PyObject *)self->owner);
    return 0;
}

static int class_clear(PyObject *object)
{
    core_class *self = (core_class *)object;
    Py_CLEAR(self->type);
    Py_CLEAR(self->make);
    return 0;
}

static void class_dealloc(PyObject *object)
{
    core_class *self = (core_class *)object;

    PyObject_GC_UnTrack(object);
    class_clear(object);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->name);
    Py_XDECREF(self->free_name);
    Py_TYPE(object)->tp_free(object);
}

/* finish(type, make): the class that Python sees, and the Function `new`, or None. */
static PyObject *class_finish(PyObject *object, PyObject *args)
{
    core_class *self = (core_class *)object;
    PyObject *type, *make;

    if (!PyArg_ParseTuple(args, "O!O:finish", &PyType_Type, &type, &make))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)type, &core_instance_type) ||
        (make != Py_None && !PyObject_TypeCheck(make, &core_function_type))) {
        PyErr_SetString(PyExc_TypeError, "a class below Instance, and a Function or None");
        return NULL;
    }
    Py_XSETREF(self->type, Py_NewRef(type));
    Py_XSETREF(self->make, make == Py_None ? NULL : Py_NewRef(make));
    Py_RETURN_NONE;
}

static PyMethodDef class_methods[] = {
    {"finish", class_finish, METH_VARARGS, "finish(type, make): the class that Python sees, and what makes instances."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_class_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Class",
    .tp_doc = "Class(name, owner, free_name, address, shared): what a plugin's instances of a class have in common.",
    .tp_basicsize = sizeof(core_class),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = class_new,
    .tp_dealloc = class_dealloc,
    .tp_traverse = class_traverse,
    .tp_clear = class_clear,
    .tp_methods = class_methods,
};

void core_class_free(core_class *cls, void *native, PyObject *worker)
{
    struct cleanup cleanup;

#if defined(CORE_REMOTE)
    if (cls->owner->remote != NULL) {
        PyObject *const error = PyErr_Occurred() ? core_raised() : NULL;
        if (worker != NULL)
            core_remote_free((core_worker *)worker, (core_function)cls->free, native);
        if (error != NULL)
            core_raise_again(error);
        return;
    }
#else
    (void)worker;
#endif

    if (!core_cleanup_begin(&cleanup, cls->owner, &cls->step, cls->free_never_blocks))
        return;
    cls->free(native);
    core_cleanup_end(&cleanup);
}

/* A worker that holds instances is not ended before they are. */
static void count_instance(const core_instance *self, int more)
{
#if defined(CORE_REMOTE)
    if (self->worker != NULL)
        ((core_worker *)self->worker)->instance_count += more;
#else
    (void)self, (void)more;
#endif
}

/* ---- Instance ---------------------------------------------------------------------------------------- */

PyObject *core_instance_new(PyObject *object, void *native, PyObject *worker)
{
    core_class *cls = (core_class *)object;
    PyTypeObject *type = (PyTypeObject *)cls->type;
    core_instance *self = NULL;

    if (type == NULL)
        PyErr_Format(PyExc_RuntimeError, "%U is not finished", cls->name);
    else
        self = (core_instance *)type->tp_alloc(type, 0);
    if (self == NULL) {
        core_class_free(cls, native, worker);
        return NULL;
    }
    self->cls = (core_class *)Py_NewRef(cls);
    self->native = native;
    self->worker = Py_XNewRef(worker);
    count_instance(self, 1);
    if (!cls->shared && (self->lock = PyThread_allocate_lock()) == NULL) {
        Py_DECREF(self); /* which frees it */
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

/* The class's own part of the C side: attribute _class, which loader/instances.py sets. */
static core_class *class_of(PyTypeObject *type)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)type, "_class");

    if (found != NULL && Py_TYPE(found) != &core_class_type) {
        PyErr_SetString(PyExc_TypeError, "only functions of plugins make instances");
        Py_CLEAR(found);
    }
    return (core_class *)found;
}

static PyObject *instance_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    core_class *cls = class_of(type);
    PyObject *made = NULL, *make;

    if (cls == NULL)
        return NULL;
    make = Py_XNewRef(cls->make);
    if (make == NULL)
        PyErr_Format(PyExc_TypeError, "plugin %U has no function %U_new", cls->owner->name, cls->name);
    else
        made = PyObject_Call(make, args, kwargs);
    Py_XDECREF(make);
    Py_DECREF(cls);
    return made;
}

/* Nobody is in a function with it, since who is has a reference; and nobody closes it. */
static void instance_dealloc(PyObject *object)
{
    core_instance *self = (core_instance *)object;
    void *const native = self->native;

    self->native = NULL;
    if (native != NULL)
        core_class_free(self->cls, native, self->worker);
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    count_instance(self, -1);
    Py_XDECREF(self->worker);
    Py_XDECREF(self->cls);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *instance_close(PyObject *object, PyObject *Py_UNUSED(none))
{
    core_instance *self = (core_instance *)object;
    core_class *cls;
    core_call c;
    char room[1];
    int held = -1;

    if (core_is_closed(self))
        Py_RETURN_NONE;
    cls = (core_class *)Py_NewRef(self->cls); /* a reload may move the instance while it is waited for */
    if (core_begin(&c, cls->owner, room, 0) == 0) {
        held = core_hold_one(self, &c, cls->step.name);
        core_end(&c);
    }
    Py_DECREF(cls);
    if (held < 0)
        return NULL;
    self->closing = true; /* another thread may have closed it meanwhile */
    core_let_one_go(self);
    Py_RETURN_NONE;
}

static PyObject *instance_enter(PyObject *object, PyObject *Py_UNUSED(none))
{
    return Py_NewRef(object);
}

static PyObject *instance_exit(PyObject *object, PyObject *Py_UNUSED(args))
{
    return instance_close(object, NULL);
}

static PyObject *instance_closed(PyObject *object, void *Py_UNUSED(closure))
{
    core_instance *self = (core_instance *)object;

    return PyBool_FromLong(core_is_closed(self));
}

static PyObject *instance_repr(PyObject *object)
{
    core_instance *self = (core_instance *)object;

    return PyUnicode_FromFormat("<%s%U of plugin %U>", core_is_closed(self) ? "closed " : "",
                                self->cls->name, self->cls->owner->name);
}

static PyObject *instance_reduce(PyObject *object, PyObject *Py_UNUSED(none))
{
    core_instance *self = (core_instance *)object;

    return PyErr_Format(PyExc_TypeError, "%U of plugin %U has its state in this process and cannot be pickled",
                        self->cls->name, self->cls->owner->name);
}

static PyGetSetDef instance_getset[] = {
    {"closed", instance_closed, NULL, "Whether it was closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef instance_methods[] = {
    {"close", instance_close, METH_NOARGS,
     "Frees what the plugin has; nothing if that is done. Waits for who uses it."},
    {"__enter__", instance_enter, METH_NOARGS, NULL},
    {"__exit__", instance_exit, METH_VARARGS, NULL},
    {"__reduce__", instance_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_instance_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Instance",
    .tp_doc = "An instance of a plugin's class.",
    .tp_basicsize = sizeof(core_instance),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = instance_new,
    .tp_dealloc = instance_dealloc,
    .tp_repr = instance_repr,
    .tp_getset = instance_getset,
    .tp_methods = instance_methods,
};
