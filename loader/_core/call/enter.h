/* enter.h: the plugin's function, called through its address. In line where it is on the hot path; functions with
 * floating-point parameters, and calls that are out of the ordinary: enter.c.
 */
#ifndef LOADER_CORE_ENTER_H
#define LOADER_CORE_ENTER_H

#include "call/arguments.h"

/* Of a function that has parameters of pointer and integer class only. */
static inline int core_enter_words(const function *f, loader_call *call, const uintptr_t *v)
{
    typedef uintptr_t W;
    switch (f->words) {
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

/* Of one that has floating-point parameters. */
int core_enter_reals(const function *f, loader_call *call, const struct arguments *a);

/* A status that no plugin has: its function gave its results, and the watch raised after it. */
enum { CORE_REFUSED = -0x4C4F4145 };

struct held; /* instance.h */

/* Of either, where the GIL is let go, the call is watched or the plugin is in a process of its own. `held`: its
 * instances, or NULL. CORE_NOT_CALLED: an interrupt came before. */
int core_enter_slowly(function *f, core_call *c, const struct arguments *a, const struct held *held);

/* Of one that has up to four doubles and one as its result. Not on Windows, where they share registers with that. */
static inline int core_enter_doubles(const function *f, loader_call *call, double *result, const double *d)
{
    return ((int (*)(loader_call *, double *, double, double, double, double))f->address)(call, result, d[0], d[1],
                                                                                         d[2], d[3]);
}

#endif /* LOADER_CORE_ENTER_H */
