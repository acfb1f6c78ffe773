/* function.c: Function, a contract function of a plugin as a Python callable. The hot path of the package.
 *
 * Python -> function_vectorcall -> (arguments borrowed in place, room for the answer on the C stack or in the
 * new object itself) -> the plugin's function through its address -> the answer as a new str or bytes.
 *
 * The GIL is released around a call whose input is long, that is under a deadline or cancel token, whose
 * plugin calls into Python, or that was seen to be slow: every 64th call is timed, the first one included.
 */
#include "internal.h"

#include <structmember.h>

#define STACK_ROOM 640      /* bytes of output that need no allocation but the answer's own */
#define SHORT_INPUT 384     /* bytes of input up to which the stack is tried first */
#define LONG_INPUT 16384    /* bytes of input from which the GIL is released */
#define SLOW 10000          /* nanoseconds from which the GIL is released; letting it go costs about 50 */
#define TIMED_EVERY 64      /* calls */

struct parameter {
    PyObject *name; /* interned str */
    enum kind kind;
    size_t size;
    bool is_signed;
    PyObject *layout; /* KIND_STRUCT: a Layout; owned */
};

typedef struct function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    core_function address;
    core_owner *owner;
    Py_ssize_t count;
    bool gives_bytes;
    bool slow;
    unsigned calls;
    core_step step; /* for the breadcrumb: borrows the UTF-8 of `name` */
    PyObject *name;
    PyObject *doc;
    PyObject *plugin;    /* the Plugin that it belongs to: for pickling and messages */
    PyObject *signature; /* inspect.Signature, or a callable that makes it on demand */
    struct parameter parameters[MAX_PARAMETERS];
} function;

/* ---- Arguments --------------------------------------------------------------------------------------- */

/* What a call holds while it runs. */
struct arguments {
    uintptr_t values[MAX_PARAMETERS];
    loader_text texts[MAX_PARAMETERS];
    PyObject *kept[MAX_PARAMETERS];
    Py_buffer buffers[MAX_PARAMETERS];
    int kept_count, buffer_count;
    size_t total; /* bytes of text and bytes */
};

static void wrong_argument(const function *f)
{
    PyObject *error = core_raised();
    PyObject *type = (PyObject *)Py_TYPE(error), *trace = PyException_GetTraceback(error);

    /* Say which function it was: the texts of core_integer and the like begin with the parameter's name. What
     * code of the argument's own raised (it has a traceback) is not ours to reword. */
    if (trace == NULL && (type == PyExc_TypeError || type == PyExc_OverflowError)) {
        PyErr_Format(type, "%U(): %S", f->name, error);
        Py_DECREF(error);
    } else {
        core_raise_again(error);
    }
    Py_XDECREF(trace);
}

static int take_bytes(struct arguments *a, const struct parameter *parameter, PyObject *value, loader_text *out)
{
    if (PyBytes_CheckExact(value)) {
        out->data = PyBytes_AS_STRING(value);
        out->size = (size_t)PyBytes_GET_SIZE(value);
        return 0;
    }
    Py_buffer *buffer = &a->buffers[a->buffer_count];
    if (PyObject_GetBuffer(value, buffer, PyBUF_SIMPLE) < 0) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%U is bytes, not %.100s", parameter->name, Py_TYPE(value)->tp_name);
        return -1;
    }
    a->buffer_count++;
    out->data = (const char *)buffer->buf;
    out->size = (size_t)buffer->len;
    return 0;
}

