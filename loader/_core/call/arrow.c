/* arrow.c: arrays in Arrow's C data interface: those that a plugin is lent (what has __arrow_c_array__), and those that
 * it gives by LOADER_OUT (type Arrow). Whether it is one: wire/arrow_check.c.
 *
 * Their structs are moved, as the specification has it: copied, and released where they were. So nobody else has what
 * a plugin reads, whatever becomes of the capsules, and each array is released once: by who took it, or here.
 */
#include "call/function.h"
#include "wire/wire_arrow.h"

size_t core_arrow_size(void)
{
    return sizeof(struct wire_arrow);
}

void core_arrow_room(char *at)
{
    struct wire_arrow *room = (struct wire_arrow *)(void *)at;

    memset(room, 0, sizeof *room);
    room->given = (loader_arrow){&room->schema, &room->array};
}

/* ---- Releasing --------------------------------------------------------------------------------------- */

/* `owner`: the plugin whose functions these are, NULL: they are of an object of the host's. Either may be released or
 * moved away already. */
static void release(core_owner *owner, struct ArrowSchema *schema, struct ArrowArray *array)
{
    static const core_step step = {.name = "release of an Arrow array"};
    struct cleanup cleanup;

    if ((schema->release != NULL || array->release != NULL) && core_cleanup_begin(&cleanup, owner, &step, false)) {
        if (array->release != NULL)
            array->release(array);
        if (schema->release != NULL)
            schema->release(schema);
        core_cleanup_end(&cleanup);
    }
    array->release = NULL; /* whether or not it did */
    schema->release = NULL;
}

void core_arrow_drop(core_owner *owner, const char *at)
{
    struct wire_arrow *room = (struct wire_arrow *)(uintptr_t)at;

    release(owner, &room->schema, &room->array);
}

/* ---- Arrow: an array that Python has ------------------------------------------------------------------ */

typedef struct arrow {
    PyObject_HEAD
    core_owner *owner; /* the plugin that gave it; NULL: it was lent to one; owned */
    struct ArrowSchema schema;
    struct ArrowArray array; /* released: it was given away */
    size_t users; /* calls that it is lent to */
} arrow;

/* Moves the two. NULL with MemoryError: then they are as they were. */
static PyObject *take(core_owner *owner, struct ArrowSchema *schema, struct ArrowArray *array)
{
    arrow *self = PyObject_New(arrow, &core_arrow_type);

    if (self == NULL)
        return NULL;
    Py_XINCREF((PyObject *)owner);
    self->owner = owner;
    self->schema = *schema;
    self->array = *array;
    self->users = 0;
    schema->release = NULL;
    array->release = NULL;
    return (PyObject *)self;
}

static bool is_of_call(const void *c, const void *data)
{
    return core_block_of(c, data, 1) != NULL;
}

PyObject *core_arrow_result(const core_call *c, const char *at, const char **what)
{
    struct wire_arrow *room = (struct wire_arrow *)(uintptr_t)at;
    PyObject *made = NULL;

    *what = wire_arrow_result_wrong(room, (struct wire_borrowed){c->blocks == NULL ? NULL : is_of_call, c});
    if (*what == NULL)
        made = take(c->owner, &room->schema, &room->array);
    if (made == NULL)
        release(c->owner, &room->schema, &room->array);
    return made;
}

static void arrow_dealloc(PyObject *object)
{
    arrow *self = (arrow *)object;

    release(self->owner, &self->schema, &self->array);
    Py_XDECREF((PyObject *)self->owner);
    Py_TYPE(object)->tp_free(object);
}

/* What a capsule points to: one of the two, and whose it is. */
struct held_schema {
    struct ArrowSchema schema;
    core_owner *owner;
};
struct held_array {
    struct ArrowArray array;
    core_owner *owner;
};

static void end_schema(PyObject *capsule)
{
    struct held_schema *held = PyCapsule_GetPointer(capsule, "arrow_schema");
    struct ArrowArray none = {0};

    release(held->owner, &held->schema, &none);
    Py_XDECREF((PyObject *)held->owner);
    PyMem_Free(held);
}

static void end_array(PyObject *capsule)
{
    struct held_array *held = PyCapsule_GetPointer(capsule, "arrow_array");
    struct ArrowSchema none = {0};

    release(held->owner, &none, &held->array);
    Py_XDECREF((PyObject *)held->owner);
    PyMem_Free(held);
}

/* 0, or -1 with an exception. */
static int check_there(const arrow *self)
{
    if (self->array.release == NULL)
        PyErr_SetString(PyExc_ValueError, "this Arrow array was given away already; keep what took it");
    else if (self->users > 0)
        PyErr_SetString(PyExc_ValueError, "this Arrow array is lent to a call of a plugin, and cannot be given away");
    else
        return 0;
    return -1;
}

