/* doubles.c: calls of a Function that takes up to four doubles or floats and gives a double, where nothing out of the
 * ordinary is to be done. Such functions do so little that what is around them counts: 85 instructions here, 212 in
 * typed.c, to which every other call goes on.
 *
 * To fill a core_call takes as long as all else here. So a Function has one that is ready: as core_begin leaves it, and
 * as it is again after a call that needed nothing of the host. Who finds it in use (the function came back to itself by
 * a service, or another thread is in it) goes the other way. It is taken and given back with the GIL.
 */
#include "call/ends.h"
#include "call/enter.h"

#define MOST 4 /* numbers */

#if defined(_WIN32) /* where they share registers with what else is passed */

core_entry core_doubles_entry(function *f)
{
    (void)f;
    return NULL;
}

#else

static char no_room[1];

static CORE_NOINLINE PyObject *finish_slowly(function *f, int status)
{
    core_call *const c = &f->ready;
    PyObject *result;

    if (c->settle)
        status = core_settle(c, status);
    result = core_answer(f, c, status, (const char *)&f->number);
    core_end(c);
    core_fill(c, f->owner, no_room, 0);
    f->in_use = false;
    return result;
}

/* A float is in the low half of its register. */
static inline double narrowed(double number)
{
    const float narrow = (float)number;

    number = 0;
    memcpy(&number, &narrow, sizeof narrow);
    return number;
}

/* `count` and `mixed` are constants in each function that this becomes a part of. */
static CORE_INLINE PyObject *call_doubles(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *kwnames,
                                          const Py_ssize_t count, const bool mixed)
{
    function *const f = (function *)self;
    core_call *const c = &f->ready;
    double d[MOST] = {0};
    int status;

    if (!LOADER_LIKELY(kwnames == NULL && given == count && !f->in_use &&
                       !atomic_load_explicit(&f->owner->unusual, memory_order_relaxed) &&
                       (f->never_blocks || core_only_thread(core_interpreter)) && core_is_plain(c)))
        return core_enter_typed(self, args, given, kwnames);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!LOADER_LIKELY(PyFloat_CheckExact(args[i])))
            return core_enter_typed(self, args, given, NULL);
        d[i] = PyFloat_AS_DOUBLE(args[i]);
        if (mixed && (f->floats >> i & 1) != 0)
            d[i] = narrowed(d[i]);
    }
    f->in_use = true;
    f->owner->calls++;
    f->number = 0;
    const core_crumb outer = core_enter(c, &f->step);
    status = core_enter_doubles(f, &c->call, &f->number, d);
    core_leave(c, outer);
    if (!LOADER_LIKELY(status == LOADER_OK && !c->settle && c->error == NULL && c->call.next == no_room))
        return finish_slowly(f, status);
    f->in_use = false;
    return PyFloat_FromDouble(f->number);
}

#define OF(n)                                                                                                \
    static PyObject *doubles_##n(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *kwnames) \
    {                                                                                                        \
        return call_doubles(self, args, given, kwnames, n, false);                                           \
    }                                                                                                        \
    static PyObject *mixed_##n(PyObject *self, PyObject *const *args, Py_ssize_t given, PyObject *kwnames)   \
    {                                                                                                        \
        return call_doubles(self, args, given, kwnames, n, true);                                            \
    }
OF(0)
OF(1)
OF(2)
OF(3)
OF(4)

core_entry core_doubles_entry(function *f)
{
    static const core_entry entries[2][MOST + 1] = {
        {doubles_0, doubles_1, doubles_2, doubles_3, doubles_4},
        {mixed_0, mixed_1, mixed_2, mixed_3, mixed_4},
    };

    if (f->count > MOST || f->count != f->reals || f->result_count != 1 || f->gives != KIND_NONE ||
        f->results[0].kind != KIND_DOUBLE)
        return NULL;
    for (Py_ssize_t i = 0; i < f->count; i++)
        f->floats |= (f->parameters[i].kind == KIND_FLOAT) << i;
    core_fill(&f->ready, f->owner, no_room, 0);
    return entries[f->floats != 0][f->count];
}

#endif
