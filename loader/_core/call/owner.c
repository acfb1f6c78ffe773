/* owner.c: Owner, the plugin as the C side knows it: whose call this is. */
#include "remote/remote.h"

#include <structmember.h>

/* ---- What crash reports say of it -------------------------------------------------------------------- */

/* Appends `"key":"text"` with a comma before all but the first; returns behind it. Room for six bytes a byte. */
static char *member(char *out, const char *key, const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    out += sprintf(out, "\"%s\":\"", key);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < ' ' || byte == 127) {
            memcpy(out, "\\u00", 4);
            out[4] = digits[byte >> 4];
            out[5] = digits[byte & 15];
            out += 6;
        } else {
            if (byte == '"' || byte == '\\')
                *out++ = '\\';
            *out++ = (char)byte;
        }
    }
    *out++ = '"';
    return out;
}

/* Put together now, since a signal handler can do nothing but write it. NULL with an exception. */
static char *label_of(PyObject *name, PyObject *path, PyObject *digest)
{
    PyObject *const texts[3] = {name, path, digest};
    static const char *const keys[3] = {"plugin", "path", "digest"};
    PyObject *bytes[3] = {NULL, NULL, NULL}; /* names of files may hold bytes that are no UTF-8: lone surrogates */
    const int count = digest == NULL ? 2 : 3;
    size_t size = 64;
    char *label = NULL, *out;
    int made = 0;

    while (made < count && (bytes[made] = PyUnicode_AsEncodedString(texts[made], "utf-8", "surrogatepass")) != NULL)
        size += 6 * (size_t)PyBytes_GET_SIZE(bytes[made++]);
    if (made == count && (label = malloc(size)) == NULL)
        PyErr_NoMemory();
    if (label != NULL) {
        out = label;
        for (int i = 0; i < count; i++) {
            if (i > 0)
                *out++ = ',';
            out = member(out, keys[i], PyBytes_AS_STRING(bytes[i]), (size_t)PyBytes_GET_SIZE(bytes[i]));
        }
        *out = '\0';
    }
    while (made > 0)
        Py_DECREF(bytes[--made]);
    return label;
}

/* ---- Its functions ----------------------------------------------------------------------------------- */

core_function core_function_at(const core_owner *owner, PyObject *address)
{
    void *const pointer = PyLong_AsVoidPtr(address);
    core_function found = NULL;

    if (pointer != NULL) {
        if (owner->remote == NULL)
            core_note_range(owner, pointer);
        memcpy(&found, &pointer, sizeof found); /* ISO C has no cast from data to function pointers */
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "a function is not at address 0");
    }
    return found;
}

bool core_promised(const core_owner *owner, PyObject *name)
{
    return owner->promises != NULL && PySet_Contains(owner->promises, name) == 1;
}

/* ---- The type ---------------------------------------------------------------------------------------- */

static PyObject *owner_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "path", "services", "max_output", "fork_safe", "digest", NULL};
    PyObject *name, *path, *path_bytes, *services = Py_None, *max_output = Py_None, *digest = NULL;
    char *label;
    int fork_safe = 1;
    size_t limit = SIZE_MAX;
    core_owner *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UU|OOpU:Owner", names, &name, &path, &services, &max_output,
                                     &fork_safe, &digest))
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
    core_signals_learn();
    path_bytes = PyUnicode_EncodeFSDefault(path);
    label = path_bytes == NULL ? NULL : label_of(name, path, digest);
    self = label == NULL ? NULL : (core_owner *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_XDECREF(path_bytes);
        free(label);
        return NULL;
    }
    self->label = label;
    self->name = Py_NewRef(name);
    self->path = Py_NewRef(path);
    self->path_bytes = path_bytes;
    self->services = services == Py_None ? NULL : (core_services *)Py_NewRef(services);
    self->max_output = limit;
    self->generation = core_generation;
    self->fork_safe = fork_safe != 0;
    self->since = core_now();
    return (PyObject *)self;
}

static void owner_dealloc(PyObject *object)
{
    core_owner *self = (core_owner *)object;

    PyObject_GC_UnTrack(object);
    Py_XDECREF(self->name);
    Py_XDECREF(self->path);
    Py_XDECREF(self->path_bytes);
    Py_XDECREF((PyObject *)self->services);
    Py_XDECREF(self->watch);
    Py_XDECREF(self->remote);
    Py_XDECREF(self->promises);
    Py_XDECREF((PyObject *)self->earlier);
    Py_XDECREF(self->failed_in);
    Py_XDECREF(self->failed_with);
    Py_XDECREF(self->failed_because);
    free(self->label);
    Py_TYPE(object)->tp_free(object);
}

/* No tp_clear, as for Services: a cycle through a host's services is broken at the Plugin. */
static int owner_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT((PyObject *)((core_owner *)object)->services);
    Py_VISIT(((core_owner *)object)->watch);
    Py_VISIT(((core_owner *)object)->remote);
    Py_VISIT((PyObject *)((core_owner *)object)->earlier);
    return 0;
}

static PyObject *owner_set_inherited(PyObject *object, PyObject *inherited)
{
    ((core_owner *)object)->generation = core_generation - (inherited == Py_True ? 1 : 0);
    Py_RETURN_NONE;
}

static PyObject *owner_get_watch(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *watch = ((core_owner *)object)->watch;
    return Py_NewRef(watch == NULL ? Py_None : watch);
}

static int owner_set_watch(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    core_owner *self = (core_owner *)object;

    if (value != NULL && value != Py_None)
        atomic_store_explicit(&self->unusual, true, memory_order_relaxed); /* calls that look at `watch` */
    Py_XSETREF(self->watch, value == NULL || value == Py_None ? NULL : Py_NewRef(value));
    return 0;
}

