/* function.c: calls of a Function, a contract function of a plugin as a Python callable. The hot path of the
 * package, in one file so that the compiler can make one function of its steps. Keyword arguments: keywords.c; the
 * type itself: function_type.c.
 *
 * Python -> function_vectorcall -> (arguments borrowed in place, room for the answer on the C stack or in the
 * new object itself) -> the plugin's function through its address -> the answer as a new str or bytes.
 *
 * The GIL is let go around the call, or kept, by the rule that stands in gil.c.
 */
#include "call/ends.h"
#include "call/function.h"
#include "text/decode.h"

#define STACK_ROOM 640      /* bytes of output that need no allocation but the answer's own */
#define SHORT_INPUT 384     /* bytes of input up to which the stack is tried first */

/* ---- Arguments --------------------------------------------------------------------------------------- */

/* What a call holds while it runs. */
struct arguments {
    uintptr_t values[MAX_PARAMETERS];
    loader_text texts[MAX_PARAMETERS];
    PyObject *owned[MAX_PARAMETERS];
    Py_buffer buffers[MAX_PARAMETERS];
    int owned_count, buffer_count;
    bool wide;    /* a text is not ASCII; then the answer mostly is not */
    size_t total; /* bytes of text and bytes */
};

static void wrong_argument(const function *f)
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

static int borrow_bytes(struct arguments *a, const struct parameter *parameter, PyObject *value, loader_text *out)
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

