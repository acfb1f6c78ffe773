/* service.h: tables of functions that Python objects stand behind: what one is made of, for calls of it (service.c) and
 * what is passed in them (service_arguments.c, service_results.c), for its description (table.c) and for the registry
 * (services.c).
 */
#ifndef LOADER_CORE_SERVICE_H
#define LOADER_CORE_SERVICE_H

#include "call/parameter.h"

#define MAX_FUNCTIONS 32 /* of a table made here; loader/services.py refuses more */
#define MAGIC UINT64_C(0x6c6f616465723031)

/* Where arguments are, as a thunk found them. */
struct passed {
    uintptr_t words[CORE_SLOTS]; /* on Windows floating-point numbers too */
    double reals[MAX_REALS];     /* elsewhere */
};

struct service_function {
    PyObject *name;    /* str, with the service's id before it and the result after it: for messages */
    Py_ssize_t count, result_count; /* without a result, what the callable gives is appended to the call's output */
    struct parameter *parameters; /* those, then the results; PyMem */
    struct wire_plan *plan; /* how they cross to a worker; NULL: they do not; PyMem_Raw */
};

/* What a header declares of a table. Type _call.Table, made by loader/contract/layout.py. */
typedef struct core_table {
    PyObject_HEAD
    PyObject *methods;  /* tuple: names of the functions, of an interface; or NULL; owned */
    const char *label;  /* the interface's name; borrows from `methods`, where it is the last */
    Py_ssize_t count;
    struct service_function functions[MAX_FUNCTIONS];
} core_table;

#if defined(_WIN32) /* the first two arguments after the table are in registers, of either class */
typedef void (*thunk)(void);
#else
typedef int (*thunk)(loader_call *, const void *, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                     uintptr_t, uintptr_t, double, double, double, double, double, double, double, double);
#endif

/* A table as a plugin sees it. */
struct native_table {
    size_t size;
    thunk functions[MAX_FUNCTIONS];
};

/* One that is filled: what stands behind each function. */
struct bound {
    core_table *shape;    /* owned */
    PyObject **callables; /* owned, PyMem: shape->count of them */
    const char *id;       /* for messages and debug mode; borrowed */
    size_t id_size;
    uint64_t magic;       /* right before the table: tells one of ours from a stray pointer */
    struct native_table table;
};

/* 0, or -1 with an exception. `bound` is all 0 before; core_unbind gives back what it has, also where this failed. */
int core_bind(struct bound *bound, PyObject *shape, PyObject *callables);
void core_unbind(struct bound *bound);

/* One service. Never freed before its Services: plugins may hold its table's address through a call. */
struct service {
    struct service *next;
    char *id;
    size_t id_size;
    const void *given;    /* a C table of the application, or NULL: `bound` below */
    PyObject *lender;     /* what keeps `given` alive, or NULL */
    core_table *given_shape; /* what its header declares of it, or NULL: workers do without it */
    struct bound bound;
};

struct core_services {
    PyObject_HEAD
    struct service *_Atomic first; /* grows at the front only, so that it is read without a lock */
};

/* What a table's function is, in a place of a table: in service.c. */
thunk core_thunk(const struct service_function *function, Py_ssize_t place);

/* An argument that a plugin passed, as an object; NULL with an exception. In service_arguments.c. */
PyObject *core_argument(struct parameter *parameter, const struct passed *passed);
/* A value that a callable gave, stored where the plugin wants it. 0, or -1 with an exception. In service_results.c. */
int core_deliver(core_call *c, struct service_function *function, PyObject *value, const struct passed *passed);

#endif /* LOADER_CORE_SERVICE_H */
