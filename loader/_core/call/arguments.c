/* arguments.c: what is seldom in arguments.h: bytes, arrays, lists of texts, and what is said of a wrong argument. */
#include "call/arguments.h"
#include "call/instance.h"

/* Whether it is one of this plugin's. Its address is taken when it is held: until then it may be closed. */
static int check_instance(const struct parameter *parameter, PyObject *value)
{
    const core_class *cls = (const core_class *)parameter->layout;
    const core_instance *instance = (const core_instance *)value;

    if (!PyObject_TypeCheck(value, &core_instance_type))
        PyErr_Format(PyExc_TypeError, "%U must be an instance of %U, not %.100s", parameter->name, cls->name,
                     Py_TYPE(value)->tp_name);
    else if (instance->cls != cls && instance->cls->owner == cls->owner)
        PyErr_Format(PyExc_TypeError, "%U must be an instance of %U, not %U", parameter->name, cls->name,
                     instance->cls->name);
    else if (instance->cls != cls)
        PyErr_Format(PyExc_TypeError, "%U must be an instance of %U that this plugin made, not %U of plugin %U (%U)",
                     parameter->name, cls->name, instance->cls->name, instance->cls->owner->name,
                     instance->cls->owner->path);
    else
        return 0;
    return -1;
}

int core_borrow_wide(struct arguments *a, const struct parameter *parameter, PyObject *value, Py_ssize_t place)
{
    PyObject *const name = parameter->name;
    Py_buffer *const buffer = &a->buffers[a->buffer_count];
    loader_text *const text = &a->texts[place];
    PyObject *keep = NULL;
    int lent; /* 1: `buffer` is, 0: what there is is in `keep` */

    switch (parameter->kind) {
    case KIND_NUMBERS:
        lent = core_borrow_numbers(value, name, parameter->element, parameter->size, parameter->writable, buffer, text);
        break;
    case KIND_LIST:
        lent = core_borrow_list(value, name, parameter->layout, parameter->writable, buffer, &keep, text);
        break;
    case KIND_TENSOR:
        lent = core_borrow_tensor(value, name, parameter->writable, buffer, &keep, &a->values[place]);
        break;
    case KIND_TEXTS: lent = core_borrow_texts(value, name, &keep, text); break;
    case KIND_INTERFACE: lent = core_lend(parameter->layout, value, name, &keep, &a->values[place]); break;
    case KIND_ARROW: lent = core_borrow_arrow(value, name, &keep, text); break;
    default: lent = check_instance(parameter, value); break;
    }
    if (lent < 0)
        return -1;
    a->buffer_count += lent;
    if (keep != NULL)
        a->owned[a->owned_count++] = keep;
    return 0;
}

int core_borrow_bytes(struct arguments *a, const struct parameter *parameter, PyObject *value, loader_text *out)
{
    if (PyBytes_CheckExact(value)) {
        out->data = PyBytes_AS_STRING(value);
        out->size = (size_t)PyBytes_GET_SIZE(value);
        return 0;
    }
    Py_buffer *buffer = &a->buffers[a->buffer_count];
    if (PyObject_GetBuffer(value, buffer, PyBUF_SIMPLE) < 0) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%U must be bytes, not %.100s", parameter->name, Py_TYPE(value)->tp_name);
        return -1;
    }
    a->buffer_count++;
    out->data = (const char *)buffer->buf;
    out->size = (size_t)buffer->len;
    return 0;
}

void core_wrong_argument(const function *f)
{
    PyObject *error = core_raised();
    PyObject *type = (PyObject *)Py_TYPE(error), *trace = PyException_GetTraceback(error);

    /* Say which function it was: the texts of core_integer and the like begin with the parameter's name. What
     * code of the argument's own raised (it has a traceback) is not ours to reword. */
    if (trace == NULL && (type == PyExc_TypeError || type == PyExc_OverflowError || type == PyExc_ValueError)) {
        PyErr_Format(type, "%U(): %S", f->name, error);
        Py_DECREF(error);
    } else {
        core_raise_again(error);
    }
    Py_XDECREF(trace);
}
