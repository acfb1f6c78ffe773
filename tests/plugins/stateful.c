/* stateful.c: see stateful.h. Counts what is alive, so that tests see what was freed, and how often. */
#define _GNU_SOURCE /* usleep */
#include "stateful.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_llong alive, moved;

struct counter {
    int64_t total;
    stateful_mode mode;
    atomic_int inside;
    pthread_t maker;
};

struct hub {
    atomic_int inside;
};

int visit(loader_call *call, const loader_texts *words, const stateful_visitor *visitor, int64_t *weight)
{
    for (size_t i = 0; i < words->size; i++) {
        int64_t one = 0;
        int status = visitor->see(call, visitor, &words->data[i], 1.0 / (double)words->size, &one);
        if (status != LOADER_OK)
            return status;
        *weight += one;
    }
    return LOADER_OK;
}

int locate(loader_call *call, const stateful_point_list *points, const stateful_visitor *visitor, stateful_point *centre)
{
    return visitor->place(call, visitor, points, STATEFUL_NOISY, centre);
}

int walk(loader_call *call, int64_t count, const stateful_step *step)
{
    for (int64_t i = 0; i < count; i++) {
        int status = step->at(call, step, (double)i / (double)count);
        if (status != LOADER_OK)
            return status;
        if (loader_write_string(call, ".") != LOADER_OK)
            return LOADER_NO_MEMORY;
    }
    return LOADER_OK;
}

static counter *made(int64_t start)
{
    counter *self = (counter *)calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->total = start;
    self->maker = pthread_self();
    alive++;
    return self;
}

int counter_new(loader_call *call, int64_t start, stateful_mode mode, counter **out)
{
    if (start < 0)
        return loader_fail_with(call, LOADER_INVALID, "below 0", 7);
    *out = made(start);
    if (*out == NULL)
        return LOADER_NO_MEMORY;
    (*out)->mode = mode;
    return LOADER_OK;
}

int counter_add(loader_call *call, counter *self, int64_t more, int64_t *total)
{
    (void)call;
    *total = self->total += more;
    return LOADER_OK;
}

int counter_name(loader_call *call, const counter *self)
{
    return loader_printf(call, "counter %d%s", (int)self->total, self->mode == STATEFUL_NOISY ? "!" : "");
}

int counter_next(loader_call *call, counter *self, int64_t *value)
{
    if (self->total == 13)
        return loader_fail(call, "thirteen");
    if (self->total <= 0)
        return LOADER_DONE;
    *value = self->total--;
    return LOADER_OK;
}

int counter_during(loader_call *call, counter *self, const stateful_step *step)
{
    (void)self;
    return step->at(call, step, 0.5);
}

int counter_spin(loader_call *call, counter *self, int64_t rounds, int64_t *overlaps)
{
    for (int64_t i = 0; i < rounds; i++) {
        if (atomic_fetch_add(&self->inside, 1) != 0)
            ++*overlaps;
        for (volatile int j = 0; j < 100; j++)
            ;
        atomic_fetch_sub(&self->inside, 1);
        if ((i & 1023) == 0 && loader_cancelled(call) != 0)
            return loader_cancelled(call);
    }
    return LOADER_OK;
}

int counter_clone(loader_call *call, const counter *self, counter **copy)
{
    return counter_new(call, self->total, self->mode, copy);
}

int counter_pair(loader_call *call, counter **one, counter **two)
{
    (void)call;
    *one = made(1);
    *two = made(2);
    return *one == NULL || *two == NULL ? LOADER_NO_MEMORY : LOADER_OK;
}

#ifndef WITHOUT_FREE
void counter_free(counter *self)
{
#ifdef SLOW_FREE
    usleep(300000);
#endif
    moved += !pthread_equal(self->maker, pthread_self());
    alive--;
    free(self);
}
#endif

int merge(loader_call *call, counter *a, const counter *b, int64_t *total)
{
    (void)call;
    *total = a->total + b->total;
    return LOADER_OK;
}

int unset(loader_call *call, counter **out)
{
    (void)call;
    (void)out;
    return LOADER_OK;
}

int spoil(loader_call *call, int64_t how, counter **out, stateful_mode *mode)
{
    const int fails = how == 1;
    if (!fails) /* who fails keeps what is its own */
        *out = made(0);
    *mode = how == 0 ? (stateful_mode)77 : STATEFUL_PLAIN;
    if (how == 2)
        return loader_write(call, "\xff", 1);
    return fails ? loader_fail(call, "failed") : LOADER_OK;
}

int done(loader_call *call)
{
    (void)call;
    return LOADER_DONE;
}

int living(loader_call *call, int64_t *count, int64_t *elsewhere)
{
    (void)call;
    *count = alive;
    *elsewhere = moved;
    return LOADER_OK;
}

int hub_new(loader_call *call, hub **out)
{
    (void)call;
    *out = (hub *)calloc(1, sizeof **out);
    if (*out == NULL)
        return LOADER_NO_MEMORY;
    alive++;
    return LOADER_OK;
}

int hub_during(loader_call *call, hub *self, const stateful_step *step)
{
    int now = atomic_fetch_add(&self->inside, 1) + 1, status = step->at(call, step, now);
    atomic_fetch_sub(&self->inside, 1);
    return status == LOADER_OK ? loader_printf(call, "%d", now) : status;
}

void hub_free(hub *self)
{
    if (atomic_load(&self->inside) != 0)
        abort(); /* somebody is in it */
    alive--;
    free(self);
}