static inline int take(struct arguments *a, const struct parameter *parameter, PyObject *value, Py_ssize_t i)
{
    loader_text *text = &a->texts[i];

    a->values[i] = (uintptr_t)text;
    switch (parameter->kind) {
    case KIND_TEXT:
        if (PyUnicode_Check(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
            text->data = (const char *)PyUnicode_DATA(value);
            text->size = (size_t)PyUnicode_GET_LENGTH(value);
        } else if (core_borrow_text(value, parameter->name, text) < 0) {
            return -1;
        }
        a->total += text->size;
        return 0;
    case KIND_STRUCT: {
        const void *native = core_packed(value, parameter->layout, &core_record_type);
        PyObject *keep = NULL;
        if (native == NULL && core_pack(parameter->layout, value, &native, &keep) < 0)
            return -1;
        if (keep != NULL)
            a->kept[a->kept_count++] = keep;
        a->values[i] = (uintptr_t)native;
        return 0;
    }
    case KIND_BYTES:
        if (take_bytes(a, parameter, value, text) < 0)
            return -1;
        a->total += text->size;
        return 0;
    default:
        return core_integer(value, parameter->size, parameter->is_signed, parameter->name, &a->values[i]);
    }
}

static inline void let_go(struct arguments *a)
{
    while (a->kept_count > 0)
        Py_DECREF(a->kept[--a->kept_count]);
    while (a->buffer_count > 0)
        PyBuffer_Release(&a->buffers[--a->buffer_count]);
}

/* ---- The call ---------------------------------------------------------------------------------------- */

static inline int enter(const function *f, loader_call *call, const uintptr_t *v)
{
    typedef uintptr_t W;
    switch (f->count) {
    case 0: return ((int (*)(loader_call *))f->address)(call);
    case 1: return ((int (*)(loader_call *, W))f->address)(call, v[0]);
    case 2: return ((int (*)(loader_call *, W, W))f->address)(call, v[0], v[1]);
    case 3: return ((int (*)(loader_call *, W, W, W))f->address)(call, v[0], v[1], v[2]);
    case 4: return ((int (*)(loader_call *, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3]);
    case 5: return ((int (*)(loader_call *, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4]);
    case 6:
        return ((int (*)(loader_call *, W, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4], v[5]);
    case 7:
        return ((int (*)(loader_call *, W, W, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4], v[5],
                                                                         v[6]);
    default:
        return ((int (*)(loader_call *, W, W, W, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4], v[5],
                                                                            v[6], v[7]);
    }
}

/* The way of all calls that are not quick, not known to be, or due to be timed. */
static CORE_NOINLINE int enter_slowly(function *f, core_call *c, const uintptr_t *values, bool away, bool timed)
{
    PyObject *token = f->owner->watch == NULL ? NULL : core_watch_before(c, f->step.name);
    int64_t begin;
    int status;

    if (away)
        core_release(c);
    begin = timed ? core_now() : 0;
    const core_crumb outer = core_enter(c, &f->step);
    status = enter(f, &c->call, values);
    core_leave(c, outer);
    const bool slow = timed && core_now() - begin > SLOW; /* before the GIL is waited for: that is not its time */
    core_acquire(c);
    if (timed)
        f->slow = slow;
    return token == NULL ? status : core_watch_after(c, f->step.name, token, status);
}

static CORE_NOINLINE PyObject *finish_slowly(const function *f, core_call *c, int status)
{
    if (status == LOADER_OK)
        return f->gives_bytes ? core_bytes(c, f->step.name) : core_text(c, f->step.name, false);
    return core_raise(c, f->step.name, status, NULL);
}

static inline PyObject *finish(const function *f, core_call *c, int status, const char *room)
{
    const size_t size = (size_t)(c->call.next - c->begin);

    if (LOADER_LIKELY(status == LOADER_OK && c->begin == room && size <= STACK_ROOM && !f->gives_bytes &&
                      !c->output_lost && c->cause == NULL && c->call.next <= c->call.limit)) {
        PyObject *text = core_short_text(room, size);
        if (text != NULL || PyErr_Occurred())
            return text;
    }
    return finish_slowly(f, c, status);
}

/* `values`: exactly f->count arguments, in order. */
static CORE_INLINE PyObject *call_in_order(function *f, PyObject *const *values)
{
    struct arguments a;
    core_call c;
    char room[STACK_ROOM];
    PyObject *result = NULL;
    int status;

    a.kept_count = a.buffer_count = 0;
    a.total = 0;
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (take(&a, &f->parameters[i], values[i], i) < 0) {
            wrong_argument(f);
            let_go(&a);
            return NULL;
        }
    if (core_begin(&c, f->owner) < 0) {
        let_go(&a);
        return NULL;
    }
    if (a.total <= SHORT_INPUT || c.max_output <= sizeof room) {
        c.begin = c.call.next = room;
        c.call.limit = room + sizeof room;
        if (c.max_output < sizeof room)
            c.call.limit = room + c.max_output;
    } else if (core_use_result(&c, a.total <= c.max_output - c.max_output / 8 - 64 ? a.total + a.total / 8 + 64 : 0,
                               f->gives_bytes) < 0) {
        goto done;
    }
    const bool timed = f->calls++ % TIMED_EVERY == 0;
    const bool away = f->slow || a.total >= LONG_INPUT || c.limit != NULL || f->owner->talks;
    if (timed || away) {
        status = enter_slowly(f, &c, a.values, away, timed);
    } else {
        const core_crumb outer = core_enter(&c, &f->step);
        status = enter(f, &c.call, a.values);
        core_leave(&c, outer);
    }
    result = finish(f, &c, status, room);
done:
    core_end(&c);
    let_go(&a);
    return result;
}

/* ---- Keyword arguments ------------------------------------------------------------------------------- */

static Py_ssize_t place_of(const function *f, PyObject *name)
{
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (f->parameters[i].name == name || PyUnicode_Compare(f->parameters[i].name, name) == 0)
            return i;
    return -1;
}

static PyObject *missing(const function *f, PyObject *const *values)
{
    PyObject *names = PyList_New(0), *comma = PyUnicode_FromString(", "), *list;

    for (Py_ssize_t i = 0; names != NULL && i < f->count; i++)
        if (values[i] == NULL && PyList_Append(names, f->parameters[i].name) < 0)
            Py_CLEAR(names);
    list = names == NULL || comma == NULL ? NULL : PyUnicode_Join(comma, names);
    if (list != NULL)
        PyErr_Format(PyExc_TypeError, "%U() is called without %U", f->name, list);
    Py_XDECREF(list);
    Py_XDECREF(comma);
    Py_XDECREF(names);
    return NULL;
}

/* The one struct parameter that is not given, if any: keywords that name no parameter are its fields. */
static Py_ssize_t open_struct(const function *f, PyObject *const *values)
{
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (values[i] == NULL && f->parameters[i].kind == KIND_STRUCT)
            return i;
    return -1;
}

static CORE_NOINLINE PyObject *call_by_name(function *f, PyObject *const *args, Py_ssize_t given, PyObject *kwnames)
{
    PyObject *values[MAX_PARAMETERS] = {NULL};
    PyObject *fields = NULL, *result = NULL;
    Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);

    if (given > f->count)
        return PyErr_Format(PyExc_TypeError, "%U() takes %zd arguments, %zd were given", f->name, f->count, given);
    for (Py_ssize_t i = 0; i < given; i++)
        values[i] = args[i];
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        Py_ssize_t place = place_of(f, name);
        if (place >= 0 && values[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "%U() got %U twice", f->name, name);
            goto done;
        }
        if (place >= 0) {
            values[place] = args[given + i];
            continue;
        }
        if (open_struct(f, values) < 0) {
            PyErr_Format(PyExc_TypeError, "%U() has no parameter %U", f->name, name);
            goto done;
        }
        if ((fields == NULL && (fields = PyDict_New()) == NULL) || PyDict_SetItem(fields, name, args[given + i]) < 0)
            goto done;
    }
    if (fields != NULL && open_struct(f, values) >= 0)
        values[open_struct(f, values)] = fields;
    else if (fields != NULL) {
        PyErr_Format(PyExc_TypeError, "%U() got a struct and fields of it", f->name);
        goto done;
    }
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (values[i] == NULL) {
            missing(f, values);
            goto done;
        }
    result = call_in_order(f, values);
done:
    Py_XDECREF(fields);
    return result;
}

static PyObject *function_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    function *f = (function *)self;

    if (kwnames == NULL && PyVectorcall_NARGS(nargsf) == f->count)
        return call_in_order(f, args);
    return call_by_name(f, args, PyVectorcall_NARGS(nargsf), kwnames);
}

/* ---- The type ---------------------------------------------------------------------------------------- */

static int read_parameter(struct parameter *parameter, PyObject *item)
{
    PyObject *name, *layout;
    int kind, is_signed;
    Py_ssize_t size;

    if (!PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "a parameter is a tuple, not %.100s", Py_TYPE(item)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(item, "UCnpO", &name, &kind, &size, &is_signed, &layout))
        return -1;
    if ((kind != KIND_TEXT && kind != KIND_BYTES && kind != KIND_STRUCT && kind != KIND_INTEGER) ||
        (size != 1 && size != 2 && size != 4 && size != 8) ||
        (kind == KIND_STRUCT) != (Py_TYPE(layout) == &core_layout_type)) {
        PyErr_Format(PyExc_ValueError, "%U is not a parameter", name);
        return -1;
    }
    parameter->name = Py_NewRef(name);
    PyUnicode_InternInPlace(&parameter->name);
    parameter->kind = (enum kind)kind;
    parameter->size = (size_t)size;
    parameter->is_signed = is_signed != 0;
    parameter->layout = Py_NewRef(layout);
    return 0;
}

static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "address", "owner", "parameters", "gives_bytes", "doc", "plugin", "signature", NULL};
    PyObject *name, *address, *owner, *parameters, *doc, *plugin, *signature;
    int gives_bytes;
    void *pointer;
    function *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOO!O!pOOO:Function", names, &name, &address, &core_owner_type, &owner,
                                     &PyTuple_Type, &parameters, &gives_bytes, &doc, &plugin, &signature))
        return NULL;
    pointer = PyLong_AsVoidPtr(address);
    if (pointer == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a function is not at address 0");
        return NULL;
    }
    if (PyTuple_GET_SIZE(parameters) > MAX_PARAMETERS)
        return PyErr_Format(PyExc_ValueError, "%U has more than %d parameters", name, MAX_PARAMETERS);
    self = (function *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = function_vectorcall;
    memcpy(&self->address, &pointer, sizeof pointer); /* ISO C has no cast from data to function pointers */
    self->owner = (core_owner *)Py_NewRef(owner);
    self->step.name = PyUnicode_AsUTF8(name);
    if (self->step.name == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    core_note_range(self->owner, pointer);
    self->slow = true; /* until the first call has shown what it is: others may begin meanwhile */
    self->gives_bytes = gives_bytes != 0;
    self->name = Py_NewRef(name);
    self->doc = Py_NewRef(doc);
    self->plugin = Py_NewRef(plugin);
    self->signature = Py_NewRef(signature);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parameters); i++, self->count++)
        if (read_parameter(&self->parameters[i], PyTuple_GET_ITEM(parameters, i)) < 0) {
            Py_DECREF(self);
            return NULL;
        }
    return (PyObject *)self;
}

