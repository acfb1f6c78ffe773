/* array.c: memory that a plugin asks for (loader_alloc), and what Python has of it where it is a result: type Array,
 * which a memoryview is made of. What a plugin is lent: borrow.c.
 */
#include "call/internal.h"

/* ---- Memory of loader_alloc -------------------------------------------------------------------------- */

/* What lies before the memory itself. 32 bytes, so that this is aligned for any number, as malloc's is. */
struct core_block {
    core_block *next;
    size_t size;
    size_t total;  /* of it and all older blocks of its call */
    size_t users; /* its call, until that ends, and the arrays that Python has of it; GIL held */
};
_Static_assert(sizeof(struct core_block) % 16 == 0, "what follows it is aligned");

static inline char *memory_of(core_block *block)
{
    return (char *)(block + 1);
}

/* loader_host.alloc. Needs no GIL: the plugin may hold a lock. */
void *core_host_alloc(loader_call *call, size_t size)
{
    core_call *c = (core_call *)call;
    const size_t before = c->blocks == NULL ? 0 : c->blocks->total;
    const size_t most = c->max_output < PY_SSIZE_T_MAX / 2 ? c->max_output : PY_SSIZE_T_MAX / 2;
    core_block *block;

    if (before > most || size > most - before)
        return NULL;
    block = malloc(sizeof *block + (size == 0 ? 1 : size));
    if (block == NULL)
        return NULL;
    *block = (core_block){.next = c->blocks, .size = size, .total = before + size, .users = 1};
    c->blocks = block;
    c->settle = true;
    return memory_of(block);
}

/* Gives back what has become no result. GIL held, or nothing has. */
void core_drop_blocks(core_call *c)
{
    while (c->blocks != NULL) {
        core_block *block = c->blocks;
        c->blocks = block->next;
        if (--block->users == 0)
            free(block);
    }
}

core_block *core_block_of(const core_call *c, const void *data, size_t size)
{
    const uintptr_t at = (uintptr_t)data;

    for (core_block *block = c->blocks; block != NULL; block = block->next) {
        const uintptr_t begin = (uintptr_t)memory_of(block);
        if (at >= begin && at - begin <= block->size && size <= block->size - (at - begin))
            return block;
    }
    return NULL;
}

/* ---- Array: what Python has of such memory ----------------------------------------------------------- */

typedef struct array {
    PyObject_HEAD
    core_block *block; /* counted in `users`; NULL: empty */
    void *data;
    Py_ssize_t count, size; /* elements, bytes of one */
    char letter[2];
    const char *format;  /* `letter`, or that of `rows` */
    PyObject *rows;      /* of structs: their Layout; or NULL; owned */
    PyObject *form;      /* what holds `format`; or NULL; owned */
} array;

static char format_of(char kind, size_t size)
{
    const size_t place = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;

    return kind == 'f' ? (size == 4 ? 'f' : 'd') : (kind == 'i' ? "bhiq" : "BHIQ")[place];
}

static int array_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    array *self = (array *)object;

    *view = (Py_buffer){.obj = Py_NewRef(object), .buf = self->data, .len = self->count * self->size,
                        .itemsize = self->size, .ndim = 1};
    if (flags & PyBUF_FORMAT)
        view->format = (char *)(uintptr_t)self->format;
    if (flags & PyBUF_ND)
        view->shape = &self->count;
    if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES)
        view->strides = &self->size;
    return 0;
}

static void array_dealloc(PyObject *object)
{
    core_block *block = ((array *)object)->block;

    if (block != NULL && --block->users == 0)
        free(block);
    Py_XDECREF(((array *)object)->rows);
    Py_XDECREF(((array *)object)->form);
    Py_TYPE(object)->tp_free(object);
}

static Py_ssize_t array_length(PyObject *object)
{
    return ((array *)object)->count;
}

