/* typed.c: calls of a Function that has floating-point parameters, or results by LOADER_OUT. The way is that of
 * function.c; what differs is how the arguments are passed, and what the answer is made of.
 *
 * The conventions of System V and AArch64 pass floating-point numbers in registers of their own, in the order in which
 * they stand among themselves. So a function may be called with more of either class than it has: it does not look at
 * what is beyond. Windows counts registers of both classes together.
 */
#include "call/arguments.h"

#define RESULT_ROOM 256 /* bytes of results that need no allocation */

/* ---- Passing ----------------------------------------------------------------------------------------- */

typedef uintptr_t W;
typedef double D;

#if defined(_WIN32)

static inline D real(W bits)
{
    D value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The first argument is the call, three more are in registers, the rest on the stack, where the class does not matter. */
int core_enter_reals(const function *f, loader_call *call, const struct arguments *a)
{
    const W *v = a->values;
#  define REST v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]
#  define STACK W, W, W, W, W, W, W, W, W, W, W, W, W
    switch (f->real_registers) {
    case 0: return ((int (*)(loader_call *, W, W, W, STACK))f->address)(call, v[0], v[1], v[2], REST);
    case 1: return ((int (*)(loader_call *, D, W, W, STACK))f->address)(call, real(v[0]), v[1], v[2], REST);
    case 2: return ((int (*)(loader_call *, W, D, W, STACK))f->address)(call, v[0], real(v[1]), v[2], REST);
    case 3: return ((int (*)(loader_call *, D, D, W, STACK))f->address)(call, real(v[0]), real(v[1]), v[2], REST);
    case 4: return ((int (*)(loader_call *, W, W, D, STACK))f->address)(call, v[0], v[1], real(v[2]), REST);
    case 5: return ((int (*)(loader_call *, D, W, D, STACK))f->address)(call, real(v[0]), v[1], real(v[2]), REST);
    case 6: return ((int (*)(loader_call *, W, D, D, STACK))f->address)(call, v[0], real(v[1]), real(v[2]), REST);
    default:
        return ((int (*)(loader_call *, D, D, D, STACK))f->address)(call, real(v[0]), real(v[1]), real(v[2]), REST);
    }
}

static inline void pass_real(struct arguments *a, size_t place, D bits)
{
    memcpy(&a->values[place], &bits, sizeof bits);
}

/* What is passed beyond what the function has. */
static inline void clear(const function *f, struct arguments *a)
{
    (void)f;
    memset(a->values, 0, sizeof a->values);
}

#else

int core_enter_reals(const function *f, loader_call *call, const struct arguments *a)
{
    const W *v = a->values;
    const D *d = a->reals;

    if (f->is_small)
        return ((int (*)(loader_call *, W, W, D, D))f->address)(call, v[0], v[1], d[0], d[1]);
    if (f->words <= 5)
        return ((int (*)(loader_call *, W, W, W, W, W, D, D, D, D, D, D, D, D))f->address)(
            call, v[0], v[1], v[2], v[3], v[4], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
    return ((int (*)(loader_call *, W, W, W, W, W, W, W, W, D, D, D, D, D, D, D, D))f->address)(
        call, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
}

static inline void pass_real(struct arguments *a, size_t place, D bits)
{
    a->reals[place] = bits;
}

/* What is passed beyond what the function has. */
static inline void clear(const function *f, struct arguments *a)
{
    if (f->is_small) {
        a->values[0] = a->values[1] = 0;
        a->reals[0] = a->reals[1] = 0;
    } else {
        memset(a->values, 0, sizeof a->values);
        memset(a->reals, 0, sizeof a->reals);
    }
}

#endif

static CORE_NOINLINE int real_of(const struct parameter *parameter, PyObject *value, double *out)
{
    return core_real(value, parameter->name, out);
}

static inline int borrow_real(struct arguments *a, const struct parameter *parameter, PyObject *value)
{
    double number;

    if (LOADER_LIKELY(PyFloat_CheckExact(value)))
        number = PyFloat_AS_DOUBLE(value);
    else if (real_of(parameter, value, &number) < 0)
        return -1;
    if (parameter->kind == KIND_FLOAT) { /* in the low half of the register */
        const float narrow = (float)number;
        number = 0;
        memcpy(&number, &narrow, sizeof narrow);
    }
    pass_real(a, parameter->place, number);
    return 0;
}

/* ---- What is seldom in arguments.h ------------------------------------------------------------------- */

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
    if (core_borrow_texts(value, parameter->name, &keep, text) < 0)
        return -1;
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

/* ---- Results ----------------------------------------------------------------------------------------- */

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

static PyObject *array_of(const function *f, core_call *c, const struct parameter *result, const loader_text *given)
{
    core_block *block = NULL;

    if (given->size != 0) {
        if (given->size <= SIZE_MAX / result->size)
            block = core_block_of(c, given->data, given->size * result->size);
        if (block == NULL)
            return wrong_result(f, c, result, "is not in memory that loader_alloc gave, or longer than that");
        if ((uintptr_t)given->data % result->size != 0)
            return wrong_result(f, c, result, "is not aligned as its elements are");
    }
    return core_array(block, (void *)(uintptr_t)given->data, given->size, result->element, result->size);
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

static PyObject *result_of(const function *f, core_call *c, struct parameter *result, const char *room)
{
    const char *at = room + result->offset;
    const struct field field = {.name = result->name, .size = result->size, .kind = result->kind,
                                .is_signed = result->is_signed};
    loader_text given;
    double number;
    PyObject *value;

    switch (result->kind) {
    case KIND_DOUBLE:
        memcpy(&number, at, sizeof number);
        return PyFloat_FromDouble(number);
    case KIND_NUMBERS:
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
    for (int i = 0; row != NULL && i < f->result_count; i++) {
        PyObject *value = result_of(f, c, &f->results[i], room);
        PyTuple_SET_ITEM(row, first + i, value);
        if (value == NULL)
            Py_CLEAR(row);
    }
    return row;
}

static PyObject *answer(function *f, core_call *c, int status, const char *room)
{
    if (status != LOADER_OK)
        return core_raise(c, f->step.name, status, NULL);
    if (f->result_count == 0)
        return written(f, c);
    if (f->gives == KIND_NONE) {
        if (c->call.next != c->begin) {
            static const char text[] = "wrote text, and its header declares LOADER_OUT results only (LOADER_GIVES_TEXT)";
            core_set_error(c, text, sizeof text - 1);
            return core_raise(c, f->step.name, LOADER_FAILED, NULL);
        }
        if (c->settle && core_spoiled(c, f->step.name))
            return NULL;
        if (f->result_count == 1)
            return result_of(f, c, &f->results[0], room);
    }
    return row_of(f, c, room);
}

/* ---- The call ---------------------------------------------------------------------------------------- */

/* Room for the results, all 0. */
static void clear_results(const function *f, struct arguments *a, char *room)
{
    for (int i = 0; i < f->result_count; i++) {
        const struct parameter *result = &f->results[i];
        char *const at = room + result->offset;
        a->values[result->place] = (uintptr_t)at;
        memset(at, 0, sizeof(loader_text)); /* in two stores; only structs are larger */
        if (result->kind == KIND_STRUCT) {
            memset(at, 0, core_layout_size(result->layout));
            core_set_sizes(result->layout, at);
        }
    }
}

static CORE_INLINE PyObject *call_in_order(function *f, PyObject *const *values)
{
    struct arguments a;
    core_call c;
    char room[STACK_ROOM];
    _Alignas(16) char small[RESULT_ROOM];
    char *results = small;
    PyObject *result = NULL;
    int status;

    a.owned_count = a.buffer_count = 0;
    a.total = 0;
    a.wide = false;
    clear(f, &a);
    for (Py_ssize_t i = 0; i < f->count; i++) {
        const struct parameter *p = &f->parameters[i];
        if ((p->kind == KIND_DOUBLE || p->kind == KIND_FLOAT ? borrow_real(&a, p, values[i])
                                                             : borrow(&a, p, values[i], p->place)) < 0) {
            core_wrong_argument(f);
            goto given_back;
        }
    }
    if (f->result_size > sizeof small && (results = PyMem_Malloc(f->result_size)) == NULL) {
        PyErr_NoMemory();
        goto given_back;
    }
    clear_results(f, &a, results);
    const size_t most = f->owner->max_output;
    if (core_begin(&c, f->owner, room, most < sizeof room ? most : sizeof room) < 0)
        goto given_back;
    if (LOADER_LIKELY(!atomic_load_explicit(&f->owner->unusual, memory_order_relaxed) &&
                      (f->never_blocks || core_only_thread(core_interpreter)))) {
        const core_crumb outer = core_enter(&c, &f->step);
        status = f->reals > 0 ? core_enter_reals(f, &c.call, &a) : core_enter_words(f, &c.call, a.values);
        core_leave(&c, outer);
    } else {
        status = core_enter_slowly(f, &c, &a);
    }
    if (c.settle)
        status = core_settle(&c, status);
    result = answer(f, &c, status, results);
    core_end(&c);
given_back:
    if (results != small)
        PyMem_Free(results);
    release_arguments(&a);
    return result;
}

static CORE_NOINLINE PyObject *call_any(function *f, PyObject *const *values)
{
    return call_in_order(f, values);
}

static PyObject *typed_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    function *f = (function *)self;

    if (kwnames == NULL && PyVectorcall_NARGS(nargsf) == f->count)
        return call_in_order(f, args);
    return core_call_by_name(f, call_any, args, PyVectorcall_NARGS(nargsf), kwnames);
}

/* The short way of functions of up to four doubles that give one, if nothing out of the ordinary is to be done: it takes
 * half of the instructions. */
static PyObject *doubles_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    function *const f = (function *)self;
    const Py_ssize_t count = f->count;
    D d[4] = {0, 0, 0, 0}, number = 0;
    core_call c;
    char room[1];
    PyObject *result;

    if (kwnames != NULL || PyVectorcall_NARGS(nargsf) != count)
        return typed_vectorcall(self, args, nargsf, kwnames);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyFloat_CheckExact(args[i]))
            return typed_vectorcall(self, args, nargsf, NULL);
        d[i] = PyFloat_AS_DOUBLE(args[i]);
    }
    if (atomic_load_explicit(&f->owner->unusual, memory_order_relaxed) ||
        !(f->never_blocks || core_only_thread(core_interpreter)))
        return typed_vectorcall(self, args, nargsf, NULL);
    if (core_begin(&c, f->owner, room, 0) < 0)
        return NULL;
    const core_crumb outer = core_enter(&c, &f->step);
    int status = ((int (*)(loader_call *, D *, D, D, D, D))f->address)(&c.call, &number, d[0], d[1], d[2], d[3]);
    core_leave(&c, outer);
    if (LOADER_LIKELY(status == LOADER_OK && !c.settle && c.call.next == room)) {
        result = PyFloat_FromDouble(number);
    } else {
        if (c.settle)
            status = core_settle(&c, status);
        result = answer(f, &c, status, (const char *)&number);
    }
    core_end(&c);
    return result;
}

vectorcallfunc core_typed_call(const function *f)
{
    bool doubles = f->count <= 4 && f->count == f->reals && f->result_count == 1 && f->gives == KIND_NONE &&
                   f->results[0].kind == KIND_DOUBLE;

    for (Py_ssize_t i = 0; i < f->count; i++)
        doubles = doubles && f->parameters[i].kind == KIND_DOUBLE;
#if defined(_WIN32)
    doubles = false;
#endif
    return doubles ? doubles_vectorcall : typed_vectorcall;
}
