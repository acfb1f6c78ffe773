/* limit.c: deadlines and cancel flags, asked for by plugins through loader_cancelled.
 *
 * A Limit is put in force for a block of Python code by limit_scope.c, through the contextvar "loader.limit", so that
 * threads and tasks each have their own. While there is no limit that could be in force anywhere in the process a call
 * pays one comparison for all this.
 */
#include "call/internal.h"

#if defined(_WIN32)
#  include <windows.h>
#else
#  include <time.h>
#endif

struct core_limit {
    PyObject_HEAD
    int64_t deadline;      /* nanoseconds of the monotonic clock; INT64_MAX: none */
    atomic_int cancelled;  /* set once, from any thread */
    core_limit *parent;    /* the limit in force outside of this one, or NULL */
    core_limit *token;     /* a flag shared by several scopes, or NULL */
    core_limit *next;      /* in the row of those that are being dropped */
    PyObject *scope;       /* takes it out of force in its context; NULL: it was never put there, or is out */
    bool entered;          /* may be in force: in this context, or in a copy that outlives the scope */
    bool over;             /* not in force, although a context still holds it: there was no memory to tell it */
};

Py_ssize_t core_limits_active = 0;
static PyObject *limit_variable; /* the contextvar */

int64_t core_now(void)
{
#if defined(_WIN32)
    LARGE_INTEGER ticks, second;

    QueryPerformanceFrequency(&second);
    QueryPerformanceCounter(&ticks);
    return ticks.QuadPart / second.QuadPart * 1000000000 +
           ticks.QuadPart % second.QuadPart * 1000000000 / second.QuadPart;
#else
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
#endif
}

int core_limit_check(const core_limit *limit)
{
    bool late = false;

    /* A cancel anywhere outside counts before a deadline: it is the more deliberate of the two. */
    for (; limit != NULL; limit = limit->parent) {
        if (atomic_load_explicit(&limit->cancelled, memory_order_relaxed) ||
            (limit->token != NULL && atomic_load_explicit(&limit->token->cancelled, memory_order_relaxed)))
            return LOADER_CANCELLED;
        late = late || (limit->deadline != INT64_MAX && core_now() >= limit->deadline);
    }
    return late ? LOADER_DEADLINE : LOADER_OK;
}

int64_t core_limit_deadline(const core_limit *limit)
{
    int64_t first = INT64_MAX;

    for (; limit != NULL; limit = limit->parent)
        if (limit->deadline < first)
            first = limit->deadline;
    return first;
}

core_limit *core_limit_current(void)
{
    PyObject *value = NULL;

    if (PyContextVar_Get(limit_variable, NULL, &value) < 0 || value == NULL)
        return NULL;
    Py_DECREF(value); /* the context holds it */
    if (Py_TYPE(value) != &core_limit_type)
        return NULL;
    core_limit *limit = (core_limit *)value;
    while (limit != NULL && limit->over)
        limit = limit->parent;
    return limit;
}

core_limit *core_limit_new(PyObject *seconds, core_limit *parent, core_limit *token)
{
    int64_t deadline = INT64_MAX;
    core_limit *self;

    if (seconds != Py_None) {
        double value = PyFloat_AsDouble(seconds);
        if (PyBool_Check(seconds)) {
            PyErr_Format(PyExc_ValueError, "a deadline is a number of seconds, not %R", seconds);
            return NULL;
        }
        if (value == -1.0 && PyErr_Occurred())
            return NULL;
        if (value != value) { /* MinGW's isnan warns of its own narrowing */
            PyErr_SetString(PyExc_ValueError, "a deadline is a number of seconds, not NaN");
            return NULL;
        }
        if (value < 0)
            value = 0;
        if (value < 9e9) /* about 285 years: beyond that it is no deadline, and would overflow */
            deadline = core_now() + (int64_t)(value * 1e9);
    }
    self = (core_limit *)core_limit_type.tp_alloc(&core_limit_type, 0);
    if (self == NULL)
        return NULL;
    self->deadline = deadline;
    atomic_init(&self->cancelled, 0);
    self->parent = (core_limit *)Py_XNewRef((PyObject *)parent);
    self->token = (core_limit *)Py_XNewRef((PyObject *)token);
    return self;
}

