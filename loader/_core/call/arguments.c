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
    loader_text *text = &a->texts[place];
    PyObject *keep;

    if (parameter->kind == KIND_NUMBERS) {
        if (core_borrow_numbers(value, parameter->name, parameter->element, parameter->size, parameter->writable,
                                &a->buffers[a->buffer_count], text) < 0)
            return -1;
        a->buffer_count++;
        return 0;
    }
    if (parameter->kind == KIND_INSTANCE)
        return check_instance(parameter, value);
    if (parameter->kind == KIND_LIST) {
        const int lent = core_borrow_list(value, parameter->name, parameter->layout, parameter->writable,
                                          &a->buffers[a->buffer_count], &keep, text);
        if (lent < 0)
            return -1;
        if (lent > 0) {
            a->buffer_count++;
            return 0;
        }
    } else if (parameter->kind == KIND_TENSOR) {
        const int lent = core_borrow_tensor(value, parameter->name, parameter->writable, &a->buffers[a->buffer_count],
                                            &keep, &a->values[place]);
        if (lent < 0)
            return -1;
        a->buffer_count += lent;
    } else if (parameter->kind == KIND_INTERFACE) {
        if (core_lend(parameter->layout, value, parameter->name, &keep, &a->values[place]) < 0)
            return -1;
    } else if (parameter->kind == KIND_ARROW) {
        if (core_borrow_arrow(value, parameter->name, &keep, text) < 0)
            return -1;
    } else if (core_borrow_texts(value, parameter->name, &keep, text) < 0) {
        return -1;
    }
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
