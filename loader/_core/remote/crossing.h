/* crossing.h: what the files of a call to a worker share: cross.c, the call; send.c, into its lane; answer.c, out of it.
 */
#ifndef LOADER_CORE_CROSSING_H
#define LOADER_CORE_CROSSING_H

#include "remote/remote.h"

#include "call/arguments.h"

#ifdef CORE_REMOTE
#  include "remote/take_arrow.h"

/* An argument that the plugin changes in place: where it is here, and there. */
struct changed {
    const struct wire_value *how;
    const void *value; /* a loader_text of it, or a tensor */
    uint64_t offset;   /* of its first byte */
};

/* What is sent, and what is known of it until the answer comes. */
struct sending {
    uint64_t there[MAX_PARAMETERS]; /* by parameter: the address in the worker of memory that both share, or 0 */
    struct wire_message message;
    struct changed changed[MAX_WORDS];
    int changed_count;
    uint64_t results; /* offset of the room for results */
    const char *why;  /* an Arrow array cannot cross: that of this parameter */
    PyObject *refused; /* borrowed */
};

static inline uint64_t rounded(uint64_t offset)
{
    return (offset + 15) & ~UINT64_C(15);
}

/* ---- send.c ---- */
/* Finds what lies in memory that the worker has too. GIL held; it may be let go. */
void core_find_shared(core_worker *worker, const function *f, const struct arguments *a, struct sending *sending);
/* False: there is no room for them in the lane, or sending->why. */
bool core_put_arguments(struct crossing *crossing, const function *f, const struct arguments *a,
                        struct sending *sending);

/* ---- answer.c ---- */
void core_take_changed(const struct taking *taking, const struct sending *sending);
void core_take_log(core_call *c, const struct host_lane *lane); /* lines that the plugin has logged up to now */
/* The plugin's status. *right false: it cannot be an answer. */
int core_take_answer(struct crossing *crossing, const function *f, const struct arguments *a,
                     const struct sending *sending, const struct wire_message *up, bool *right);

#endif /* CORE_REMOTE */
#endif /* LOADER_CORE_CROSSING_H */
