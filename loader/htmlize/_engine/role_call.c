/* role_call.c: RoleCall, one role's plugin as a Python callable: process_role(role, text, post) -> str. */
#include "module.h"

#include <structmember.h>

enum {
    STACK_ROOM = 640,  /* bytes of an answer that need no memory but the str's own */
    SHORT_TEXT = 384,  /* bytes of text up to which the stack is tried first */
    MOST_ARGUMENTS = 3
};

typedef struct role_call {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    engine_object *engine;
} role_call;

/* ---- Arguments ------------------------------------------------------------------------------------------- */

/* Puts positional and keyword arguments in order. Returns 0, or -1 with TypeError. */
static int order(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **values)
{
    static const char *const places[MOST_ARGUMENTS] = {"role", "text", "post"};

    if (count > MOST_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "process_role() takes role, text and post, not %zd arguments", count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < MOST_ARGUMENTS; i++)
        values[i] = i < count ? args[i] : NULL;
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        Py_ssize_t place = 0;
        while (place < MOST_ARGUMENTS && PyUnicode_CompareWithASCIIString(name, places[place]) != 0)
            place++;
        if (place == MOST_ARGUMENTS || values[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "process_role() %s %R",
                         place == MOST_ARGUMENTS ? "has no argument" : "was given twice", name);
            return -1;
        }
        values[place] = args[count + i];
    }
    for (Py_ssize_t i = 0; i < 2; i++) {
        if (values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "process_role() wants %s", places[i]);
            return -1;
        }
    }
    return 0;
}

static PyObject *unknown_role(const engine_object *self, PyObject *role)
{
    PyObject *names = PyList_New(0), *comma = PyUnicode_FromString(", "), *list = NULL;

    for (size_t i = 0; names != NULL && i < self->engine.role_count; i++) {
        const loader_text *name = &self->engine.roles[i].name;
        PyObject *item = PyUnicode_FromStringAndSize(name->data, (Py_ssize_t)name->size);
        if (item == NULL || PyList_Append(names, item) < 0)
            Py_CLEAR(names);
        Py_XDECREF(item);
    }
    if (names != NULL && comma != NULL)
        list = PyUnicode_Join(comma, names);
    if (list != NULL)
        PyErr_Format(PyExc_LookupError, "no plugin answers the role %R; known roles: %U", role, list);
    Py_XDECREF(list);
    Py_XDECREF(comma);
    Py_XDECREF(names);
    return NULL;
}

static inline const engine_role *find(const engine_object *self, PyObject *name)
{
    Py_ssize_t size;
    const char *data;
    const engine_role *role;

    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "role is a str, not %.100s", Py_TYPE(name)->tp_name);
        return NULL;
    }
    if (PyUnicode_IS_COMPACT_ASCII(name)) {
        data = (const char *)PyUnicode_DATA(name);
        size = PyUnicode_GET_LENGTH(name);
    } else {
        data = PyUnicode_AsUTF8AndSize(name, &size);
        if (data == NULL)
            return NULL;
    }
    role = engine_find(&self->engine, data, (size_t)size);
    if (role == NULL)
        unknown_role(self, name);
    return role;
}

/* ---- The call -------------------------------------------------------------------------------------------- */

static PyObject *fail(core_call *c, const engine_role *role, int status)
{
    char where[128];

    PyOS_snprintf(where, sizeof where, "in role '%.*s'", (int)(role->name.size > 100 ? 100 : role->name.size),
                  role->name.data);
    return engine_api->raise(c, "process_role", status, where);
}

static inline PyObject *answer(const engine_object *self, const engine_role *role, const loader_text *text,
                               const htmlize_post *post)
{
    core_call c;
    char room[STACK_ROOM];
    PyObject *html = NULL;
    int status;
    engine_run run = {
        .engine = &self->engine,
        .call = &c.call,
        .begin = &c.begin,
        .owner = &c.owner,
        .max_output = &c.max_output,
        .post = post,
        .utf8_valid = engine_api->utf8_valid,
        .forget = engine_forget,
        .ascii = true,
    };

    if (engine_api->begin(&c, role->owner) < 0)
        return NULL;
    if (text->size <= SHORT_TEXT) {
        engine_api->use_room(&c, room, sizeof room);
    } else if (text->size > (size_t)PY_SSIZE_T_MAX / 2 ||
               engine_api->use_result(&c, text->size + text->size / 8 + 64, false) < 0) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        engine_api->end(&c);
        return NULL;
    }
    if (text->size >= LONG_TEXT || c.limit != NULL || role->owner->talks)
        engine_api->release(&c);
    status = engine_answer(&run, role, text);
    engine_api->acquire(&c);
    if (LOADER_LIKELY(status == LOADER_OK))
        html = engine_api->text(&c, "process_role", run.ascii);
    else
        fail(&c, role, status);
    engine_api->end(&c);
    return html;
}

static PyObject *call(PyObject *object, PyObject *const *args, size_t flags, PyObject *names)
{
    const engine_object *self = ((role_call *)object)->engine;
    const Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *ordered[MOST_ARGUMENTS], *keep, *html;
    const engine_role *role;
    const htmlize_post *post;
    loader_text text;
    bool ascii;

    if (count != MOST_ARGUMENTS || names != NULL) {
        if (order(args, count, names, ordered) < 0)
            return NULL;
        args = ordered;
    }
    role = find(self, args[0]);
    if (role == NULL || engine_borrow(args[1], "text", &text, &ascii, NULL) < 0)
        return NULL;
    post = engine_post(self, args[2], &keep);
    if (post == NULL)
        return NULL;
    html = answer(self, role, &text, post);
    Py_XDECREF(keep);
    return html;
}

/* ---- The type -------------------------------------------------------------------------------------------- */

PyObject *engine_new_role_call(engine_object *owner)
{
    role_call *self = (role_call *)role_call_type.tp_alloc(&role_call_type, 0);

    if (self == NULL)
        return NULL;
    self->vectorcall = call;
    self->engine = (engine_object *)Py_NewRef((PyObject *)owner);
    return (PyObject *)self;
}

static void drop_role_call(PyObject *object)
{
    Py_XDECREF((PyObject *)((role_call *)object)->engine);
    Py_TYPE(object)->tp_free(object);
}

PyTypeObject role_call_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader.htmlize._engine.RoleCall",
    .tp_doc = "process_role(role, text, post=None) -> str: one role, one call. Raises LookupError, TextError, "
              "PluginError and its kin.",
    .tp_basicsize = sizeof(role_call),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_vectorcall_offset = offsetof(role_call, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_dealloc = drop_role_call,
};
