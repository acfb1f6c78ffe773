/* module.c: the module loader.htmlize._engine and its type Engine: how one is made of roles and hooks. */
#include "module.h"

#include "interpreter.h"

const core_api *engine_api;

/* ---- Engine: made, read, dropped ----------------------------------------------------------------------- */

static void note_owner(engine_object *self, core_owner *owner)
{
    for (size_t i = self->owner_count; i > 0; i--) { /* mostly the one before */
        if (self->owners[i - 1] == owner)
            return;
    }
    self->owners[self->owner_count++] = owner;
    self->fork_unsafe = self->fork_unsafe || !owner->fork_safe;
}

static bool never_blocks(const core_owner *owner, PyObject *function)
{
    return owner->promises != NULL && PySet_Contains(owner->promises, function) == 1;
}

void *engine_address(PyObject *number)
{
    void *address = PyLong_AsVoidPtr(number);

    if (address == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the address of a plugin's function is 0");
    return address;
}

static int read_roles(engine_object *self, engine_role *roles, PyObject *promised)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->roles); i++) {
        PyObject *item = PyTuple_GET_ITEM(self->roles, i), *name, *owner, *number;
        void *address;
        Py_ssize_t size;
        if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "UO!O;a role is (name, owner, address)", &name,
                                                      engine_api->owner_type, &owner, &number)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a role is a tuple (name, owner, address)");
            return -1;
        }
        roles[i].name.data = PyUnicode_AsUTF8AndSize(name, &size);
        roles[i].name.size = (size_t)size;
        if (PyCallable_Check(number)) {
            roles[i].process = engine_first_use;
            roles[i].context = number;
        } else {
            address = engine_address(number);
            if (address == NULL)
                return -1;
            memcpy(&roles[i].process, &address, sizeof address); /* ISO C has no cast from object to function */
        }
        if (roles[i].name.data == NULL)
            return -1;
        roles[i].owner = (core_owner *)owner;
        roles[i].max_output = roles[i].owner->max_output;
        roles[i].never_blocks = roles[i].context == NULL && never_blocks(roles[i].owner, promised);
        self->never_blocks = self->never_blocks && roles[i].never_blocks;
        note_owner(self, roles[i].owner);
    }
    return 0;
}

static int read_contents(engine_object *self, engine_contents *contents, PyObject *promised)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->contents); i++) {
        PyObject *item = PyTuple_GET_ITEM(self->contents, i), *owner, *number;
        void *address;
        if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "O!O;a contents hook is (owner, address)",
                                                      engine_api->owner_type, &owner, &number)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a contents hook is a tuple (owner, address)");
            return -1;
        }
        address = engine_address(number);
        if (address == NULL)
            return -1;
        memcpy(&contents[i].process, &address, sizeof address);
        contents[i].owner = (core_owner *)owner;
        contents[i].max_output = contents[i].owner->max_output;
        self->never_blocks = self->never_blocks && never_blocks(contents[i].owner, promised);
        note_owner(self, contents[i].owner);
    }
    return 0;
}

static int fill(engine_object *self, const char *scan)
{
    const size_t role_count = (size_t)PyTuple_GET_SIZE(self->roles);
    const size_t contents_count = (size_t)PyTuple_GET_SIZE(self->contents);
    engine_role *roles = PyMem_Calloc(role_count + 1, sizeof *roles);
    engine_contents *contents = PyMem_Calloc(contents_count + 1, sizeof *contents);
    PyObject *of_roles = PyUnicode_FromString("process_role");
    PyObject *of_contents = PyUnicode_FromString("process_contents");
    int status = -1;

    self->never_blocks = true;
    self->owners = PyMem_Calloc(role_count + contents_count + 1, sizeof(core_owner *));
    if (roles == NULL || contents == NULL || self->owners == NULL || of_roles == NULL || of_contents == NULL) {
        PyErr_NoMemory();
    } else if (read_roles(self, roles, of_roles) == 0 && read_contents(self, contents, of_contents) == 0) {
        status = engine_set(&self->engine, roles, role_count, contents, contents_count, scan);
        if (status == -1)
            PyErr_NoMemory();
        else if (status != 0)
            PyErr_Format(PyExc_ValueError, "this machine has no scan %s; see _engine.SCANS", scan);
    }
    PyMem_Free(roles);
    PyMem_Free(contents);
    Py_XDECREF(of_roles);
    Py_XDECREF(of_contents);
    return status;
}

