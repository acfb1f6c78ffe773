/* hold.c: who may be in a plugin's functions with an instance: one thread at a time, or several where its class is
 * shared; nobody when it is freed.
 *
 * A call holds the instances among its arguments from before the plugin's function until after it. It waits for another
 * thread that holds one, without the GIL; the wait ends early by a deadline, a cancelled token or a signal. Instances
 * are taken in the order of their addresses, so that two calls with the same two never wait for each other. Who comes
 * back to an instance that its own thread holds (the plugin called a service, and that the plugin) would wait for ever,
 * and gets an error; so does a forked child whose parent had a thread in there, and whoever waits when Python ends: a
 * thread that is in there then never gets the GIL again to come out. What is left is a circle through Python code: a
 * service that waits for a call of another thread, which waits for the instance.
 */
#include "call/arguments.h"
#include "call/ends.h"
#include "call/instance.h"

#define SLICE_US 20000 /* a wait is looked at again: a token may be cancelled by another thread, without a sound */

/* (name, path, class, function, reason) -> exception */
static PyObject *error_factory;

PyObject *core_set_instance_error(PyObject *Py_UNUSED(module), PyObject *factory)
{
    Py_XSETREF(error_factory, Py_NewRef(factory));
    Py_RETURN_NONE;
}

int core_refuse_instance(const core_instance *instance, const char *name, const char *reason)
{
    const core_class *cls = instance->cls;
    PyObject *error = PyObject_CallFunction(error_factory, "OOOss", cls->owner->name, cls->owner->path, cls->name,
                                            name, reason);

    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return -1;
}

bool core_is_ending(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0;
#else
    return _Py_IsFinalizing() != 0;
#endif
}

