/* c_extension.c: what one writes in place of a plugin, an extension module by hand; text goes through UTF-8. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *process_role(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    char small[256], *room = small;
    const char *role, *text;
    Py_ssize_t size;
    PyObject *result;

    (void)module;
    if (count != 3)
        return PyErr_Format(PyExc_TypeError, "process_role takes 3 arguments, not %zd", count);
    role = PyUnicode_AsUTF8AndSize(arguments[0], NULL);
    text = role == NULL ? NULL : PyUnicode_AsUTF8AndSize(arguments[1], &size);
    if (text == NULL)
        return NULL;
    if (size > (Py_ssize_t)sizeof small - 9 && (room = PyMem_Malloc((size_t)size + 9)) == NULL)
        return PyErr_NoMemory();
    memcpy(room, "<tt>", 4);
    memcpy(room + 4, text, (size_t)size);
    memcpy(room + 4 + size, "</tt>", 5);
    result = PyUnicode_FromStringAndSize(room, size + 9);
    if (room != small)
        PyMem_Free(room);
    return result;
}

static PyObject *fail(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *number;

    (void)module;
    if (count != 3)
        return PyErr_Format(PyExc_TypeError, "fail takes 3 arguments, not %zd", count);
    number = PyObject_GetAttrString(arguments[2], "id");
    if (number != NULL) {
        PyErr_Format(PyExc_ValueError, "no post %S", number);
        Py_DECREF(number);
    }
    return NULL;
}

/* Asks `title` for post 42 `left` times; what it said last. */
static PyObject *call_back(PyObject *module, PyObject *arguments)
{
    PyObject *title, *number, *last = Py_NewRef(Py_None);
    Py_ssize_t left;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "nO", &left, &title))
        Py_CLEAR(last);
    for (; last != NULL && left > 0; left--) {
        number = PyLong_FromLong(42);
        Py_SETREF(last, number == NULL ? NULL : PyObject_CallOneArg(title, number));
        Py_XDECREF(number);
    }
    return last;
}

static PyMethodDef methods[] = {
    {"process_role", (PyCFunction)(void (*)(void))process_role, METH_FASTCALL, NULL},
    {"fail", (PyCFunction)(void (*)(void))fail, METH_FASTCALL, NULL},
    {"call_back", call_back, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "c_extension", .m_doc = NULL, .m_size = 0, .m_methods = methods,
};

PyMODINIT_FUNC PyInit_c_extension(void)
{
    return PyModuleDef_Init(&definition);
}
