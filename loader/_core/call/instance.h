/* instance.h: instances of a plugin's classes: what one is made of (instance.c), and how a call holds it (hold.c). */
#ifndef LOADER_CORE_INSTANCE_H
#define LOADER_CORE_INSTANCE_H

#include "call/function.h"

struct arguments; /* arguments.h */

/* What instances of a class have in common, of one plugin. Type _call.Class, made by loader/instances.py. */
typedef struct core_class {
    PyObject_HEAD
    PyObject *name; /* str */
    core_owner *owner;
    void (*free)(void *native);
    bool free_never_blocks; /* it promised */
    bool shared;    /* several threads may be in functions with one instance */
    PyObject *type; /* the class that Python sees, below core_instance_type; NULL until it is set */
    PyObject *make; /* the Function `new`, or NULL */
    core_step step; /* borrows the UTF-8 of `free_name` */
    PyObject *free_name;
} core_class;

/* Type _call.Instance. The GIL guards all of it. */
typedef struct core_instance {
    PyObject_HEAD
    core_class *cls;  /* owned */
    void *native;     /* the plugin's; NULL: closed */
    PyThread_type_lock lock; /* of who is in a function with it; NULL: of a shared class */
    unsigned long holder; /* the thread that has the lock */
    unsigned generation;  /* core_generation when it was taken */
    size_t users;     /* calls that are in functions with it */
    bool closing;     /* freed when the last user is out */
    PyObject *worker; /* the process that has it, or NULL: this one; owned */
} core_instance;

static inline bool core_is_closed(const core_instance *instance)
{
    return instance->native == NULL || instance->closing;
}

extern PyTypeObject core_class_type, core_instance_type;

/* An instance of `native`, which is freed if there is no memory for it. */
PyObject *core_instance_new(PyObject *cls, void *native, PyObject *worker);
void core_class_free(core_class *cls, void *native, PyObject *worker); /* worker: that has it, or NULL */

/* The instances among the arguments of a call, each once. */
struct held {
    core_instance *instances[MAX_WORDS];
    int count;
};

/* Nobody else is in a function with the instances that are among `values`, or will be before core_let_go; their
 * addresses are in `a`. 0, or -1 with an exception: then nothing is held. */
int core_hold(const function *f, core_call *c, PyObject *const *values, struct arguments *a, struct held *held);
void core_let_go(const struct held *held);
/* Of one of them, which may be closed: to close it. */
int core_hold_one(core_instance *instance, core_call *c, const char *name);
void core_let_one_go(core_instance *instance); /* the last one out frees it, if it closes */

/* Raises InstanceError; -1. `reason`: see loader/instances.py. */
int core_refuse_instance(const core_instance *instance, const char *name, const char *reason);

PyObject *core_swap_instances(PyObject *module, PyObject *args);
PyObject *core_set_instance_error(PyObject *module, PyObject *factory);

#endif /* LOADER_CORE_INSTANCE_H */
