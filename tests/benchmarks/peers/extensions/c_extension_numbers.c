/* c_extension_numbers.c: what one writes in place of a plugin of numbers, an extension module by hand. Its `dot` and
 * `fill` are the limit: the bare loop over memory that is there, or that malloc gives and free takes. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *multiply(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    double a, b;

    (void)module;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "multiply takes 2 arguments, not %zd", count);
    a = PyFloat_AsDouble(arguments[0]);
    if (a == -1.0 && PyErr_Occurred())
        return NULL;
    b = PyFloat_AsDouble(arguments[1]);
    if (b == -1.0 && PyErr_Occurred())
        return NULL;
    return PyFloat_FromDouble(a * b);
}

static PyObject *scale(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    double value, factor;

    (void)module;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "scale takes 2 arguments, not %zd", count);
    value = PyFloat_AsDouble(arguments[0]);
    if (value == -1.0 && PyErr_Occurred())
        return NULL;
    factor = PyFloat_AsDouble(arguments[1]);
    if (factor == -1.0 && PyErr_Occurred())
        return NULL;
    return PyFloat_FromDouble(value * (double)(float)factor);
}

static PyObject *dot(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer a, b;
    double sum = 0;

    (void)module;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "dot takes 2 arguments, not %zd", count);
    if (PyObject_GetBuffer(arguments[0], &a, PyBUF_CONTIG_RO) < 0)
        return NULL;
    if (PyObject_GetBuffer(arguments[1], &b, PyBUF_CONTIG_RO) < 0) {
        PyBuffer_Release(&a);
        return NULL;
    }
    if (a.len == b.len) {
        const double *x = a.buf, *y = b.buf;
        const size_t size = (size_t)a.len / sizeof *x;
        for (size_t i = 0; i < size; i++)
            sum += x[i] * y[i];
    }
    PyBuffer_Release(&b);
    PyBuffer_Release(&a);
    return PyFloat_FromDouble(sum);
}

/* New memory of `count` doubles, filled and given back. */
static PyObject *fill(PyObject *module, PyObject *argument)
{
    const size_t count = PyLong_AsSize_t(argument);
    double *values, last;

    (void)module;
    if (count == (size_t)-1 && PyErr_Occurred())
        return NULL;
    values = count == 0 || count > PY_SSIZE_T_MAX / sizeof *values ? NULL : malloc(count * sizeof *values);
    if (values == NULL)
        return PyErr_NoMemory();
    for (size_t i = 0; i < count; i++)
        values[i] = (double)i;
    last = ((volatile double *)values)[count - 1];
    free(values);
    return PyFloat_FromDouble(last);
}

static PyMethodDef methods[] = {
    {"multiply", (PyCFunction)(void (*)(void))multiply, METH_FASTCALL, NULL},
    {"scale", (PyCFunction)(void (*)(void))scale, METH_FASTCALL, NULL},
    {"dot", (PyCFunction)(void (*)(void))dot, METH_FASTCALL, NULL},
    {"fill", fill, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "c_extension_numbers", .m_doc = NULL, .m_size = 0, .m_methods = methods,
};

PyMODINIT_FUNC PyInit_c_extension_numbers(void)
{
    return PyModuleDef_Init(&definition);
}
