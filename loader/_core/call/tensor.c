/* tensor.c: arrays of any shape that a plugin is lent as a loader_tensor: by the buffer protocol, or by __dlpack__,
 * whose DLTensor has this layout. Only what lies in the host's own memory.
 */
#include "call/internal.h"

enum { DEVICE_CPU = 1, MOST_DIMENSIONS = 64, OPAQUE_HANDLE = 3 };

/* As DLPack's dlpack.h declares it: what a capsule "dltensor" points to. */
struct managed {
    loader_tensor tensor;
    void *context;
    void (*deleter)(struct managed *);
};

/* Room for a tensor and its shape and strides, as a bytes object. */
static PyObject *new_tensor(int ndim, loader_tensor **tensor, int64_t **shape, int64_t **strides)
{
    PyObject *room =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(sizeof **tensor + 2 * (size_t)ndim * sizeof **shape));

    if (room == NULL)
        return NULL;
    *tensor = (loader_tensor *)(void *)PyBytes_AS_STRING(room);
    memset(*tensor, 0, sizeof **tensor);
    *shape = (int64_t *)(void *)(*tensor + 1);
    *strides = *shape + ndim;
    (*tensor)->device_type = DEVICE_CPU;
    (*tensor)->ndim = ndim;
    (*tensor)->lanes = 1;
    (*tensor)->shape = *shape;
    (*tensor)->strides = *strides;
    return room;
}

/* The code of an element by its format in the struct module's language; -1: none that is known. */
static int code_of(const char *format)
{
    if (strcmp(format, "Zf") == 0 || strcmp(format, "Zd") == 0)
        return LOADER_TENSOR_COMPLEX;
    if (format[0] == '\0' || format[1] != '\0')
        return -1;
    if (format[0] == '?')
        return LOADER_TENSOR_BOOL;
    return strchr("efd", format[0]) ? LOADER_TENSOR_FLOAT
           : strchr("bhilqn", format[0]) ? LOADER_TENSOR_INT
           : strchr("BHILQN", format[0]) ? LOADER_TENSOR_UINT
                                         : -1;
}

static int refuse(PyObject *name, const char *what)
{
    PyErr_Format(PyExc_ValueError, "%U %s", name, what);
    return -1;
}

/* Whether elements of this code are that large. */
static bool is_size_of(int code, const char *format, Py_ssize_t size)
{
    if (code == LOADER_TENSOR_FLOAT || code == LOADER_TENSOR_COMPLEX) {
        const char letter = format[code == LOADER_TENSOR_COMPLEX];
        return size == (letter == 'e' ? 2 : letter == 'f' ? 4 : 8) * (code == LOADER_TENSOR_COMPLEX ? 2 : 1);
    }
    return size == 1 || (code != LOADER_TENSOR_BOOL && (size == 2 || size == 4 || size == 8));
}

/* Checks what is in a buffer, and that its strides are whole elements. Returns the code of its elements, or -1.
 * Exporters in C are not believed: of ctypes' arrays `strides` is NULL, whatever is asked of them. */
static int check(const Py_buffer *buffer, PyObject *name, bool writable)
{
    const char *format = buffer->format == NULL ? "B" : buffer->format;
    const char order = *format != '\0' && strchr("@=<>!", *format) ? *format++ : '@';
    const int code = code_of(format);

    if (code < 0) {
        PyErr_Format(PyExc_TypeError, "%U has elements of format '%.50s', which no tensor has", name, format);
        return -1;
    }
    if (!is_size_of(code, format, buffer->itemsize) || buffer->ndim < 0 || buffer->ndim > MOST_DIMENSIONS ||
        (buffer->ndim > 0 && buffer->shape == NULL) || buffer->suboffsets != NULL)
        return refuse(name, "is a buffer of a kind that is not known; pass a copy");
    if (buffer->itemsize > 1 && (PY_BIG_ENDIAN ? order == '<' : order == '>' || order == '!'))
        return refuse(name, "is of the other byte order; convert it first");
    if (writable && buffer->readonly)
        return refuse(name, "is changed in place, and this buffer is read-only");
    for (int i = 0; buffer->strides != NULL && i < buffer->ndim; i++)
        if (buffer->strides[i] % buffer->itemsize != 0)
            return refuse(name, "has strides that are no whole elements; pass a copy");
    return code;
}

/* What is asked of every tensor, before a plugin computes with it: a shape that memory may have, and elements where
 * their CPU wants them. */
static int check_shape(PyObject *name, const loader_tensor *tensor, uint64_t *bytes)
{
    const uint64_t size = tensor->bits / 8u, most = PY_SSIZE_T_MAX;
    const uint64_t first = (uint64_t)(uintptr_t)tensor->data + tensor->byte_offset;
    bool empty = false;

    if (size == 0 || (size & (size - 1)) != 0 || tensor->bits % 8 != 0)
        return refuse(name, "has elements that are no whole bytes of a number");
    *bytes = size;
    for (int i = 0; i < tensor->ndim; i++) {
        if (tensor->shape[i] < 0)
            return refuse(name, "has a dimension of less than 0");
        empty = empty || tensor->shape[i] == 0;
    }
    for (int i = 0; !empty && i < tensor->ndim; i++) {
        if (*bytes > most / (uint64_t)tensor->shape[i])
            return refuse(name, "has more elements than memory could hold");
        *bytes *= (uint64_t)tensor->shape[i];
    }
    if (empty)
        *bytes = 0;
    else if (tensor->data == NULL || first < tensor->byte_offset)
        return refuse(name, "has elements, and no memory");
    else if (first % (size > 8 ? 8 : size) != 0)
        return refuse(name, "is not aligned; pass a copy");
    return 0;
}