static int function_traverse(PyObject *object, visitproc visit, void *arg)
{
    function *self = (function *)object;
    Py_VISIT(self->plugin);
    Py_VISIT(self->signature);
    Py_VISIT((PyObject *)self->owner);
    return 0;
}

static int function_clear(PyObject *object)
{
    function *self = (function *)object;
    Py_CLEAR(self->plugin);
    Py_CLEAR(self->signature);
    return 0;
}

static void function_dealloc(PyObject *object)
{
    function *self = (function *)object;

    PyObject_GC_UnTrack(object);
    function_clear(object);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_XDECREF(self->parameters[i].name);
        Py_XDECREF(self->parameters[i].layout);
    }
    Py_XDECREF(self->owner);
    Py_XDECREF(self->name);
    Py_XDECREF(self->doc);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *function_repr(PyObject *object)
{
    function *self = (function *)object;
    return PyUnicode_FromFormat("<function %U of plugin %U>", self->name, self->owner->name);
}

static PyObject *function_signature(PyObject *object, void *Py_UNUSED(closure))
{
    function *self = (function *)object;

    if (self->signature != NULL && PyCallable_Check(self->signature)) {
        PyObject *made = PyObject_CallNoArgs(self->signature);
        if (made == NULL)
            return NULL;
        Py_XSETREF(self->signature, made);
    }
    return Py_NewRef(self->signature == NULL ? Py_None : self->signature);
}

