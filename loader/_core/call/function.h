/* function.h: what a Function is made of, for its calls (function.c) and for its type (function_type.c). */
#ifndef LOADER_CORE_FUNCTION_H
#define LOADER_CORE_FUNCTION_H

#include "call/internal.h"

struct parameter {
    PyObject *name; /* interned str */
    enum kind kind;
    size_t size;
    bool is_signed;
    PyObject *layout; /* KIND_STRUCT: a Layout; owned */
    PyObject *allowed; /* KIND_INTEGER: the values that there are, see core_choice; or NULL; owned */
};

typedef struct function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    core_function address;
    core_owner *owner;
    Py_ssize_t count;
    bool gives_bytes;
    bool never_blocks; /* it promised */
    core_step step; /* for the breadcrumb: borrows the UTF-8 of `name` */
    PyObject *name;
    PyObject *doc;
    PyObject *plugin;    /* the Plugin that it belongs to: for pickling and messages */
    PyObject *signature; /* inspect.Signature, or a callable that makes it on demand */
    struct parameter parameters[MAX_PARAMETERS];
} function;

extern const vectorcallfunc core_function_vectorcall; /* what a Function does when it is called */

/* The `given` arguments, and behind them those that `kwnames` names, as `values` in the order of the parameters, which
 * are all NULL before. Keywords that name no parameter are fields of its struct: then *fields is a new dict, also where
 * it fails. 0, or -1 with TypeError. */
int core_order_arguments(const function *f, PyObject *const *args, Py_ssize_t given, PyObject *kwnames, PyObject **values,
                         PyObject **fields);

#endif /* LOADER_CORE_FUNCTION_H */
