/* module.h: what the Python side of the engine shares: module.c, document.c, role_call.c. */
#ifndef HTMLIZE_MODULE_H
#define HTMLIZE_MODULE_H

#include "call/core.h"

#include "engine.h"

/* When the GIL is released: for text from LONG_TEXT bytes on; under a deadline or cancel flag; where a
 * plugin has called into Python; for the first call; and where the last timed call took longer than SLOW
 * nanoseconds. Every TIMED_EVERY-th call is timed, the first one included. Letting the GIL go and taking it again
 * costs about 50 ns, and far more if another thread takes it meanwhile; 16 KiB of text take about 5 microseconds. */
enum { LONG_TEXT = 16 * 1024, SLOW = 10000, TIMED_EVERY = 64 };

/* How fast one kind of call has been. Written under the GIL. */
typedef struct engine_pace {
    uint8_t calls;
    bool known; /* the first call is over */
    bool slow;
} engine_pace;

/* A role's name as arguments of "%.*s". Names have at most 100 bytes; this does not rely on it. */
#define ENGINE_NAME(role) (int)((role)->name.size > 100 ? 100 : (role)->name.size), (role)->name.data

/* A role that was asked for by this very str object. Names are mostly literals, so the object says it all. */
typedef struct engine_recent {
    PyObject *name; /* owned, so that its address stays its own; or NULL */
    const engine_role *role;
} engine_recent;

enum { ENGINE_RECENT = 8 }; /* a power of two */

/* Type Engine. Never changes once it is made, so any number of threads may use one. */
typedef struct engine_object {
    PyObject_HEAD
    engine engine;
    PyObject *roles;    /* tuple of (role, owner, address): holds what `engine` borrows */
    PyObject *contents; /* tuple of (owner, address) */
    PyObject *layout;   /* Layout of the post */
    core_owner *owner;  /* whose call a document is while no plugin runs: named "htmlize" */
    core_owner **owners; /* borrowed: each plugin's once */
    size_t owner_count;
    bool wary;           /* some of them do not survive a fork */
    engine_pace pace;    /* of documents */
    engine_pace *paces;  /* of single calls, by role */
    engine_recent recent[ENGINE_RECENT]; /* of single calls, by the name's address; under the GIL */
} engine_object;

extern const core_api *engine_api;
extern PyTypeObject engine_type;

/* Borrows the text of a str (or, if `bytes` is not NULL, of a bytes object; *bytes tells). Returns 0, or
 * -1 with TypeError or TextError. *ascii tells whether it is ASCII. */
int engine_borrow_other(PyObject *object, const char *what, loader_text *text, bool *ascii, bool *bytes);

static inline int engine_borrow(PyObject *object, const char *what, loader_text *text, bool *ascii,
                                bool *bytes)
{
    const PyASCIIObject *const known = (const PyASCIIObject *)(const void *)object;

    if (!PyUnicode_Check(object) || !(known->state.compact & known->state.ascii)) /* one look for both */
        return engine_borrow_other(object, what, text, ascii, bytes);
    text->data = (const char *)(known + 1);
    text->size = (size_t)PyUnicode_GET_LENGTH(object);
    *ascii = true;
    return 0;
}

/* The native post of `value` (a Post, a mapping, None or NULL), with *keep to be dropped after the call. NULL
 * with an exception. */
const htmlize_post *engine_post_other(const engine_object *self, PyObject *value, PyObject **keep);

static inline const htmlize_post *engine_post(const engine_object *self, PyObject *value, PyObject **keep)
{
    const htmlize_post *post = value == NULL ? NULL : core_packed(value, self->layout, engine_api->record_type);

    *keep = NULL;
    return post != NULL ? post : engine_post_other(self, value, keep);
}

/* Whether the GIL is to be released around this call, apart from what its owners say. */
static inline bool engine_wants_away(const core_call *c, const engine_pace *pace, size_t size)
{
    return size >= LONG_TEXT || !pace->known || pace->slow || c->limit != NULL;
}

static inline bool engine_wants_time(const engine_pace *pace)
{
    return pace->calls % TIMED_EVERY == 0;
}

/* Around a call that wants to be away or timed: releases the GIL and takes it again if `away`, and times what
 * comes between where that is due. The first counts the call; who does not call it counts by hand. */
int64_t engine_leave_python(core_call *c, engine_pace *pace, size_t size, bool away);
void engine_enter_python(core_call *c, engine_pace *pace, int64_t began);

/* The address in a Python int, or NULL with an exception. */
void *engine_address(PyObject *number);

/* engine_role.process of a role whose plugin is not open yet; `context` is the callable that opens it. */
int engine_first_use(loader_call *call, const loader_text *name, const loader_text *text, const htmlize_post *post);

/* engine_run's callback of the same name. */
bool engine_forget(loader_call *call);

PyObject *engine_render_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
extern const char engine_render_doc[];

PyObject *engine_process_role_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
extern const char engine_process_role_doc[];

#endif /* HTMLIZE_MODULE_H */