static PyObject *array_item(PyObject *object, Py_ssize_t place)
{
    array *self = (array *)object;

    if (place < 0 || place >= self->count || self->rows == NULL)
        return PyErr_Format(PyExc_IndexError, "there is no item %zd of %zd", place, self->count);
    return core_row(self->rows, (const char *)self->data + place * self->size);
}

static PySequenceMethods array_sequence = {.sq_length = array_length, .sq_item = array_item};

static PyObject *array_repr(PyObject *object)
{
    PyObject *list = PySequence_List(object), *text = list == NULL ? NULL : PyObject_Repr(list);

    Py_XDECREF(list);
    return text;
}

static PyBufferProcs array_buffer = {.bf_getbuffer = array_getbuffer};

PyTypeObject core_array_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Array",
    .tp_doc = "Memory that a plugin filled: what a memoryview that it gave is of, or a sequence of rows.",
    .tp_basicsize = sizeof(array),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = array_dealloc,
    .tp_as_buffer = &array_buffer,
    .tp_as_sequence = &array_sequence,
    .tp_repr = array_repr,
};

/* `block` stays the call's as well. */
static array *new_array(core_block *block, void *data, size_t count, size_t size)
{
    static char nothing[16];
    array *self = PyObject_New(array, &core_array_type);

    if (self == NULL)
        return NULL;
    self->rows = self->form = NULL;
    self->block = block;
    self->data = block == NULL ? nothing : data;
    self->count = (Py_ssize_t)count;
    self->size = (Py_ssize_t)size;
    self->letter[0] = self->letter[1] = '\0';
    self->format = self->letter;
    if (block != NULL)
        block->users++;
    return self;
}

PyObject *core_array(core_block *block, void *data, size_t count, char kind, size_t size)
{
    array *self = new_array(block, data, count, size);
    PyObject *view;

    if (self == NULL)
        return NULL;
    self->letter[0] = format_of(kind, size);
    view = PyMemoryView_FromObject((PyObject *)self);
    Py_DECREF(self);
    return view;
}

PyObject *core_copied_array(const loader_text *given, char kind, size_t size)
{
    core_block *block;
    PyObject *view;

    if (given->size > PY_SSIZE_T_MAX / 2 / size || (given->data == NULL && given->size != 0))
        return PyErr_Format(PyExc_ValueError, "the plugin passed %zu numbers at %p", given->size, given->data);
    block = malloc(sizeof *block + given->size * size);
    if (block == NULL)
        return PyErr_NoMemory();
    *block = (core_block){.size = given->size * size};
    if (given->size != 0)
        memcpy(memory_of(block), given->data, block->size);
    block->users = 1; /* this one, until the view has it */
    view = core_array(block, memory_of(block), given->size, kind, size);
    if (--block->users == 0)
        free(block);
    return view;
}

/* The format of arrays of a struct, a new reference; None: it has text. */
static PyObject *struct_format(PyObject *layout)
{
    PyObject *form = core_layout_arrays(layout);

    return form == NULL ? NULL : Py_NewRef(PyTuple_GET_ITEM(form, 0));
}

PyObject *core_array_of_rows(core_block *block, void *data, size_t count, PyObject *layout)
{
    PyObject *format = struct_format(layout);
    array *self = format == NULL ? NULL : new_array(block, data, count, core_layout_size(layout));
    PyObject *list;

    if (self == NULL) {
        Py_XDECREF(format);
        return NULL;
    }
    self->rows = Py_NewRef(layout);
    self->form = format;
    if (format != Py_None) {
        self->format = PyUnicode_AsUTF8(format);
        if (self->format == NULL)
            Py_CLEAR(self);
        return (PyObject *)self;
    }
    list = PySequence_List((PyObject *)self); /* what its texts point to goes when the call ends */
    Py_DECREF(self);
    return list;
}

bool core_is_array_of(PyObject *value, PyObject *layout)
{
    return Py_TYPE(value) == &core_array_type && ((array *)value)->rows == layout;
}
