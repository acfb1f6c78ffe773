/* document.c: Engine.render, one crossing from Python for a whole document. */
#include "module.h"

#include <stdlib.h>

const char engine_render_doc[] =
    "render($self, text, post=None, escape=False, /, *, keep=False)\n--\n\n"
    "The HTML of a document: str gives str, bytes give bytes.\n\n"
    "post: what plugins are told of the post; where its contents are empty, they are the text.\n"
    "escape: & < > \" ' outside of roles that a plugin answers become entities.\n"
    "keep: a plugin's failure leaves its match as it stood; the result is (html, problems), and problems is\n"
    "a list of (plugin, role or None, byte offset, whether that counts in what contents hooks left, status,\n"
    "message, cause or None).\n"
    "Raises TextError (not UTF-8), PluginError and its kin, ForkError, MemoryError.";

/* A problem that was kept, with what the call held of it. */
struct note {
    engine_problem problem;
    char *memory;     /* of the message: malloc, or NULL if that is static */
    loader_text message;
    PyObject *cause; /* owned, or NULL */
};

/* One document on its way. */
struct document {
    engine_run run;
    core_call call;
    htmlize_post post; /* a copy, where the text is lent as its contents */
    struct note *notes;
    size_t note_count, note_room;
};

/* ---- Problems that are kept ---------------------------------------------------------------------------- */

/* engine_run.forget. The GIL may be released. */
int engine_forget(loader_call *call)
{
    core_call *const c = (core_call *)call;

    if (c->interrupted)
        return LOADER_CANCELLED;
    if (c->output_lost)
        return LOADER_NO_MEMORY;
    engine_api->forget(c);
    return LOADER_OK;
}

/* engine_run.give_back. The GIL may be released: no array of Python's is of this memory. */
void engine_give_back(loader_call *call)
{
    engine_api->drop_blocks((core_call *)call);
}

/* engine_run.report. The GIL may be released: moves pointers only. */
static int report(engine_run *run, const engine_problem *problem)
{
    struct document *d = run->context;
    struct note *note;

    if (d->call.interrupted)
        return problem->status;
    if (d->note_count == d->note_room) {
        size_t room = d->note_room == 0 ? 8 : d->note_room * 2;
        struct note *notes = room > SIZE_MAX / sizeof *notes ? NULL : realloc(d->notes, room * sizeof *notes);
        if (notes == NULL)
            return ENGINE_NO_MEMORY;
        d->notes = notes;
        d->note_room = room;
    }
    note = &d->notes[d->note_count++];
    note->problem = *problem;
    note->memory = d->call.error;
    note->message = d->call.call.error;
    note->cause = d->call.cause;
    d->call.error = NULL;
    d->call.cause = NULL;
    d->call.call.error = (loader_text){NULL, 0};
    d->call.output_lost = false; /* it was this step's, and is taken back */
    return LOADER_OK;
}

static PyObject *problem_tuple(const struct note *note)
{
    const engine_problem *p = &note->problem;
    const core_owner *owner = p->role != NULL ? p->role->owner : p->contents->owner;
    PyObject *role, *message;

    role = p->role == NULL ? Py_NewRef(Py_None)
                           : PyUnicode_FromStringAndSize(p->role->name.data, (Py_ssize_t)p->role->name.size);
    message = PyUnicode_DecodeUTF8(note->message.data == NULL ? "" : note->message.data,
                                   (Py_ssize_t)note->message.size, "replace");
    if (role == NULL || message == NULL) {
        Py_XDECREF(role);
        Py_XDECREF(message);
        return NULL;
    }
    return Py_BuildValue("ONnNiNO", owner->name, role, (Py_ssize_t)p->offset, PyBool_FromLong(p->rewritten),
                         p->status == CORE_NOT_CALLED ? LOADER_FAILED : p->status, message,
                         note->cause == NULL ? Py_None : note->cause);
}

