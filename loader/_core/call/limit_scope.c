/* limit_scope.c: `with loader.deadline(2):` and `with token:`, which put a limit in force for a block of Python code.
 *
 * In C, because an interrupt may come between any two steps of Python: a block that was begun would then not be ended,
 * and its limit would stay in force for ever. `with` calls both ends of a type of C without a gap.
 */
#include "call/internal.h"

#include <structmember.h>

/* A new limit inside of the one in force, put in force. A new reference, or NULL with an exception. */
static core_limit *begin(PyObject *seconds, core_limit *flag)
{
    core_limit *outer = core_limit_current(), *limit;

    if (outer == NULL && PyErr_Occurred())
        return NULL;
    limit = core_limit_new(seconds, outer, flag);
    if (limit == NULL)
        return NULL;
    if (core_limit_enter(limit) == 0)
        return limit;
    Py_DECREF((PyObject *)limit);
    return NULL;
}

/* ---- deadline(seconds) ------------------------------------------------------------------------------- */

typedef struct deadline {
    PyObject_HEAD
    PyObject *seconds;
    core_limit *limit; /* while it is entered; owned */
} deadline;

static PyObject *deadline_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"seconds", NULL};
    PyObject *seconds;
    core_limit *probe;
    deadline *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:deadline", names, &seconds))
        return NULL;
    probe = core_limit_new(seconds, NULL, NULL); /* what is no time is said here, where it stands */
    if (probe == NULL)
        return NULL;
    Py_DECREF((PyObject *)probe);
    self = (deadline *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->seconds = Py_NewRef(seconds);
    return (PyObject *)self;
}

/* Dropped while it is in force, it goes out of force. In Python 3.14 an interrupt may come between __enter__ and the
 * block, which then has no end (so it is with a Lock there); in its own context, since the block's frame drops it. */
static void deadline_dealloc(PyObject *object)
{
    core_limit *limit = ((deadline *)object)->limit;

    if (limit != NULL) {
        PyObject *error = PyErr_Occurred() ? core_raised() : NULL;
        if (core_limit_leave(limit) < 0)
            PyErr_Clear(); /* another context: it ends with that */
        if (error != NULL)
            core_raise_again(error);
        Py_DECREF((PyObject *)limit);
    }
    Py_XDECREF(((deadline *)object)->seconds);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *deadline_enter(PyObject *object, PyObject *Py_UNUSED(none))
{
    deadline *self = (deadline *)object;

    if (self->limit != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this deadline is in force already: each block has one of its own");
        return NULL;
    }
    self->limit = begin(self->seconds, NULL);
    return self->limit == NULL ? NULL : Py_NewRef(Py_None);
}

static PyObject *deadline_exit(PyObject *object, PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(count))
{
    deadline *self = (deadline *)object;
    core_limit *limit = self->limit;
    int failed;

    self->limit = NULL;
    failed = limit != NULL && core_limit_leave(limit) < 0;
    Py_XDECREF((PyObject *)limit);
    return failed ? NULL : Py_NewRef(Py_False);
}

static PyMethodDef deadline_methods[] = {
    {"__enter__", deadline_enter, METH_NOARGS, "The time begins now."},
    {"__exit__", (PyCFunction)(void (*)(void))deadline_exit, METH_FASTCALL, "Ends the block."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef deadline_members[] = {
    {"seconds", T_OBJECT_EX, offsetof(deadline, seconds), READONLY, "For how long, as it was given."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject core_deadline_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Deadline",
    .tp_doc = "Deadline(seconds)\n--\n\nBoth ends of a block under loader.deadline.",
    .tp_basicsize = sizeof(deadline),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = deadline_new,
    .tp_dealloc = deadline_dealloc,
    .tp_methods = deadline_methods,
    .tp_members = deadline_members,
};

/* ---- CancelToken() ----------------------------------------------------------------------------------- */

typedef struct cancel_token {
    PyObject_HEAD
    core_limit *flag; /* never in force itself: those of its blocks point to it; owned */
} cancel_token;

static PyObject *token_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    cancel_token *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":CancelToken", names))
        return NULL;
    self = (cancel_token *)type->tp_alloc(type, 0);
    if (self != NULL && (self->flag = core_limit_new(Py_None, NULL, NULL)) == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void token_dealloc(PyObject *object)
{
    Py_XDECREF((PyObject *)((cancel_token *)object)->flag);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *token_cancel(PyObject *object, PyObject *Py_UNUSED(none))
{
    core_limit_cancel(((cancel_token *)object)->flag);
    Py_RETURN_NONE;
}

static PyObject *token_cancelled(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(core_limit_check(((cancel_token *)object)->flag) != LOADER_OK);
}

static PyObject *token_enter(PyObject *object, PyObject *Py_UNUSED(none))
{
    core_limit *limit = begin(Py_None, ((cancel_token *)object)->flag);

    if (limit == NULL)
        return NULL;
    Py_DECREF((PyObject *)limit); /* the context holds it */
    return Py_NewRef(object);
}

/* Several threads may be inside: what ends is the block that is in force in this context, not the newest. */
static PyObject *token_exit(PyObject *object, PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(count))
{
    core_limit *limit = core_limit_current();
    int failed;

    if (limit == NULL || !core_limit_is_of(limit, ((cancel_token *)object)->flag))
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_False);
    Py_INCREF((PyObject *)limit);
    failed = core_limit_leave(limit) < 0;
    Py_DECREF((PyObject *)limit);
    return failed ? NULL : Py_NewRef(Py_False);
}

static PyMethodDef token_methods[] = {
    {"cancel", token_cancel, METH_NOARGS, "Asks every call under this token to stop, those that run now included."},
    {"__enter__", token_enter, METH_NOARGS, "Calls of this block stop when the token is cancelled."},
    {"__exit__", (PyCFunction)(void (*)(void))token_exit, METH_FASTCALL, "Ends the block."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef token_attributes[] = {
    {"cancelled", token_cancelled, NULL, "Whether :meth:`cancel` was called.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject core_cancel_token_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader.CancelToken",
    .tp_doc = "CancelToken()\n--\n\n"
              "A flag that any thread may raise to stop the calls made under it.\n\n"
              "Use: ``with token: plugin.work(...)`` in one thread, ``token.cancel()`` in another. It may be entered by\n"
              "several threads at once and stays cancelled for good. A plugin that stops because of it raises\n"
              ":class:`loader.CallCancelled`.",
    .tp_basicsize = sizeof(cancel_token),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = token_new,
    .tp_dealloc = token_dealloc,
    .tp_methods = token_methods,
    .tp_getset = token_attributes,
};
