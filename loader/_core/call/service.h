/* service.h: what a service is made of, for calls of it (service.c) and for the registry (services.c). */
#ifndef LOADER_CORE_SERVICE_H
#define LOADER_CORE_SERVICE_H

#include "call/internal.h"

#define MAX_FUNCTIONS 32 /* of a table made here; loader/services.py refuses more */
#define MAX_ARGUMENTS 8  /* with the result; after call and self */
#define MAGIC UINT64_C(0x6c6f616465723031)

struct service_parameter {
    enum kind kind;
    size_t size;
    bool is_signed;
    PyObject *layout; /* KIND_STRUCT */
};

struct service_function {
    PyObject *callable;
    PyObject *name;        /* str, with the service's id before it and the result after it: for messages */
    Py_ssize_t count; /* arguments, without the result */
    enum kind result; /* KIND_NONE: what the callable gives is appended to the call's output */
    struct service_parameter parameters[MAX_ARGUMENTS];
};

typedef int (*thunk)(loader_call *, const void *, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
                     uintptr_t, uintptr_t);

struct table {
    size_t size;
    thunk functions[MAX_FUNCTIONS];
};

/* One service. Never freed before its Services: plugins may hold its table's address through a call. */
struct service {
    struct service *next;
    char *id;
    size_t id_size;
    const void *given;    /* a C table of the application, or NULL: `table` below */
    PyObject *lender;       /* what keeps `given` alive, or NULL */
    Py_ssize_t count;
    struct service_function *functions;
    uint64_t magic;       /* right before the table: tells a table of ours from a stray pointer */
    struct table table;
};

struct core_services {
    PyObject_HEAD
    struct service *_Atomic first; /* grows at the front only, so that it is read without a lock */
};

extern const thunk core_thunks[MAX_FUNCTIONS]; /* what a table made here is filled with, by place */

#endif /* LOADER_CORE_SERVICE_H */
