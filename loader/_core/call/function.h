/* function.h: what a Function is made of, for its calls (function.c) and for its type (function_type.c). */
#ifndef LOADER_CORE_FUNCTION_H
#define LOADER_CORE_FUNCTION_H

#include "call/parameter.h"

/* A call with `given` arguments in order, and behind them those that `kwnames` names, which may be NULL. `self` is the
 * Function. This is what METH_FASTCALL | METH_KEYWORDS calls. */
typedef PyObject *(*core_entry)(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *kwnames);

typedef struct function {
    PyObject_HEAD
    vectorcallfunc vectorcall; /* goes on to `entry` */
    core_entry entry;
    core_function address;
    core_owner *owner;
    Py_ssize_t count; /* parameters that callers in Python give */
    int words, reals; /* parameters that the plugin is given, of each class */
    int real_registers; /* which of the first three are floating-point numbers, as bits: for Windows */
    int instances;    /* parameters that are instances */
    bool ends;        /* LOADER_DONE is its end, and no failure */
    bool is_small;    /* of each class two or less */
    int result_count; /* LOADER_OUT */
    size_t result_size; /* bytes of the room for them */
    struct parameter *results; /* behind the parameters */
    PyObject *row;    /* the class of several results, or what makes it */
    enum kind gives;  /* what it writes: KIND_TEXT, KIND_BYTES, KIND_NONE */
    bool never_blocks; /* it promised */
    struct wire_plan *plan; /* of a plugin in a process of its own: how all that crosses; or NULL; PyMem_Raw */
    core_step step; /* for the breadcrumb: borrows the UTF-8 of `name` */
    PyObject *name;
    PyObject *doc;
    PyObject *plugin;    /* the Plugin that it belongs to: for pickling and messages */
    PyObject *signature; /* inspect.Signature, or a callable that makes it on demand */
    core_call ready;     /* doubles.c. In every Function: it is as large as two or three parameters */
    double number;       /* its result */
    bool in_use;         /* `ready` is */
    int floats;          /* which of its parameters are float and not double, as bits */
    PyMethodDef method;  /* of `builtin` */
    PyObject *text;      /* bytes: its signature and docstring as ml_doc has them */
    PyObject *builtin;   /* what callers have: see builtin.c. NULL: a Method, which they find through an instance */
    struct parameter parameters[MAX_PARAMETERS]; /* `count` of them, then the results */
} function;

extern const core_entry core_enter_function; /* of functions that have neither of the next two */
extern const core_entry core_enter_typed;    /* with floating-point parameters, instances or results */
core_entry core_doubles_entry(function *f);  /* a few floats in, one out; NULL: it is another function */
int core_make_builtin(function *f); /* 0, or -1 with an exception */

/* What a call gives: `room` holds its results by LOADER_OUT. In results.c. */
PyObject *core_answer(function *f, core_call *c, int status, const char *room);

/* A call with arguments by name, or too few or too many, put in the order of the parameters for `call`. */
typedef PyObject *(*core_in_order)(function *f, PyObject *const *values);
PyObject *core_call_by_name(function *f, core_in_order call, PyObject *const *args, Py_ssize_t given,
                            PyObject *kwnames);

#endif /* LOADER_CORE_FUNCTION_H */