static PyObject *new_engine(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"roles", "contents", "post_layout", "scan", NULL};
    PyObject *const owner_type = (PyObject *)engine_api->owner_type;
    PyObject *roles, *contents, *layout;
    const char *scan = NULL;
    engine_object *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|$z:Engine", names, &roles, &contents, &layout, &scan))
        return NULL;
    self = (engine_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->layout = Py_NewRef(layout);
    self->roles = PySequence_Tuple(roles);
    self->contents = self->roles == NULL ? NULL : PySequence_Tuple(contents);
    if (self->contents != NULL)
        self->owner = (core_owner *)PyObject_CallFunction(owner_type, "ss", "htmlize", "");
    if (self->owner == NULL || fill(self, scan) != 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void drop_engine(PyObject *object)
{
    engine_object *self = (engine_object *)object;

    PyObject_GC_UnTrack(object);
    engine_clear(&self->engine);
    PyMem_Free(self->owners);
    for (size_t i = 0; i < ENGINE_RECENT; i++)
        Py_XDECREF(self->recent[i].name);
    Py_XDECREF(self->roles);
    Py_XDECREF(self->contents);
    Py_XDECREF(self->layout);
    Py_XDECREF((PyObject *)self->owner);
    Py_TYPE(object)->tp_free(object);
}

/* A role's callable, which opens its plugin, leads back to whoever holds the engine. No tp_clear, as for Services: an
 * engine never changes, and such a circle is broken at its other objects. */
static int traverse_engine(PyObject *object, visitproc visit, void *arg)
{
    engine_object *self = (engine_object *)object;

    Py_VISIT(self->roles);
    Py_VISIT(self->contents);
    Py_VISIT((PyObject *)self->owner);
    return 0;
}

static PyObject *get_roles(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((engine_object *)self)->roles);
}

static PyObject *get_contents(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((engine_object *)self)->contents);
}

static PyGetSetDef engine_fields[] = {
    {"roles", get_roles, NULL,
     "Tuple of (role, owner, address or callable that opens the plugin and gives (owner, address)), as given.", NULL},
    {"contents", get_contents, NULL, "Tuple of (owner, address) in the order of the hooks, as given.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef engine_methods[] = {
    {"render", (PyCFunction)(void (*)(void))engine_render_method, METH_FASTCALL | METH_KEYWORDS,
     engine_render_doc},
    {"process_role", (PyCFunction)(void (*)(void))engine_process_role_method, METH_FASTCALL | METH_KEYWORDS,
     engine_process_role_doc},
    {NULL, NULL, 0, NULL},
};

PyTypeObject engine_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader.htmlize._engine.Engine",
    .tp_doc = "Engine(roles, contents, post_layout, *, scan=None): turns documents into HTML. Never changes.",
    .tp_basicsize = sizeof(engine_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = new_engine,
    .tp_dealloc = drop_engine,
    .tp_traverse = traverse_engine,
    .tp_methods = engine_methods,
    .tp_getset = engine_fields,
};

/* ---- The module ---------------------------------------------------------------------------------------- */

static PyObject *scans(void)
{
    PyObject *list = PyList_New(0), *tuple;
    const char *name;

    for (size_t i = 0; list != NULL && (name = engine_path_name(i)) != NULL; i++) {
        PyObject *item = PyUnicode_FromString(name);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    tuple = list == NULL ? NULL : PyList_AsTuple(list);
    Py_XDECREF(list);
    return tuple;
}

static int fill_module(PyObject *module)
{
    PyObject *names;
    int status;

    if (core_main_interpreter() < 0 || (engine_api = core_import()) == NULL)
        return -1;
    names = scans();
    status = names == NULL || PyModule_AddObjectRef(module, "SCANS", names) < 0 ? -1 : 0;
    Py_XDECREF(names);
    return status < 0 ? -1 : PyModule_AddType(module, &engine_type);
}

static struct PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)(uintptr_t)fill_module},
    CORE_ONE_INTERPRETER
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "loader.htmlize._engine",
    .m_doc = "The document engine of htmlize.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__engine(void)
{
    return PyModuleDef_Init(&definition);
}