/* What makes room for it may collect garbage, and so run any code: whether it is there is asked after that. */
static PyObject *hand_over(arrow *self)
{
    struct held_schema *schema = PyMem_Calloc(1, sizeof *schema);
    struct held_array *array = PyMem_Calloc(1, sizeof *array);
    PyObject *first = schema == NULL ? NULL : PyCapsule_New(schema, "arrow_schema", end_schema);
    PyObject *second = array == NULL ? NULL : PyCapsule_New(array, "arrow_array", end_array);
    PyObject *both = first == NULL || second == NULL ? NULL : PyTuple_Pack(2, first, second);

    if (both == NULL && !PyErr_Occurred())
        PyErr_NoMemory();
    if (both != NULL && check_there(self) < 0)
        Py_CLEAR(both);
    if (both == NULL) {
        if (first == NULL)
            PyMem_Free(schema);
        if (second == NULL)
            PyMem_Free(array);
    } else {
        schema->schema = self->schema;
        array->array = self->array;
        schema->owner = array->owner = self->owner;
        Py_XINCREF((PyObject *)self->owner);
        Py_XINCREF((PyObject *)self->owner);
        self->schema.release = NULL;
        self->array.release = NULL;
    }
    Py_XDECREF(first);
    Py_XDECREF(second);
    return both;
}

static PyObject *arrow_c_array(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"requested_schema", NULL};
    PyObject *requested = Py_None; /* it may be asked for, and need not be given */

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:__arrow_c_array__", names, &requested))
        return NULL;
    return hand_over((arrow *)object);
}

static PyObject *arrow_repr(PyObject *object)
{
    arrow *self = (arrow *)object;

    if (self->array.release == NULL)
        return PyUnicode_FromString("<Arrow array, given away>");
    return PyUnicode_FromFormat("<Arrow array of format '%.50s', %lld elements>", self->schema.format,
                                (long long)self->array.length);
}

static PyMethodDef arrow_methods[] = {
    {"__arrow_c_array__", (PyCFunction)(void (*)(void))arrow_c_array, METH_VARARGS | METH_KEYWORDS,
     "__arrow_c_array__(requested_schema=None): gives the array away, once: capsules of its schema and itself."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_arrow_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Arrow",
    .tp_doc = "An Arrow array that a plugin gave: for pyarrow.array and its like, or an argument of plugins.",
    .tp_basicsize = sizeof(arrow),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = arrow_dealloc,
    .tp_repr = arrow_repr,
    .tp_methods = arrow_methods,
};

/* ---- Arrays that a plugin is lent -------------------------------------------------------------------- */

static void end_lending(PyObject *capsule)
{
    arrow *self = PyCapsule_GetPointer(capsule, NULL);

    self->users--;
    Py_DECREF(self);
}

/* An array that a plugin gave is lent as it lies; who asks for it meanwhile does not get it. */
static PyObject *lend(arrow *self, PyObject *name)
{
    PyObject *capsule;

    if (self->array.release == NULL)
        return PyErr_Format(PyExc_ValueError, "%U was given away already; pass what took it", name);
    self->users++;
    Py_INCREF(self);
    capsule = PyCapsule_New(self, NULL, end_lending);
    if (capsule == NULL) {
        self->users--;
        Py_DECREF(self);
    }
    return capsule;
}

static void *pointer_of(PyObject *name, PyObject *capsule, const char *wanted)
{
    if (PyCapsule_IsValid(capsule, wanted))
        return PyCapsule_GetPointer(capsule, wanted);
    PyErr_Format(PyExc_TypeError, "%U: its __arrow_c_array__ gave %.100s where a capsule '%s' is wanted", name,
                 PyCapsule_CheckExact(capsule) ? "another capsule" : Py_TYPE(capsule)->tp_name, wanted);
    return NULL;
}

static PyObject *of_capsules(PyObject *name, PyObject *pair)
{
    struct ArrowSchema *schema;
    struct ArrowArray *array;
    const char *what;

    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2)
        return PyErr_Format(PyExc_TypeError, "%U: its __arrow_c_array__ gave %.100s where two capsules are wanted",
                            name, Py_TYPE(pair)->tp_name);
    schema = pointer_of(name, PyTuple_GET_ITEM(pair, 0), "arrow_schema");
    array = schema == NULL ? NULL : pointer_of(name, PyTuple_GET_ITEM(pair, 1), "arrow_array");
    if (array == NULL)
        return NULL;
    what = wire_arrow_wrong(schema, array, (struct wire_borrowed){NULL, NULL});
    return what == NULL ? take(NULL, schema, array) : PyErr_Format(PyExc_ValueError, "%U %s", name, what);
}

static PyObject *by_method(PyObject *value, PyObject *name)
{
    PyObject *method = PyObject_GetAttrString(value, "__arrow_c_array__"), *pair, *made;

    if (method == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Format(PyExc_TypeError, "%U must be an Arrow array (pyarrow, what has __arrow_c_array__), not %.100s",
                         name, Py_TYPE(value)->tp_name);
        return NULL;
    }
    pair = PyObject_CallNoArgs(method);
    Py_DECREF(method);
    made = pair == NULL ? NULL : of_capsules(name, pair);
    Py_XDECREF(pair);
    return made;
}

int core_borrow_arrow(PyObject *value, PyObject *name, PyObject **keep, loader_text *out)
{
    const bool own = Py_TYPE(value) == &core_arrow_type;
    arrow *held;
    loader_arrow lent;

    *keep = own ? lend((arrow *)value, name) : by_method(value, name);
    if (*keep == NULL)
        return -1;
    held = (arrow *)(own ? value : *keep);
    lent = (loader_arrow){&held->schema, &held->array};
    _Static_assert(sizeof lent == sizeof *out, "both are two words");
    memcpy(out, &lent, sizeof lent);
    return 0;
}
