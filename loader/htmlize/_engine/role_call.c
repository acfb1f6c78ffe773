/* role_call.c: Engine.process_role(role, text, post) -> str: one role of one plugin, one call. */
#include "module.h"

enum {
    STACK_ROOM = 640,  /* bytes of an answer that need no memory but the str's own */
    SHORT_TEXT = 384,  /* bytes of text up to which the stack is tried first */
    MOST_ARGUMENTS = 3
};

/* ---- Arguments ----------------------------------------------------------------------------------------- */

/* Puts positional and keyword arguments in order. Returns 0, or -1 with TypeError. */
static CORE_NOINLINE int order(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **values)
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

static CORE_NOINLINE const engine_role *look_up(const engine_object *self, PyObject *name)
{
    Py_ssize_t size;
    const char *data;
    const engine_role *role;

    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "role must be a str, not %.100s", Py_TYPE(name)->tp_name);
        return NULL;
    }
    data = PyUnicode_AsUTF8AndSize(name, &size);
    if (data == NULL)
        return NULL;
    role = engine_find(&self->engine, data, (size_t)size);
    if (role == NULL)
        unknown_role(self, name);
    return role;
}

static inline const engine_role *find(engine_object *self, PyObject *name)
{
    engine_recent *const recent = &self->recent[((uintptr_t)name >> 4) % ENGINE_RECENT];
    const engine_role *role;

    if (LOADER_LIKELY(recent->name == name))
        return recent->role;
    role = look_up(self, name);
    if (role != NULL) {
        recent->role = role;
        Py_XSETREF(recent->name, Py_NewRef(name));
    }
    return role;
}

/* ---- The call ------------------------------------------------------------------------------------------ */

static PyObject *fail(core_call *c, const engine_role *role, int status)
{
    char where[128];

    PyOS_snprintf(where, sizeof where, "in role '%.*s'", ENGINE_NAME(role));
    return engine_api->raise(c, "process_role", status, where);
}

/* The answer to a long text goes into the str itself. */
static CORE_NOINLINE int use_result(core_call *c, size_t size)
{
    if (size <= (size_t)PY_SSIZE_T_MAX / 2)
        return engine_api->use_result(c, size + size / 8 + 64, false);
    PyErr_NoMemory();
    return -1;
}

/* The answer of a call that did not go the usual way: longer, not ASCII, failed. */
static CORE_NOINLINE PyObject *settle(core_call *c, const engine_role *role, int status)
{
    engine_run run = {
        .call = &c->call,
        .begin = &c->begin,
        .utf8_valid = engine_api->utf8_valid,
        .forget = engine_forget,
        .blocks = &c->blocks,
        .give_back = engine_give_back,
        .ascii = true,
    };
    const size_t size = (size_t)(c->call.next - c->begin);

    /* Nothing is wrong with it, unless it is not UTF-8: that is seen by making the str. The engine would look first. */
    if (status == LOADER_OK && c->call.error.size == 0 && !c->settle && size <= role->max_output &&
        size <= (size_t)(c->call.limit - c->begin)) {
        PyObject *html;
        if (core_is_ascii(c))
            return engine_api->text(c, "process_role", true);
        html = engine_api->decode(c->begin, size);
        if (html != NULL || PyErr_Occurred())
            return html;
    }
    status = engine_settle(&run, 0, role->max_output, status);
    if (status == LOADER_OK)
        return engine_api->text(c, "process_role", run.ascii);
    return fail(c, role, status);
}

static const core_step role_step = {"process_role", 0};

/* The way of all calls that let the GIL go or are watched. */
static CORE_NOINLINE int process_slowly(core_call *c, const engine_role *role, const loader_text *text,
                                        const htmlize_post *post)
{
    PyObject *token = role->owner->watch == NULL ? NULL : engine_api->watch_before(c, role_step.name);
    int status;

    if (c->interrupted)
        return CORE_NOT_CALLED;
    /* Asked now, and not when the call began: a watch is Python code, which may start a thread. */
    if (c->thread == NULL && !core_keeps(role->owner, role->never_blocks, engine_api->interpreter))
        engine_api->release(c);
    const core_crumb outer = core_enter(c, &role_step);
    status = role->process(&c->call, &role->name, text, post);
    core_leave(c, outer);
    return token == NULL ? status : engine_api->watch_after(c, role_step.name, token, status);
}

/* `ascii`: the text is; then the answer mostly is too. */
static CORE_INLINE PyObject *answer(const engine_role *role, const loader_text *text, bool ascii,
                                    const htmlize_post *post)
{
    const core_api *const api = engine_api;
    core_call c;
    char room[STACK_ROOM];
    PyObject *html = NULL;
    size_t size;
    int status;

    if (!LOADER_LIKELY(api->begin(&c, role->owner, room, sizeof room) == 0))
        return NULL;
    if (!LOADER_LIKELY(text->size <= SHORT_TEXT) && use_result(&c, text->size) < 0) {
        api->end(&c);
        return NULL;
    }
    if (LOADER_LIKELY(!atomic_load_explicit(&role->owner->unusual, memory_order_relaxed) &&
                      (role->never_blocks || core_only_thread(api->interpreter)))) {
        const core_crumb outer = core_enter(&c, &role_step);
        status = role->process(&c.call, &role->name, text, post);
        core_leave(&c, outer);
    } else {
        status = process_slowly(&c, role, text, post);
    }
    if (c.settle)
        status = api->settle(&c, status);
    /* c.settle first: the compiler sees that it was looked at just now. */
    if (LOADER_LIKELY(!c.settle && status == LOADER_OK && c.begin == room && c.call.error.size == 0 &&
                      (size = (size_t)(c.call.next - room)) <= STACK_ROOM && size <= role->max_output)) {
        if (LOADER_LIKELY(ascii))
            html = short_text(&api->text_model, room, size);
        if (!LOADER_LIKELY(html != NULL) && !PyErr_Occurred())
            html = api->decode(room, size);
    }
    if (!LOADER_LIKELY(html != NULL) && !PyErr_Occurred())
        html = settle(&c, role, status);
    if (!LOADER_LIKELY(((uintptr_t)c.room | (uintptr_t)c.error | (uintptr_t)c.settle | (uintptr_t)c.limit) == 0))
        api->end(&c);
    return html;
}

const char engine_process_role_doc[] =
    "process_role($self, role, text, post=None)\n--\n\n"
    "One role, one call: what its plugin answers, a str.\n\n"
    "Raises LookupError (no plugin has the role), TextError, PluginError and its kin, ForkError.";

/* A method and not an object with a call of its own: Python's interpreter calls methods in C without a detour. */
PyObject *engine_process_role_method(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    engine_object *const self = (engine_object *)object;
    PyObject *ordered[MOST_ARGUMENTS], *keep, *html;
    const engine_role *role;
    const htmlize_post *post;
    loader_text text;
    bool ascii;

    if (!LOADER_LIKELY(count == MOST_ARGUMENTS && names == NULL)) {
        if (order(args, count, names, ordered) < 0)
            return NULL;
        args = ordered;
    }
    role = find(self, args[0]);
    if (!LOADER_LIKELY(role != NULL) || engine_borrow(args[1], "text", &text, &ascii, NULL) < 0)
        return NULL;
    post = engine_post(self, args[2], &keep);
    if (post == NULL)
        return NULL;
    html = answer(role, &text, ascii, post);
    Py_XDECREF(keep);
    return html;
}