static PyObject *limit_new(PyTypeObject *Py_UNUSED(type), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"seconds", "parent", "token", NULL};
    PyObject *seconds = Py_None, *parent = Py_None, *token = Py_None;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:Limit", names, &seconds, &parent, &token))
        return NULL;
    if ((parent != Py_None && Py_TYPE(parent) != &core_limit_type) ||
        (token != Py_None && Py_TYPE(token) != &core_limit_type)) {
        PyErr_SetString(PyExc_TypeError, "parent and token are a Limit or None");
        return NULL;
    }
    return (PyObject *)core_limit_new(seconds, parent == Py_None ? NULL : (core_limit *)parent,
                                      token == Py_None ? NULL : (core_limit *)token);
}

/* Limits hold limits, as deep as an application nests them: what one held alone waits in a row for its turn, since a
 * call in a call for each would overflow the stack. No code of Python runs in here. */
static void limit_dealloc(PyObject *object)
{
    static _Thread_local core_limit *row;
    static _Thread_local bool dropping;
    core_limit *self = (core_limit *)object;

    self->next = row;
    row = self;
    if (dropping)
        return;
    dropping = true;
    while ((self = row) != NULL) {
        row = self->next;
        if (self->entered)
            core_limits_active--;
        Py_XDECREF((PyObject *)self->parent);
        Py_XDECREF((PyObject *)self->token);
        Py_XDECREF(self->scope);
        Py_TYPE((PyObject *)self)->tp_free((PyObject *)self);
    }
    dropping = false;
}

void core_limit_cancel(core_limit *limit)
{
    atomic_store_explicit(&limit->cancelled, 1, memory_order_relaxed);
}

bool core_limit_is_of(const core_limit *limit, const core_limit *flag)
{
    return limit->token == flag && limit->scope != NULL;
}

int core_limit_enter(core_limit *limit)
{
    if (limit->scope != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this limit is in force already");
        return -1;
    }
    if (!limit->entered) {
        limit->entered = true;
        core_limits_active++;
    }
    limit->scope = PyContextVar_Set(limit_variable, (PyObject *)limit);
    limit->over = limit->scope == NULL; /* it may be set all the same, without anything to take it back with */
    return limit->scope == NULL ? -1 : 0;
}

int core_limit_leave(core_limit *limit)
{
    PyObject *scope = limit->scope;
    int failed;

    limit->scope = NULL;
    failed = scope != NULL && PyContextVar_Reset(limit_variable, scope) < 0;
    Py_XDECREF(scope);
    if (failed && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        limit->over = true; /* a block that cannot be left must not stay in force */
        failed = 0;
    }
    return failed ? -1 : 0;
}

static PyObject *limit_cancel(PyObject *self, PyObject *Py_UNUSED(none))
{
    core_limit_cancel((core_limit *)self);
    Py_RETURN_NONE;
}

static PyObject *limit_status(PyObject *self, PyObject *Py_UNUSED(none))
{
    return PyLong_FromLong(core_limit_check((core_limit *)self));
}

static PyObject *limit_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
    return core_limit_enter((core_limit *)self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *limit_leave(PyObject *self, PyObject *Py_UNUSED(none))
{
    return core_limit_leave((core_limit *)self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *limit_current(PyObject *Py_UNUSED(type), PyObject *Py_UNUSED(none))
{
    PyObject *current = (PyObject *)core_limit_current();

    if (current == NULL && PyErr_Occurred())
        return NULL;
    return Py_NewRef(current == NULL ? Py_None : current);
}

static PyMethodDef limit_methods[] = {
    {"cancel", limit_cancel, METH_NOARGS, "Asks every call under this limit to stop. From any thread."},
    {"status", limit_status, METH_NOARGS, "0, or the status that loader_cancelled gives now."},
    {"enter", limit_enter, METH_NOARGS, "Puts this limit in force in the current context."},
    {"leave", limit_leave, METH_NOARGS, "Ends what enter began."},
    {"current", limit_current, METH_NOARGS | METH_CLASS, "The limit in force, or None."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject core_limit_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Limit",
    .tp_doc = "Limit(seconds=None, parent=None, token=None): a deadline and a cancel flag.",
    .tp_basicsize = sizeof(core_limit),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = limit_new,
    .tp_dealloc = limit_dealloc,
    .tp_methods = limit_methods,
};

int core_limit_init(PyObject *module)
{
    if (limit_variable == NULL) /* else the module is imported anew: what is in force stays */
        limit_variable = PyContextVar_New("loader.limit", NULL);
    if (limit_variable == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "limit_variable", limit_variable);
}
