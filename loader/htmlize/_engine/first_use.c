/* first_use.c: the function of a role whose plugin is not open yet: asks Python for the real one, and calls it. */
#include "module.h"

/* The call came to nothing: what Python raised is the reason. GIL held. */
static int not_opened(core_call *c)
{
    PyObject *text;
    const char *words = NULL;
    Py_ssize_t size = 0;

    engine_api->keep_cause(c);
    text = c->cause == NULL ? NULL : PyObject_Str(c->cause);
    if (text != NULL)
        words = PyUnicode_AsUTF8AndSize(text, &size);
    if (words == NULL)
        PyErr_Clear();
    loader_fail_with(&c->call, CORE_NOT_CALLED, words == NULL ? "" : words, words == NULL ? 0 : (size_t)size);
    Py_XDECREF(text);
    return CORE_NOT_CALLED;
}

/* The plugin's owner and function from what `found`, a tuple (owner, address), says. Returns NULL with an
 * exception. */
static engine_role_function read_found(PyObject *found, core_owner **owner)
{
    PyObject *who, *number;
    engine_role_function process = NULL;
    core_call probe;
    char nothing[1];
    void *address;

    if (!PyArg_ParseTuple(found, "O!O", engine_api->owner_type, &who, &number))
        return NULL;
    address = engine_address(number);
    if (address == NULL)
        return NULL;
    *owner = (core_owner *)who;
    if (engine_api->begin(&probe, *owner, nothing, 0) < 0) /* raises ForkError in a forked child */
        return NULL;
    engine_api->end(&probe);
    memcpy(&process, &address, sizeof address);
    return process;
}

int engine_first_use(loader_call *call, const loader_text *name, const loader_text *text, const htmlize_post *post)
{
    const engine_role *const role = (const engine_role *)(const void *)name; /* `name` is its first member */
    core_call *const c = (core_call *)call;
    core_owner *const stand_in = c->owner;
    const bool away = c->thread != NULL;
    engine_role_function process = NULL;
    core_owner *owner = NULL;
    PyObject *found;
    int status;

    engine_api->acquire(c);
    found = PyObject_CallFunction(role->context, "s#", name->data, (Py_ssize_t)name->size);
    if (found != NULL)
        process = read_found(found, &owner);
    if (process == NULL) {
        status = not_opened(c);
    } else {
        engine_api->release(c); /* what it promised is not looked up for one call */
        c->owner = c->crumb->owner = owner;
        status = process(call, name, text, post);
        c->owner = c->crumb->owner = stand_in;
        engine_api->acquire(c);
        engine_api->tell_log(c); /* under the name of the plugin, which may go with `found` */
    }
    Py_XDECREF(found);
    engine_api->go_on(c, away);
    return status;
}