static inline int borrow(struct arguments *a, const struct parameter *parameter, PyObject *value, Py_ssize_t i)
{
    loader_text *text = &a->texts[i];

    a->values[i] = (uintptr_t)text;
    switch (parameter->kind) {
    case KIND_TEXT:
        if (PyUnicode_Check(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
            text->data = (const char *)PyUnicode_DATA(value);
            text->size = (size_t)PyUnicode_GET_LENGTH(value);
        } else if (core_borrow_text(value, parameter->name, text) < 0) {
            return -1;
        } else {
            a->wide = true;
        }
        a->total += text->size;
        return 0;
    case KIND_STRUCT: {
        const void *native = core_packed(value, parameter->layout, &core_record_type);
        PyObject *keep = NULL;
        if (native == NULL && core_pack(parameter->layout, value, &native, &keep) < 0)
            return -1;
        if (keep != NULL)
            a->owned[a->owned_count++] = keep;
        a->values[i] = (uintptr_t)native;
        return 0;
    }
    case KIND_BYTES:
        if (borrow_bytes(a, parameter, value, text) < 0)
            return -1;
        a->total += text->size;
        return 0;
    default:
        if (LOADER_LIKELY(parameter->allowed == NULL))
            return core_integer(value, parameter->size, parameter->is_signed, parameter->name, &a->values[i]);
        return core_choice(parameter->allowed, value, parameter->size, parameter->is_signed, parameter->name,
                           &a->values[i]);
    }
}

static inline void release_arguments(struct arguments *a)
{
    while (a->owned_count > 0)
        Py_DECREF(a->owned[--a->owned_count]);
    while (a->buffer_count > 0)
        PyBuffer_Release(&a->buffers[--a->buffer_count]);
}

/* ---- The call ---------------------------------------------------------------------------------------- */

static inline int enter(const function *f, loader_call *call, const uintptr_t *v)
{
    typedef uintptr_t W;
    switch (f->count) {
    case 0: return ((int (*)(loader_call *))f->address)(call);
    case 1: return ((int (*)(loader_call *, W))f->address)(call, v[0]);
    case 2: return ((int (*)(loader_call *, W, W))f->address)(call, v[0], v[1]);
    case 3: return ((int (*)(loader_call *, W, W, W))f->address)(call, v[0], v[1], v[2]);
    case 4: return ((int (*)(loader_call *, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3]);
    case 5: return ((int (*)(loader_call *, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4]);
    case 6:
        return ((int (*)(loader_call *, W, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4], v[5]);
    case 7:
        return ((int (*)(loader_call *, W, W, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4], v[5],
                                                                         v[6]);
    default:
        return ((int (*)(loader_call *, W, W, W, W, W, W, W, W))f->address)(call, v[0], v[1], v[2], v[3], v[4], v[5],
                                                                            v[6], v[7]);
    }
}

/* The way of all calls that let the GIL go or are watched. */
static CORE_NOINLINE int enter_slowly(const function *f, core_call *c, const uintptr_t *values)
{
    PyObject *token = f->owner->watch == NULL ? NULL : core_watch_before(c, f->step.name);
    int status;

    if (c->interrupted)
        return CORE_NOT_CALLED;
    /* Asked now, and not when the call began: a watch is Python code, which may start a thread. */
    if (c->thread == NULL && !core_keeps(f->owner, f->never_blocks, core_interpreter))
        core_release(c);
    const core_crumb outer = core_enter(c, &f->step);
    status = enter(f, &c->call, values);
    core_leave(c, outer);
    return token == NULL ? status : core_watch_after(c, f->step.name, token, status);
}

static CORE_NOINLINE PyObject *finish_slowly(const function *f, core_call *c, int status)
{
    if (status == LOADER_OK)
        return f->gives_bytes ? core_bytes(c, f->step.name) : core_text(c, f->step.name, false);
    return core_raise(c, f->step.name, status, NULL);
}

static inline PyObject *finish(const function *f, core_call *c, int status, const char *room, bool wide)
{
    const size_t size = (size_t)(c->call.next - c->begin);

    if (LOADER_LIKELY(status == LOADER_OK && c->begin == room && size <= STACK_ROOM && !f->gives_bytes &&
                      !c->settle && c->call.next <= c->call.limit)) {
        PyObject *text = wide ? NULL : short_text(&core_text_model, room, size);
        if (text == NULL && !PyErr_Occurred())
            text = decode_utf8(room, size);
        if (text != NULL || PyErr_Occurred())
            return text;
    }
    return finish_slowly(f, c, status);
}

/* `values`: exactly f->count arguments, in order. */
static CORE_INLINE PyObject *call_in_order(function *f, PyObject *const *values)
{
    struct arguments a;
    core_call c;
    char room[STACK_ROOM];
    PyObject *result = NULL;
    int status;

    a.owned_count = a.buffer_count = 0;
    a.total = 0;
    a.wide = false;
    for (Py_ssize_t i = 0; i < f->count; i++)
        if (borrow(&a, &f->parameters[i], values[i], i) < 0) {
            wrong_argument(f);
            release_arguments(&a);
            return NULL;
        }
    const size_t most = f->owner->max_output;
    if (core_begin(&c, f->owner, room, most < sizeof room ? most : sizeof room) < 0) {
        release_arguments(&a);
        return NULL;
    }
    if (a.total > SHORT_INPUT && most > sizeof room &&
        core_use_result(&c, a.total <= most - most / 8 - 64 ? a.total + a.total / 8 + 64 : 0, f->gives_bytes) < 0)
        goto done;
    if (LOADER_LIKELY(!atomic_load_explicit(&f->owner->unusual, memory_order_relaxed) &&
                      (f->never_blocks || core_only_thread(core_interpreter)))) {
        const core_crumb outer = core_enter(&c, &f->step);
        status = enter(f, &c.call, a.values);
        core_leave(&c, outer);
    } else {
        status = enter_slowly(f, &c, a.values);
    }
    if (c.settle)
        status = core_settle(&c, status);
    result = finish(f, &c, status, room, a.wide);
done:
    core_end(&c);
    release_arguments(&a);
    return result;
}

static CORE_NOINLINE PyObject *call_by_name(function *f, PyObject *const *args, Py_ssize_t given, PyObject *kwnames)
{
    PyObject *values[MAX_PARAMETERS] = {NULL};
    PyObject *fields = NULL, *result = NULL;

    if (core_order_arguments(f, args, given, kwnames, values, &fields) == 0)
        result = call_in_order(f, values);
    Py_XDECREF(fields);
    return result;
}

static PyObject *function_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    function *f = (function *)self;

    if (kwnames == NULL && PyVectorcall_NARGS(nargsf) == f->count)
        return call_in_order(f, args);
    return call_by_name(f, args, PyVectorcall_NARGS(nargsf), kwnames);
}

/* The type knows it by this address only: of a function that is static GCC splits the short way off, so that a
 * call with keywords does not save registers that it has no use for. */
const vectorcallfunc core_function_vectorcall = function_vectorcall;
