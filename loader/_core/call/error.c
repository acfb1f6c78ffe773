/* error.c: how a call fails: the error text that a plugin leaves, the cause that Python code leaves, and the exception
 * that loader/plugin.py makes of them.
 */
#include "call/internal.h"

#define ERROR_MOST (64 * 1024) /* bytes of an error text that are kept; said in plugin.h */

/* (name, path, function, status, message, where, cause) -> exception; status None: refused after a fork */
static PyObject *error_factory;

/* ---- Exceptions -------------------------------------------------------------------------------------- */

/* The exception that is set, taken away, with its traceback. A new reference. */
PyObject *core_raised(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL)
        PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

/* Sets what core_raised gave; takes the reference. */
void core_raise_again(PyObject *error)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(error);
#else
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), error, PyException_GetTraceback(error));
#endif
}

/* Takes the exception that is set away and keeps it as the cause of whatever becomes of the call. An interrupt or an
 * exit stays the cause, whatever fails after it. */
void core_keep_cause(core_call *c)
{
    PyObject *error = core_raised(), *before = c->cause, *dropped = c->dropped;

    c->settle = true;
    c->dropped = NULL;
    if (c->interrupted) {
        before = error;
    } else {
        c->cause = error;
        c->interrupted = !PyObject_TypeCheck(error, (PyTypeObject *)PyExc_Exception);
    }
    Py_XDECREF(before);
    Py_XDECREF(dropped);
}

static void raise_made(PyObject *error)
{
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

void core_raise_forked(const core_call *c)
{
    raise_made(PyObject_CallFunction(error_factory, "OOOOsOO", c->owner->name, c->owner->path, Py_None, Py_None, "",
                                     Py_None, Py_None));
}

/* ---- What a plugin says of its failure ------------------------------------------------------------------- */

int core_set_error(core_call *c, const char *text, size_t size)
{
    char *copy;

    if (text == NULL)
        size = 0;
    if (size > ERROR_MOST) { /* cut between characters, not inside of one */
        size = ERROR_MOST;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
            size--;
    }
    copy = (char *)malloc(size + 1);
    if (copy == NULL)
        size = 0; /* no text, rather than that of another failure */
    if (size != 0)
        memcpy(copy, text, size); /* before free: a plugin may pass its own call->error.data on */
    free(c->error);
    c->error = copy;
    c->call.error.data = copy;
    c->call.error.size = size;
    return copy == NULL ? -1 : 0;
}

void core_forget(core_call *c)
{
    free(c->error);
    c->error = NULL;
    c->call.error.data = NULL;
    c->call.error.size = 0;
    /* To give an object back may run Python code, and wants the GIL. There is room for one: a cause arises under the
     * GIL, in core_keep_cause, which gives back the one before. */
    if (c->cause != NULL && !c->interrupted) {
        c->dropped = c->cause;
        c->cause = NULL;
    }
}

static PyObject *text_or_none(const char *text)
{
    return text == NULL ? Py_NewRef(Py_None) : PyUnicode_FromString(text);
}

/* For Host.survey, which puts it into words: most programs never ask. */
static void note_failure(core_owner *owner, PyObject *function, PyObject *status, PyObject *message)
{
    owner->failures++;
    Py_XSETREF(owner->failed_in, Py_NewRef(function));
    Py_XSETREF(owner->failed_with, Py_NewRef(status));
    Py_XSETREF(owner->failed_because, Py_NewRef(message));
}

/* Without a format string, which would take longer than the exception: errors are how some plugins answer. */
static PyObject *make_error(const core_call *c, const char *function, int status, PyObject *message, const char *where)
{
    PyObject *name = text_or_none(function), *number = PyLong_FromLong(status), *place = text_or_none(where);
    PyObject *error = NULL;

    if (name != NULL && number != NULL && place != NULL) {
        PyObject *const values[] = {c->owner->name, c->owner->path, name, number, message, place,
                                    c->cause == NULL ? Py_None : c->cause};
        note_failure(c->owner, name, number, message);
        error = PyObject_Vectorcall(error_factory, values, sizeof values / sizeof values[0], NULL);
    }
    Py_XDECREF(name);
    Py_XDECREF(number);
    Py_XDECREF(place);
    return error;
}

PyObject *core_raise(core_call *c, const char *function, int status, const char *where)
{
    PyObject *message, *cause = c->cause;

    /* An interrupt or an exit that arose in a service is not the plugin's failure: it goes on as it is. */
    if (cause != NULL && (status == CORE_NOT_CALLED || c->interrupted)) {
        PyErr_SetObject((PyObject *)Py_TYPE(cause), cause);
        return NULL;
    }
    message = PyUnicode_DecodeUTF8(c->call.error.data == NULL ? "" : c->call.error.data,
                                   (Py_ssize_t)c->call.error.size, "replace");
    if (message == NULL)
        return NULL;
    raise_made(make_error(c, function, status, message, where));
    Py_DECREF(message);
    return NULL;
}

PyObject *core_set_error_factory(PyObject *Py_UNUSED(module), PyObject *factory)
{
    Py_XSETREF(error_factory, Py_NewRef(factory));
    Py_RETURN_NONE;
}
