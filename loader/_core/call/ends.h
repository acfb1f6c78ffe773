/* ends.h: the two ends of every call, inline because they are on the hot path. */
#ifndef LOADER_CORE_ENDS_H
#define LOADER_CORE_ENDS_H

#include "call/internal.h"

/* What a call is when it begins, but for what changes from one call to the next. */
static inline void core_fill(core_call *c, core_owner *owner, char *room, size_t size)
{
    c->call.size = sizeof(loader_call);
    c->call.host = &core_host;
    memset(&c->call.error, 0, sizeof c->call.error);
    c->call.next = c->begin = room;
    c->call.limit = room + size;
    c->owner = owner;
    c->max_output = owner->max_output;
    c->ascii_end = 0;
    c->blocks = NULL;
    /* 80 bytes, in five stores. GCC would make a loop of more than that, which takes longer than one store for each. */
    memset((char *)c + offsetof(core_call, result), 0, sizeof *c - offsetof(core_call, result));
}

/* The rest of it. Whether the call may go on as it is: there is nothing for core_begin_slow to do. */
static inline bool core_is_plain(core_call *c)
{
    c->crumb = &core_trail;
    c->signals = atomic_load_explicit(&core_signals_arrived, memory_order_relaxed);
    return core_limits_active == 0 && c->crumb->armed == core_alarm &&
           (c->owner->fork_safe || c->owner->generation == core_generation);
}

static inline int core_begin(core_call *c, core_owner *owner, char *room, size_t size)
{
    core_fill(c, owner, room, size);
    owner->calls++;
    return LOADER_LIKELY(core_is_plain(c)) ? 0 : core_begin_slow(c);
}

static inline void core_end(core_call *c)
{
    if (c->room != CORE_BORROWED || c->settle || c->error != NULL || c->limit != NULL)
        core_end_slow(c);
}

#endif /* LOADER_CORE_ENDS_H */