static PyObject *function_address(PyObject *object, void *Py_UNUSED(closure))
{
    void *pointer;
    memcpy(&pointer, &((function *)object)->address, sizeof pointer);
    return PyLong_FromVoidPtr(pointer);
}

static PyObject *function_reduce(PyObject *object, PyObject *Py_UNUSED(none))
{
    function *self = (function *)object;
    PyObject *plugin = self->plugin == NULL ? Py_None : self->plugin;
    /* From the class: a plugin's own attributes may be functions of any name. */
    PyObject *find = PyObject_GetAttrString((PyObject *)Py_TYPE(plugin), "_function");

    return find == NULL ? NULL : Py_BuildValue("N(OO)", find, plugin, self->name);
}

static PyMemberDef function_members[] = {
    {"__name__", T_OBJECT, offsetof(function, name), READONLY, NULL},
    {"__qualname__", T_OBJECT, offsetof(function, name), READONLY, NULL},
    {"__doc__", T_OBJECT, offsetof(function, doc), READONLY, NULL},
    {"plugin", T_OBJECT, offsetof(function, plugin), READONLY, "The Plugin that it belongs to."},
    {"owner", T_OBJECT, offsetof(function, owner), READONLY, "The plugin, for the C side."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef function_getset[] = {
    {"__signature__", function_signature, NULL, "For inspect.signature.", NULL},
    {"address", function_address, NULL, "Where the function is, for engines in C.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef function_methods[] = {
    {"__reduce__", function_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_function_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Function",
    .tp_basicsize = sizeof(function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(function, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = function_new,
    .tp_dealloc = function_dealloc,
    .tp_traverse = function_traverse,
    .tp_clear = function_clear,
    .tp_repr = function_repr,
    .tp_members = function_members,
    .tp_getset = function_getset,
    .tp_methods = function_methods,
};
