/* c_extension_str.c: the limit of a call from Python. It knows how CPython keeps a str, takes the text as it lies
 * there and writes it into the new one; nothing is turned into UTF-8 or back. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static void put(int kind, void *data, Py_ssize_t at, const char *text)
{
    for (; *text != '\0'; text++, at++)
        PyUnicode_WRITE(kind, data, at, (Py_UCS4)*text);
}

static PyObject *process_role(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *text, *result;
    Py_ssize_t length;
    int kind;
    char *data;

    (void)module;
    if (count != 3 || !PyUnicode_Check(arguments[0]) || !PyUnicode_Check(arguments[1]))
        return PyErr_Format(PyExc_TypeError, "process_role takes two texts and a post");
    text = arguments[1];
    length = PyUnicode_GET_LENGTH(text);
    result = PyUnicode_New(length + 9, PyUnicode_MAX_CHAR_VALUE(text));
    if (result == NULL)
        return NULL;
    kind = PyUnicode_KIND(result); /* its kind is that of the text, as it has the same largest character */
    data = PyUnicode_DATA(result);
    put(kind, data, 0, "<tt>");
    memcpy(data + 4 * kind, PyUnicode_DATA(text), (size_t)length * (size_t)kind);
    put(kind, data, 4 + length, "</tt>");
    return result;
}

static PyMethodDef methods[] = {
    {"process_role", (PyCFunction)(void (*)(void))process_role, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "c_extension_str", .m_doc = NULL, .m_size = 0, .m_methods = methods,
};

PyMODINIT_FUNC PyInit_c_extension_str(void)
{
    return PyModuleDef_Init(&definition);
}