static PyObject *owner_get_remote(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *remote = ((core_owner *)object)->remote;
    return Py_NewRef(remote == NULL ? Py_None : remote);
}

#if defined(CORE_REMOTE)
static int owner_set_remote(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    core_owner *self = (core_owner *)object;

    if (value == NULL || Py_TYPE(value) != &core_remote_type || self->remote != NULL) {
        PyErr_SetString(PyExc_TypeError, "remote is a Remote, which is set once");
        return -1;
    }
    atomic_store_explicit(&self->unusual, true, memory_order_relaxed);
    self->remote = Py_NewRef(value);
    return 0;
}
#else
#  define owner_set_remote NULL
#endif

static PyObject *owner_get_promises(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *promises = ((core_owner *)object)->promises;
    return promises == NULL ? PyFrozenSet_New(NULL) : Py_NewRef(promises);
}

static int owner_set_promises(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    if (value == NULL || !PyFrozenSet_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "promises is a frozenset of functions' names");
        return -1;
    }
    Py_XSETREF(((core_owner *)object)->promises, Py_NewRef(value));
    return 0;
}

static PyObject *owner_get_attaches(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(atomic_load_explicit(&((core_owner *)object)->attaches, memory_order_relaxed));
}

static int owner_set_attaches(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    const int attaches = value == NULL ? -1 : PyObject_IsTrue(value);
    core_owner *self = (core_owner *)object;

    if (attaches < 0)
        return -1;
    atomic_store_explicit(&self->attaches, attaches != 0, memory_order_relaxed);
    if (attaches)
        atomic_store_explicit(&self->unusual, true, memory_order_relaxed);
    return 0;
}

/* This is the code that replaces that of `before`, whose counts go on: calls that are under way are in it yet. What is
 * earlier still is added up now: what somebody does with functions of that time is no longer counted. */
static PyObject *owner_follow(PyObject *object, PyObject *other)
{
    core_owner *self = (core_owner *)object, *before = (core_owner *)other, *gone;

    if (Py_TYPE(other) != &core_owner_type || before == self) {
        PyErr_SetString(PyExc_TypeError, "follow() wants another Owner");
        return NULL;
    }
    gone = before->earlier;
    if (gone != NULL) {
        before->calls += gone->calls;
        before->failures += gone->failures;
        before->earlier = NULL;
        Py_DECREF(gone);
    }
    Py_XSETREF(self->earlier, (core_owner *)Py_NewRef(before));
    Py_RETURN_NONE;
}

static PyObject *owner_get_calls(PyObject *object, void *Py_UNUSED(closure))
{
    const core_owner *self = (core_owner *)object;

    return PyLong_FromUnsignedLongLong(self->calls + (self->earlier == NULL ? 0 : self->earlier->calls));
}

static PyObject *owner_get_failures(PyObject *object, void *Py_UNUSED(closure))
{
    const core_owner *self = (core_owner *)object;

    return PyLong_FromUnsignedLongLong(self->failures + (self->earlier == NULL ? 0 : self->earlier->failures));
}

static PyObject *owner_get_seconds(PyObject *object, void *Py_UNUSED(closure))
{
    return PyFloat_FromDouble((double)(core_now() - ((core_owner *)object)->since) / 1e9);
}

static PyObject *owner_get_alive(PyObject *object, void *Py_UNUSED(closure))
{
    const core_owner *self = (core_owner *)object;

    return PyBool_FromLong(self->fork_safe || self->generation == core_generation);
}

static PyObject *owner_get_failure(PyObject *object, void *Py_UNUSED(closure))
{
    const core_owner *self = (core_owner *)object;

    if (self->failed_because == NULL)
        Py_RETURN_NONE;
    return PyTuple_Pack(3, self->failed_in, self->failed_with, self->failed_because);
}

static PyGetSetDef owner_getset[] = {
    {"promises", owner_get_promises, owner_set_promises, "Names of the functions that never block.", NULL},
    {"attaches", owner_get_attaches, owner_set_attaches,
     "Threads of its own may make themselves threads of Python: it never counts as alone.", NULL},
    {"remote", owner_get_remote, owner_set_remote, "What has the plugin in processes of its own, or None.", NULL},
    {"watch", owner_get_watch, owner_set_watch,
     "Called before and after each call; see loader/observe/process_state.py.", NULL},
    {"calls", owner_get_calls, NULL, "How many calls of its functions have begun.", NULL},
    {"failures", owner_get_failures, NULL, "How many of them it failed.", NULL},
    {"seconds", owner_get_seconds, NULL, "Since it was made, which is right before its library is opened.", NULL},
    {"alive", owner_get_alive, NULL, "False: its runtime has not survived the fork that made this process.", NULL},
    {"failure", owner_get_failure, NULL, "The last one: (function or None, status, text), or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef owner_members[] = {
    {"name", T_OBJECT, offsetof(core_owner, name), READONLY, "The plugin's name."},
    {"path", T_OBJECT, offsetof(core_owner, path), READONLY, "The plugin's file."},
    {"fork_safe", T_BOOL, offsetof(core_owner, fork_safe), 0, "False: refused in forked children."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef owner_methods[] = {
    {"set_inherited", owner_set_inherited, METH_O, "Whether its library was loaded before this process was forked."},
    {"follow", owner_follow, METH_O, "follow(before): goes on with the counts of the code that it replaces."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_owner_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Owner",
    .tp_doc = "Owner(name, path, services=None, max_output=None, fork_safe=True, digest=\"\"): "
              "a plugin, for the C side.",
    .tp_basicsize = sizeof(core_owner),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = owner_new,
    .tp_dealloc = owner_dealloc,
    .tp_traverse = owner_traverse,
    .tp_methods = owner_methods,
    .tp_members = owner_members,
    .tp_getset = owner_getset,
};