/* (html, problems); takes the reference to `html`. */
static PyObject *with_problems(const struct document *d, PyObject *html)
{
    PyObject *list = PyList_New((Py_ssize_t)d->note_count);

    for (size_t i = 0; list != NULL && i < d->note_count; i++) {
        PyObject *item = problem_tuple(&d->notes[i]);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    if (list == NULL) {
        Py_DECREF(html);
        return NULL;
    }
    return Py_BuildValue("NN", html, list);
}

static void drop_notes(struct document *d)
{
    for (size_t i = 0; i < d->note_count; i++) {
        free(d->notes[i].memory);
        Py_XDECREF(d->notes[i].cause);
    }
    free(d->notes);
}

/* ---- The failure that ends a document ------------------------------------------------------------------ */

static PyObject *fail(const engine_object *self, struct document *d, int status)
{
    const engine_problem *p = &d->run.problem;
    const char *of = p->rewritten ? "the text after the contents hooks" : "the document";
    char where[256];

    if (status == ENGINE_NO_MEMORY)
        return PyErr_NoMemory();
    if (status == ENGINE_STOPPED) { /* between two plugins: neither is to blame */
        d->call.owner = self->owner;
        return engine_api->raise(&d->call, NULL, p->status, NULL);
    }
    if (p->role == NULL)
        return engine_api->raise(&d->call, "process_contents", status, NULL);
    snprintf(where, sizeof where, "in role '%.*s' at byte %zu of %s", ENGINE_NAME(p->role), p->offset,
                  of);
    return engine_api->raise(&d->call, "process_role", status, where);
}

/* ---- Watched calls ------------------------------------------------------------------------------------- */

/* engine_run.watched, if a plugin of the document has somebody who compares the process's state around its calls. */
static int watched(engine_run *run, const engine_role *role, const engine_contents *hook, const loader_text *text)
{
    struct document *d = run->context;
    const char *const function = role != NULL ? "process_role" : "process_contents";
    PyObject *token = engine_api->watch_before(&d->call, function); /* NULL: it has none. Looks under the GIL */
    int status;

    if (d->call.interrupted)
        return CORE_NOT_CALLED;
    status = role != NULL ? role->process(run->call, &role->name, text, run->post)
                          : hook->process(run->call, text, run->post);
    return token == NULL ? status : engine_api->watch_after(&d->call, function, token, status);
}

/* ---- A document ---------------------------------------------------------------------------------------- */

static int begin(engine_object *self, core_call *c)
{
    static char nothing[1]; /* a document has a result from the start */

    for (size_t i = 0; self->fork_unsafe && i < self->owner_count; i++) {
        if (engine_api->begin(c, self->owners[i], nothing, 0) < 0) /* raises ForkError in a forked child */
            return -1;
        engine_api->end(c);
    }
    return engine_api->begin(c, self->owner, nothing, 0);
}

static bool is_watched(const engine_object *self)
{
    for (size_t i = 0; i < self->owner_count; i++)
        if (self->owners[i]->watch != NULL)
            return true;
    return false;
}

/* Whether the document keeps the GIL. */
static bool keeps(const engine_object *self, size_t size)
{
    bool alone = core_only_thread(engine_api->interpreter);

    for (size_t i = 0; alone && i < self->owner_count; i++)
        alone = !atomic_load_explicit(&self->owners[i]->attaches, memory_order_relaxed);
    return alone || (self->never_blocks && size < LONG_TEXT);
}

static PyObject *render(engine_object *self, struct document *d, const loader_text *text, bool bytes)
{
    core_call *c = &d->call;
    engine_run *run = &d->run;
    PyObject *html = NULL;
    int status;

    if (begin(self, c) < 0)
        return NULL;
    if (text->size <= (size_t)PY_SSIZE_T_MAX / 2 &&
        engine_api->use_result(c, text->size == 0 ? 0 : text->size + text->size / 8 + 256, bytes) == 0) {
        const core_crumb outer = *c->crumb; /* of a plugin whose service renders a document */
        run->limited = c->limit != NULL;
        run->crumb = c->crumb;
        run->watched = is_watched(self) ? watched : NULL;
        if (!keeps(self, text->size))
            engine_api->release(c);
        status = engine_render(run, text);
        engine_finish(run);
        c->crumb->offset = outer.offset;
        core_leave(c, outer);
        if (c->settle)
            status = engine_api->settle(c, status);
        c->ascii_end = 0; /* the engine takes back what a role wrote that failed, and knows itself what is ASCII */
        if (status != LOADER_OK)
            fail(self, d, status);
        else
            html = bytes ? engine_api->bytes(c, "htmlize") : engine_api->text(c, "htmlize", run->ascii);
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    engine_api->end(c);
    if (html != NULL && run->report != NULL)
        html = with_problems(d, html);
    drop_notes(d);
    return html;
}

/* The keyword argument keep, the only one. */
static int read_keep(PyObject *const *values, PyObject *names)
{
    PyObject *name = PyTuple_GET_ITEM(names, 0);

    if (PyTuple_GET_SIZE(names) == 1 && PyUnicode_CompareWithASCIIString(name, "keep") == 0)
        return PyObject_IsTrue(values[0]);
    PyErr_Format(PyExc_TypeError, "render() has no keyword arguments %R, only keep", names);
    return -1;
}

PyObject *engine_render_method(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    engine_object *self = (engine_object *)object;
    struct document d;
    loader_text text;
    bool ascii, bytes = false;
    int escape, keep;
    PyObject *kept, *html;
    const htmlize_post *post;

    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "render() takes text, post and escape, not %zd positional arguments", count);
        return NULL;
    }
    escape = count < 3 ? 0 : PyObject_IsTrue(args[2]);
    keep = names == NULL || PyTuple_GET_SIZE(names) == 0 ? 0 : read_keep(args + count, names);
    if (escape < 0 || keep < 0 || engine_borrow(args[0], "text", &text, &ascii, &bytes) < 0)
        return NULL;
    post = engine_post(self, count > 1 ? args[1] : NULL, &kept);
    if (post == NULL)
        return NULL;
    d.notes = NULL;
    d.note_count = d.note_room = 0;
    if (post->contents.size == 0) {
        d.post = *post;
        d.post.contents = text;
        post = &d.post;
    }
    d.run = (engine_run){
        .engine = &self->engine,
        .call = &d.call.call,
        .begin = &d.call.begin,
        .owner = &d.call.owner,
        .max_output = &d.call.max_output,
        .post = post,
        .utf8_valid = engine_api->utf8_valid,
        .forget = engine_forget,
        .blocks = &d.call.blocks,
        .give_back = engine_give_back,
        .report = keep ? report : NULL,
        .context = &d,
        .escape = escape != 0,
        .ascii = ascii,
    };
    html = render(self, &d, &text, bytes);
    Py_XDECREF(kept);
    return html;
}
