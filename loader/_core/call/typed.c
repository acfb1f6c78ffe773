/* typed.c: calls of a Function that has floating-point parameters, instances among them, or results by LOADER_OUT. The
 * way is that of function.c; what differs is how the arguments are passed (enter.c), who else may be in there (hold.c),
 * and what the answer is made of (results.c). Functions of a few doubles have a shorter way: doubles.c.
 */
#include "call/arguments.h"
#include "call/enter.h"
#include "call/instance.h"

#define RESULT_ROOM 256 /* bytes of results that need no allocation */

/* ---- Passing ----------------------------------------------------------------------------------------- */

#if defined(_WIN32)

static inline void pass_real(struct arguments *a, size_t place, double bits)
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

static inline void pass_real(struct arguments *a, size_t place, double bits)
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
        } else if (result->kind == KIND_ARROW) {
            core_arrow_room(at);
        }
    }
}

static CORE_INLINE PyObject *call_in_order(function *f, PyObject *const *values)
{
    struct arguments a;
    struct held held;
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
        if ((is_real(p) ? borrow_real(&a, p, values[i]) : borrow(&a, p, values[i], p->place)) < 0) {
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
    if (f->instances > 0 && core_hold(f, &c, values, &a, &held) < 0)
        goto ended;
    if (LOADER_LIKELY(!atomic_load_explicit(&f->owner->unusual, memory_order_relaxed) &&
                      (f->never_blocks || core_only_thread(core_interpreter)))) {
        const core_crumb outer = core_enter(&c, &f->step);
        status = f->reals > 0 ? core_enter_reals(f, &c.call, &a) : core_enter_words(f, &c.call, a.values);
        core_leave(&c, outer);
    } else {
        status = core_enter_slowly(f, &c, &a, f->instances > 0 ? &held : NULL);
    }
    if (c.settle)
        status = core_settle(&c, status);
    result = core_answer(f, &c, status, results);
    if (f->instances > 0)
        core_let_go(&held);
ended:
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

static PyObject *enter_typed(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *kwnames)
{
    function *f = (function *)self;

    if (kwnames == NULL && given == f->count)
        return call_in_order(f, args);
    return core_call_by_name(f, call_any, args, given, kwnames);
}

const core_entry core_enter_typed = enter_typed;