/* The strides of elements that lie one behind the other. Of a shape that was checked. */
static void set_compact(loader_tensor *tensor, int64_t *strides)
{
    uint64_t step = 1;

    for (int i = tensor->ndim - 1; i >= 0; i--) {
        strides[i] = (int64_t)step;
        step *= (uint64_t)tensor->shape[i]; /* may wrap only where another dimension is 0 */
    }
}

static PyObject *of_buffer(PyObject *name, bool writable, const Py_buffer *buffer)
{
    const int code = check(buffer, name, writable);
    int64_t *shape, *strides;
    loader_tensor *tensor;
    PyObject *room = code < 0 ? NULL : new_tensor(buffer->ndim, &tensor, &shape, &strides);
    uint64_t bytes;

    if (room == NULL)
        return NULL;
    tensor->data = buffer->buf;
    tensor->code = (uint8_t)code;
    tensor->bits = (uint8_t)(buffer->itemsize * 8);
    for (int i = 0; i < buffer->ndim; i++)
        shape[i] = buffer->shape[i];
    if (check_shape(name, tensor, &bytes) < 0 ||
        (bytes != (uint64_t)buffer->len && refuse(name, "is a buffer whose length is not that of its shape") < 0)) {
        Py_DECREF(room);
        return NULL;
    }
    if (buffer->strides == NULL)
        set_compact(tensor, strides);
    for (int i = 0; buffer->strides != NULL && i < buffer->ndim; i++)
        strides[i] = buffer->strides[i] / buffer->itemsize;
    return room;
}

/* What the capsule of __dlpack__ holds, copied: strides may be left out there. */
static PyObject *of_capsule(PyObject *name, PyObject *capsule)
{
    const struct managed *given = PyCapsule_GetPointer(capsule, "dltensor");
    int64_t *shape, *strides;
    loader_tensor *tensor;
    uint64_t bytes;
    PyObject *room;

    if (given == NULL)
        return NULL;
    if (given->tensor.device_type != DEVICE_CPU)
        return refuse(name, "is on another device; copy it to the CPU first"), NULL;
    if (given->tensor.ndim < 0 || given->tensor.ndim > MOST_DIMENSIONS || given->tensor.lanes != 1 ||
        given->tensor.code == OPAQUE_HANDLE || (given->tensor.ndim > 0 && given->tensor.shape == NULL))
        return refuse(name, "is a tensor of a kind that is not known"), NULL;
    room = new_tensor(given->tensor.ndim, &tensor, &shape, &strides);
    if (room == NULL)
        return NULL;
    *tensor = given->tensor;
    tensor->shape = shape;
    tensor->strides = strides;
    for (int i = 0; i < tensor->ndim; i++)
        shape[i] = given->tensor.shape[i];
    if (check_shape(name, tensor, &bytes) < 0) {
        Py_DECREF(room);
        return NULL;
    }
    if (given->tensor.strides == NULL)
        set_compact(tensor, strides);
    for (int i = 0; given->tensor.strides != NULL && i < tensor->ndim; i++)
        strides[i] = given->tensor.strides[i];
    return room;
}

static PyObject *by_dlpack(PyObject *value, PyObject *name)
{
    PyObject *device = PyObject_CallMethod(value, "__dlpack_device__", NULL), *capsule, *room, *both;
    int type = 0, number;

    if (device == NULL || !PyTuple_Check(device) || !PyArg_ParseTuple(device, "ii", &type, &number)) {
        if (device == NULL ? PyErr_ExceptionMatches(PyExc_AttributeError) : !PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "%U must be a tensor (NumPy, memoryview, what has __dlpack__), not %.100s",
                         name, Py_TYPE(value)->tp_name);
        else if (device != NULL && (core_not_of_type() || PyErr_ExceptionMatches(PyExc_OverflowError)))
            PyErr_Format(PyExc_TypeError, "%U: its __dlpack_device__ gave no two numbers of 32 bits", name);
        Py_XDECREF(device);
        return NULL;
    }
    Py_DECREF(device);
    if (type != DEVICE_CPU)
        return refuse(name, "is on another device; copy it to the CPU first"), NULL;
    capsule = PyObject_CallMethod(value, "__dlpack__", NULL);
    room = capsule == NULL ? NULL : of_capsule(name, capsule);
    both = room == NULL ? NULL : PyTuple_Pack(2, room, capsule); /* the capsule gives back what it holds when it goes */
    Py_XDECREF(room);
    Py_XDECREF(capsule);
    return both;
}

/* As core_borrow_list: 1 if *buffer is lent too. *keep holds the tensor and *out points to it. */
int core_borrow_tensor(PyObject *value, PyObject *name, bool writable, Py_buffer *buffer, PyObject **keep,
                       uintptr_t *out)
{
    const bool lent = PyObject_CheckBuffer(value);

    if (!lent) {
        *keep = by_dlpack(value, name);
        if (*keep == NULL)
            return -1;
        *out = (uintptr_t)PyBytes_AS_STRING(PyTuple_GET_ITEM(*keep, 0));
        return 0;
    }
    if (PyObject_GetBuffer(value, buffer, PyBUF_FORMAT | PyBUF_STRIDES) < 0)
        return -1;
    *keep = of_buffer(name, writable, buffer);
    if (*keep == NULL) {
        PyBuffer_Release(buffer);
        return -1;
    }
    *out = (uintptr_t)PyBytes_AS_STRING(*keep);
    return 1;
}
