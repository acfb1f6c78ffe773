/* function.c: calls of a Function, a contract function of a plugin as a Python callable. The hot path of the
 * package, in one file so that the compiler can make one function of its steps. What it borrows from Python:
 * arguments.h; the plugin's function: enter.h; keyword arguments: keywords.c; the type itself: function_type.c.
 *
 * Python -> enter_function -> (arguments borrowed in place, room for the answer on the C stack or in the
 * new object itself) -> the plugin's function through its address -> the answer as a new str or bytes.
 *
 * The GIL is let go around the call, or kept, by the rule that stands in gil.c. Functions with floating-point
 * parameters, instances or results by LOADER_OUT are called in typed.c.
 */
#include "call/arguments.h"
#include "call/enter.h"
#include "text/decode.h"

/* ---- The call ---------------------------------------------------------------------------------------- */

static CORE_NOINLINE PyObject *finish_slowly(const function *f, core_call *c, int status)
{
    if (status == LOADER_OK)
        return f->gives == KIND_BYTES ? core_bytes(c, f->step.name) : core_text(c, f->step.name, false);
    return core_raise(c, f->step.name, status, NULL);
}

static inline PyObject *finish(const function *f, core_call *c, int status, const char *room, bool wide)
{
    const size_t size = (size_t)(c->call.next - c->begin);

    if (LOADER_LIKELY(status == LOADER_OK && c->begin == room && size <= STACK_ROOM && f->gives != KIND_BYTES &&
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
            core_wrong_argument(f);
            release_arguments(&a);
            return NULL;
        }
    const size_t most = f->owner->max_output;
    if (core_begin(&c, f->owner, room, most < sizeof room ? most : sizeof room) < 0) {
        release_arguments(&a);
        return NULL;
    }
    if (a.total > SHORT_INPUT && most > sizeof room &&
        core_use_result(&c, a.total <= most - most / 8 - 64 ? a.total + a.total / 8 + 64 : 0,
                        f->gives == KIND_BYTES) < 0)
        goto done;
    if (LOADER_LIKELY(!atomic_load_explicit(&f->owner->unusual, memory_order_relaxed) &&
                      (f->never_blocks || core_only_thread(core_interpreter)))) {
        const core_crumb outer = core_enter(&c, &f->step);
        status = core_enter_words(f, &c.call, a.values);
        core_leave(&c, outer);
    } else {
        status = core_enter_slowly(f, &c, &a, NULL);
    }
    if (c.settle)
        status = core_settle(&c, status);
    result = finish(f, &c, status, room, a.wide);
done:
    core_end(&c);
    release_arguments(&a);
    return result;
}

static CORE_NOINLINE PyObject *call_any(function *f, PyObject *const *values)
{
    return call_in_order(f, values);
}

static PyObject *enter_function(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *kwnames)
{
    function *f = (function *)self;

    if (kwnames == NULL && given == f->count)
        return call_in_order(f, args);
    return core_call_by_name(f, call_any, args, given, kwnames);
}

/* The type knows it by this address only: of a function that is static GCC splits the short way off, so that a
 * call with keywords does not save registers that it has no use for. */
const core_entry core_enter_function = enter_function;
