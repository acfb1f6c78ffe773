/* results.c: what a Function gives that has results by LOADER_OUT: a value, or a row of several. They are the plugin's,
 * so each is checked: arrays lie in memory of the host's, text is UTF-8, a member is one of its enum.
 */
#include "call/enter.h"
#include "call/instance.h"
#include "remote/remote.h"

/* The plugin's answer is not what its header declares. */
static PyObject *wrong_result(const function *f, core_call *c, const struct parameter *result, const char *what)
{
    PyObject *text = PyUnicode_FromFormat("its result %U %s", result->name, what);
    Py_ssize_t size = 0;
    const char *utf8 = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &size);

    if (utf8 != NULL) {
        core_forget(c);
        core_set_error(c, utf8, (size_t)size);
        core_raise(c, f->step.name, LOADER_FAILED, NULL);
    }
    Py_XDECREF(text);
    return NULL;
}

/* An error of the values in it (no UTF-8, no member of an enum) is the plugin's. */
static PyObject *checked(const function *f, core_call *c, const struct parameter *result, PyObject *value)
{
    PyObject *error, *text;
    const char *utf8;

    if (value != NULL || !PyErr_ExceptionMatches(PyExc_ValueError))
        return value;
    error = core_raised();
    text = PyUnicode_FromFormat("is wrong: %S", error);
    utf8 = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    if (utf8 != NULL)
        wrong_result(f, c, result, utf8);
    Py_XDECREF(text);
    Py_DECREF(error);
    return NULL;
}

static PyObject *array_of(const function *f, core_call *c, const struct parameter *result, const loader_text *given)
{
    const size_t size = result->kind == KIND_LIST ? core_layout_size(result->layout) : result->size;
    core_block *block = NULL;
    void *const data = (void *)(uintptr_t)given->data;

    if (given->size != 0) {
        if (given->size <= SIZE_MAX / size)
            block = core_block_of(c, data, given->size * size);
        if (block == NULL)
            return wrong_result(f, c, result, "is not in memory that loader_alloc gave, or longer than that");
        if ((uintptr_t)data % ((size & -size) < 8 ? size & -size : 8) != 0)
            return wrong_result(f, c, result, "is not aligned as its elements are");
    }
    if (result->kind == KIND_LIST)
        return checked(f, c, result, core_array_of_rows(block, data, given->size, result->layout));
    return core_array(block, data, given->size, result->element, result->size);
}

static PyObject *result_of(const function *f, core_call *c, struct parameter *result, const char *room)
{
    const char *at = room + result->offset;
    const struct field field = {.name = result->name, .size = result->size, .kind = result->kind,
                                .is_signed = result->is_signed};
    loader_text given;
    double number;
    void *native;
    PyObject *value;

    switch (result->kind) {
    case KIND_INSTANCE:
        memcpy(&native, at, sizeof native);
        return native == NULL ? wrong_result(f, c, result, "was not set") : core_instance_new(result->layout, native, c->worker);
    case KIND_ARROW: {
        const char *what = NULL;
        value = core_arrow_result(c, at, &what);
        return what == NULL ? value : wrong_result(f, c, result, what);
    }
    case KIND_DOUBLE:
        memcpy(&number, at, sizeof number);
        return PyFloat_FromDouble(number);
    case KIND_NUMBERS:
    case KIND_LIST:
        memcpy(&given, at, sizeof given);
        return array_of(f, c, result, &given);
    case KIND_STRUCT:
        return checked(f, c, result, core_row(result->layout, at));
    default:
        value = core_load_field(&field, at);
        if (result->members != NULL && value != NULL)
            value = core_member(&result->members, value, result->name);
        return checked(f, c, result, value);
    }
}

/* Gives back what the plugin filled, from this result on, since nobody gets it: the answer is wrong elsewhere, or the
 * function failed. Of one that failed, or was DONE, instances are not `given`: they are its own to free. */
static PyObject *drop(const function *f, core_call *c, int first, bool given, const char *room)
{
    for (int i = first; i < f->result_count; i++) {
        const char *const at = room + f->results[i].offset;
        void *native = NULL;
        if (f->results[i].kind == KIND_ARROW)
            core_arrow_drop(f->owner, at);
        else if (f->results[i].kind == KIND_INSTANCE && given)
            memcpy(&native, at, sizeof native);
        if (native != NULL)
            core_class_free((core_class *)f->results[i].layout, native, c->worker);
    }
    return NULL;
}

static PyObject *written(const function *f, core_call *c)
{
    return f->gives == KIND_BYTES ? core_bytes(c, f->step.name) : core_text(c, f->step.name, false);
}

static PyObject *row_of(function *f, core_call *c, const char *room)
{
    const int first = f->gives != KIND_NONE;
    PyObject *row = core_new_row(&f->row, f->result_count + first);

    if (row != NULL && first && (PyTuple_SET_ITEM(row, 0, written(f, c)), PyTuple_GET_ITEM(row, 0)) == NULL)
        Py_CLEAR(row);
    if (row == NULL)
        return drop(f, c, 0, true, room);
    for (int i = 0; i < f->result_count; i++) {
        PyObject *value = result_of(f, c, &f->results[i], room);
        PyTuple_SET_ITEM(row, first + i, value);
        if (value == NULL) {
            Py_DECREF(row);
            return drop(f, c, i + 1, true, room);
        }
    }
    return core_shown(row);
}

PyObject *core_answer(function *f, core_call *c, int status, const char *room)
{
    if (status == LOADER_DONE && f->ends) {
        PyErr_SetNone(PyExc_StopIteration);
        return drop(f, c, 0, false, room);
    }
    if (status == CORE_REFUSED) {
        core_raise(c, f->step.name, LOADER_FAILED, NULL);
        return drop(f, c, 0, true, room);
    }
    if (status != LOADER_OK) {
        core_raise(c, f->step.name, status, NULL);
        return drop(f, c, 0, false, room);
    }
    if (f->result_count == 0)
        return written(f, c);
    if (f->gives == KIND_NONE) {
        if (c->call.next != c->begin) {
            static const char text[] =
                "wrote text, and its header declares LOADER_OUT results only (LOADER_GIVES_TEXT)";
            core_set_error(c, text, sizeof text - 1);
            core_raise(c, f->step.name, LOADER_FAILED, NULL);
            return drop(f, c, 0, true, room);
        }
        if (c->settle && core_spoiled(c, f->step.name))
            return drop(f, c, 0, true, room);
        if (f->result_count == 1)
            return result_of(f, c, &f->results[0], room);
    }
    return row_of(f, c, room);
}
