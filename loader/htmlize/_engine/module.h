/* module.h: what the Python side of the engine shares: module.c, arguments.c, document.c, role_call.c, first_use.c. */
#ifndef HTMLIZE_MODULE_H
#define HTMLIZE_MODULE_H

#include "call/core.h"

#include "engine.h"

/* The rule of _core/call/gil.c holds for a document as for one call: what it may reach are all plugins of the
 * engine. And the engine's own work grows with the text, whatever the plugins promise: from so many bytes on other
 * threads need not wait for it. 16 KiB take about 5 microseconds, a hundred times what letting the GIL go does. */
enum { LONG_TEXT = 16 * 1024 };

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
    bool fork_unsafe;    /* some of them do not survive a fork */
    bool never_blocks;   /* all of them promised, for all that documents call */
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

    /* Both bits in one look. */
    if (!LOADER_LIKELY(PyUnicode_Check(object) && (known->state.compact & known->state.ascii)))
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
    return LOADER_LIKELY(post != NULL) ? post : engine_post_other(self, value, keep);
}

/* The address in a Python int, or NULL with an exception. */
void *engine_address(PyObject *number);

/* engine_role.process of a role whose plugin is not open yet; `context` is the callable that opens it. */
int engine_first_use(loader_call *call, const loader_text *name, const loader_text *text, const htmlize_post *post);

/* engine_run's callback of the same name. */
int engine_forget(loader_call *call);
void engine_give_back(loader_call *call);

PyObject *engine_render_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
extern const char engine_render_doc[];

PyObject *engine_process_role_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
extern const char engine_process_role_doc[];

#endif /* HTMLIZE_MODULE_H */
