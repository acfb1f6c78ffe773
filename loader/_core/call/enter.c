/* enter.c: see enter.h.
 *
 * The conventions of System V and AArch64 pass floating-point numbers in registers of their own, in the order in which
 * they stand among themselves. So a function may be called with more of either class than it has: it does not look at
 * what is beyond. Windows counts registers of both classes together.
 */
#include "call/enter.h"
#include "remote/remote.h"

typedef uintptr_t W;
typedef double D;

#if defined(_WIN32)

static inline D real(W bits)
{
    D value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The first argument is the call, three more are in registers, the rest on the stack, where the class does not
 * matter. */
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

#endif

static int enter(const function *f, core_call *c, const struct arguments *a)
{
    const core_crumb outer = core_enter(c, &f->step);
    const int status = f->reals > 0 ? core_enter_reals(f, &c->call, a) : core_enter_words(f, &c->call, a->values);

    core_leave(c, outer);
    return status;
}

int core_enter_slowly(function *f, core_call *c, const struct arguments *a, const struct held *held)
{
    PyObject *token = f->owner->watch == NULL ? NULL : core_watch_before(c, f->step.name);
    int status;

    if (c->interrupted)
        return CORE_NOT_CALLED;
    if (f->owner->remote != NULL) {
        status = core_remote_enter(f, c, a, held);
    } else {
        /* Asked now, and not when the call began: a watch is Python code, which may start a thread. */
        if (c->thread == NULL && !core_keeps(f->owner, f->never_blocks, core_interpreter))
            core_release(c);
        status = enter(f, c, a);
    }
    const int after = token == NULL ? status : core_watch_after(c, f->step.name, token, status);
    return f->result_count > 0 && status == LOADER_OK && after != LOADER_OK ? CORE_REFUSED : after;
}
