/* arguments.c: what Python passes to the engine, a text and a post, as a plugin takes it, where that is more than a look
 * (the look is in module.h); and TextError, if a text is not UTF-8.
 */
#include "module.h"

static int bad_text(const char *what, Py_ssize_t offset, const char *cure)
{
    PyObject *errors = PyImport_ImportModule("loader.errors");
    PyObject *type = errors == NULL ? NULL : PyObject_GetAttrString(errors, "TextError");
    PyObject *args = type == NULL ? NULL : PyTuple_New(1);
    PyObject *fields = args == NULL ? NULL : Py_BuildValue("{s:n,s:s}", "offset", offset, "cure", cure);
    PyObject *error = NULL;

    if (fields != NULL) {
        PyTuple_SET_ITEM(args, 0, PyUnicode_FromString(what));
        error = PyTuple_GET_ITEM(args, 0) == NULL ? NULL : PyObject_Call(type, args, fields);
    }
    if (error != NULL)
        PyErr_SetObject(type, error);
    Py_XDECREF(error);
    Py_XDECREF(fields);
    Py_XDECREF(args);
    Py_XDECREF(type);
    Py_XDECREF(errors);
    return -1;
}

/* A str with lone surrogates has no UTF-8: says where the first one is. */
static int bad_str(void)
{
    PyObject *type, *value, *trace;
    Py_ssize_t offset = 0;
    char what[96];

    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return -1;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (PyUnicodeEncodeError_GetStart(value, &offset) < 0)
        PyErr_Clear();
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    snprintf(what, sizeof what, "character %zd of the text is a lone surrogate, not UTF-8", offset);
    return bad_text(what, offset, "Read the text with errors=\"replace\"");
}

int engine_borrow_other(PyObject *object, const char *what, loader_text *text, bool *ascii, bool *bytes)
{
    Py_ssize_t size;
    size_t good;
    char message[96];

    if (PyUnicode_Check(object)) {
        *ascii = false;
        text->data = PyUnicode_AsUTF8AndSize(object, &size);
        text->size = (size_t)size;
        return text->data == NULL ? bad_str() : 0;
    }
    if (bytes == NULL || !PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s is a str%s, not %.100s", what, bytes == NULL ? "" : " or bytes",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    *bytes = true;
    text->data = PyBytes_AS_STRING(object);
    text->size = (size_t)PyBytes_GET_SIZE(object);
    *ascii = ascii_all(text->data, text->size);
    good = *ascii ? text->size : engine_api->utf8_valid(text->data, text->size);
    if (good == text->size)
        return 0;
    snprintf(message, sizeof message, "byte %zu of the text (0x%02x) is not valid UTF-8", good,
                  (unsigned)(unsigned char)text->data[good]);
    return bad_text(message, (Py_ssize_t)good, "Say errors=\"replace\", or decode it from its own encoding");
}

const htmlize_post *engine_post_other(const engine_object *self, PyObject *value, PyObject **keep)
{
    static const htmlize_post none = {.size = sizeof none};
    const void *native;

    *keep = NULL;
    if (value == NULL || value == Py_None)
        return &none;
    return engine_api->pack(self->layout, value, &native, keep) < 0 ? NULL : native;
}
