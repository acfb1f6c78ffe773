/* module.h: what the Python side of the engine shares: module.c, document.c, role_call.c. */
#ifndef HTMLIZE_MODULE_H
#define HTMLIZE_MODULE_H

#include "core.h"

#include "engine.h"

/* Text from this size on lets the GIL go: then its rendering takes several times as long as that does. */
enum { LONG_TEXT = 8 * 1024 };

/* Type Engine. Never changes once it is made, so any number of threads may use one. */
typedef struct engine_object {
    PyObject_HEAD
    engine engine;
    PyObject *roles;    /* tuple of (role, owner, address): holds the names and owners that `engine` borrows */
    PyObject *contents; /* tuple of (owner, address) */
    PyObject *layout;   /* Layout of the post */
    core_owner *owner;  /* whose call a document is while no plugin runs: named "htmlize" */
    core_owner **wary;  /* borrowed: owners that do not survive a fork */
    size_t wary_count;
} engine_object;

extern const core_api *engine_api;
extern PyTypeObject engine_type, role_call_type;

/* Borrows the text of a str (or, if `bytes` is not NULL, of a bytes object; *bytes tells). Returns 0, or -1 with
 * TypeError or TextError. *ascii tells whether it is ASCII. */
int engine_borrow(PyObject *object, const char *what, loader_text *text, bool *ascii, bool *bytes);

/* The native post of `value` (a Post, a mapping or None), with *keep to be dropped after the call. NULL with an
 * exception. */
const htmlize_post *engine_post(const engine_object *self, PyObject *value, PyObject **keep);

/* engine_run's callback of the same name. */
void engine_forget(loader_call *call);

PyObject *engine_render_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
extern const char engine_render_doc[];

PyObject *engine_new_role_call(engine_object *self);

#endif /* HTMLIZE_MODULE_H */