static int wait_for(core_instance *instance, core_call *c, const char *name)
{
    PyLockStatus got = PY_LOCK_FAILURE;

    for (;;) {
        if (instance->holder == PyThread_get_thread_ident())
            return core_refuse_instance(instance, name, "busy");
        /* Of the parent's: all who take it in this process first say so. That there is no holder means nothing: a
         * thread that waited has the lock before it has the GIL, which it never got if another one forked then. */
        if (instance->generation != core_generation)
            return core_refuse_instance(instance, name, "forked");
        if (core_is_ending())
            return core_refuse_instance(instance, name, "ending");
        const int status = c->limit == NULL ? LOADER_OK : core_limit_check(c->limit);
        if (status != LOADER_OK) /* nobody entered the plugin: it is not what did not stop in time */
            return core_refuse_instance(instance, name, status == LOADER_DEADLINE ? "deadline" : "cancelled");
        Py_BEGIN_ALLOW_THREADS
        got = PyThread_acquire_lock_timed(instance->lock, SLICE_US, 1);
        Py_END_ALLOW_THREADS
        if (got == PY_LOCK_ACQUIRED)
            return 0;
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
}

int core_hold_one(core_instance *instance, core_call *c, const char *name)
{
    if (instance->lock != NULL) {
        if (PyThread_acquire_lock_timed(instance->lock, 0, 0) != PY_LOCK_ACQUIRED &&
            wait_for(instance, c, name) < 0)
            return -1;
        instance->holder = PyThread_get_thread_ident();
        instance->generation = core_generation;
    }
    instance->users++;
    return 0;
}

void core_let_one_go(core_instance *instance)
{
    instance->users--;
    if (instance->closing && instance->users == 0 && instance->native != NULL) {
        void *const native = instance->native;
        instance->native = NULL;
        core_class_free(instance->cls, native, instance->worker);
    }
    if (instance->lock != NULL) {
        instance->holder = 0;
        PyThread_release_lock(instance->lock);
    }
}

/* Puts an instance among those that a call will hold, in the order of their addresses, unless it is there. */
static void add(struct held *held, core_instance *instance)
{
    core_instance **const found = held->instances;
    int at = held->count;

    while (at > 0 && (uintptr_t)found[at - 1] > (uintptr_t)instance)
        at--;
    if (at > 0 && found[at - 1] == instance)
        return;
    memmove(found + at + 1, found + at, (size_t)(held->count - at) * sizeof *found);
    found[at] = instance;
    held->count++;
}

int core_hold(const function *f, core_call *c, PyObject *const *values, struct arguments *a, struct held *held)
{
    held->count = 0;
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (f->parameters[i].kind == KIND_INSTANCE)
            add(held, (core_instance *)values[i]);
    for (int i = 0; i < held->count; i++) {
        const int taken = core_hold_one(held->instances[i], c, f->step.name);
        if (LOADER_LIKELY(taken == 0 && !core_is_closed(held->instances[i])))
            continue;
        held->count = taken == 0 ? i + 1 : i;
        core_let_go(held);
        return taken < 0 ? -1 : core_refuse_instance(held->instances[i], f->step.name, "closed");
    }
    for (Py_ssize_t i = 0; i < f->count; i++) {
        core_instance *const instance = (core_instance *)values[i];
        if (f->parameters[i].kind != KIND_INSTANCE)
            continue;
        if (!LOADER_LIKELY(instance->cls == (core_class *)f->parameters[i].layout)) { /* while it was waited for */
            core_let_go(held);
            return core_refuse_instance(instance, f->step.name, "moved");
        }
        a->values[f->parameters[i].place] = (uintptr_t)instance->native;
    }
    return 0;
}

void core_let_go(const struct held *held)
{
    for (int i = held->count; i > 0; i--)
        core_let_one_go(held->instances[i - 1]);
}

/* ---- Moving ------------------------------------------------------------------------------------------ */

static void swap(core_instance *a, core_instance *b)
{
    const core_instance was = *a;
    PyTypeObject *const type = Py_TYPE(a);

    a->cls = b->cls;
    a->native = b->native;
    a->worker = b->worker;
    b->cls = was.cls;
    b->native = was.native;
    b->worker = was.worker;
    Py_SET_TYPE(a, Py_TYPE(b)); /* each has one reference to its class */
    Py_SET_TYPE(b, type);
}

static bool alike(const core_instance *a, const core_instance *b)
{
    const PyTypeObject *one = Py_TYPE(a), *other = Py_TYPE(b);

    return one->tp_base == &core_instance_type && other->tp_base == one->tp_base &&
           one->tp_basicsize == other->tp_basicsize && one->tp_weaklistoffset == other->tp_weaklistoffset &&
           a->cls->shared == b->cls->shared;
}

/* swap_instances(instance, made): each is what the other was; once more puts them back. For a reload: `made` has the
 * state of `instance` in new code, and nobody else knows of it. */
PyObject *core_swap_instances(PyObject *Py_UNUSED(module), PyObject *args)
{
    core_instance *a, *b;
    core_class *cls;
    core_call c;
    char room[1];
    const char *name, *wrong;
    int status = -1;

    if (!PyArg_ParseTuple(args, "O!O!:swap_instances", &core_instance_type, &a, &core_instance_type, &b))
        return NULL;
    if (a == b || !alike(a, b)) {
        PyErr_SetString(PyExc_TypeError, "two instances of a class, which two builds of a plugin have");
        return NULL;
    }
    cls = (core_class *)Py_NewRef(a->cls);
    name = cls->step.name;
    if (core_begin(&c, cls->owner, room, 0) < 0) {
        Py_DECREF(cls);
        return NULL;
    }
    if (core_hold_one(a, &c, name) == 0) {
        if (core_hold_one(b, &c, name) == 0) {
            wrong = core_is_closed(a) || core_is_closed(b) ? "closed"
                    : a->users > 1 || b->users > 1        ? "used"
                                                          : NULL;
            if (wrong == NULL) {
                swap(a, b);
                status = 0;
            } else {
                core_refuse_instance(a, name, wrong);
            }
            core_let_one_go(b);
        }
        core_let_one_go(a);
    }
    core_end(&c);
    Py_DECREF(cls);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}
