/* tables.c: functions of the host's tables, its services and interfaces, as a plugin in a worker calls them.
 *
 * A table that a plugin gets here lies in the arena: its functions are the thunks below, one for each place in a table,
 * and what stands right before it says which of the host's tables it is for, and how what is passed crosses.
 */
#define _GNU_SOURCE
#include "worker/worker.h"

struct passed {
    uint64_t words[WIRE_WORDS];
    double reals[WIRE_REALS];
};

static bool is_pointer(const struct wire_value *how)
{
    return how->kind != 'i' && how->kind != 'f' && how->kind != 'd';
}

static uint64_t size_of(const struct wire_value *how)
{
    return how->kind == 's' || !is_pointer(how) ? how->size : sizeof(loader_text);
}

/* What a result holds before it is set: a function of the host's may read it. */
static uint64_t put_result(struct wire_arena *arena, const struct wire_value *how, uint64_t at)
{
    char *const room = at == 0 ? NULL : wire_room(arena, size_of(how));

    if (room == NULL)
        return 0;
    memcpy(room, (const void *)(uintptr_t)at, size_of(how));
    return (uint64_t)(uintptr_t)room;
}

static bool put_arguments(struct lane *lane, const struct wire_plan *plan, const struct passed *passed)
{
    struct wire_arena arena = {(char *)lane->shared, 0, lane->top, lane->arena_end, false, wire_apart(lane->shared)};
    struct wire_message *const message = &lane->shared->up.message;

    for (uint32_t i = 0; i < plan->count; i++) { /* registers that are no parameters are nobody's to know */
        const struct wire_value *const how = &plan->values[i];
        const uint64_t word = passed->words[how->place];
        if (how->kind == 'f' || how->kind == 'd')
            message->reals[how->place] = passed->reals[how->place];
        else if (is_pointer(how))
            message->words[how->place] = wire_put(&arena, how, wire_texts(plan), (const void *)(uintptr_t)word);
        else
            message->words[how->place] = word;
    }
    for (uint32_t i = plan->count; i < plan->count + plan->result_count; i++) {
        const struct wire_value *const how = &plan->values[i];
        message->words[how->place] = put_result(&arena, how, passed->words[how->place]);
    }
    if (arena.top > arena.end)
        return false;
    lane->top = arena.top;
    return true;
}

/* The host has put them into the arena, and says where. */
static void take_results(const struct lane *lane, const struct wire_plan *plan, const struct passed *passed)
{
    const struct wire_message *const answer = &lane->shared->down.message;

    for (uint32_t i = 0; i < plan->result_count; i++) {
        const struct wire_value *const how = &plan->values[plan->count + i];
        memcpy((void *)(uintptr_t)passed->words[how->place], (const void *)(uintptr_t)answer->words[how->place],
               size_of(how));
    }
}

static int call_back(loader_call *call, const void *self, uint32_t place, const struct passed *passed)
{
    static const char no_service[] = "this is not the table of a service that the host lent";
    static const char no_memory[] = "there is no memory for the arguments of a service";
    struct called *const called = (struct called *)call;
    struct lane *const lane = called->lane;
    const uint64_t at = (uint64_t)((const char *)self - (char *)lane->shared);
    struct wire_message *const up = &lane->shared->up.message;
    const struct wire_message *const down = &lane->shared->down.message;
    const struct wire_table *table;
    const struct wire_plan *plan;

    if (!called_on_thread(called)) /* and no error text: to set one here would race with the call's own thread */
        return LOADER_INVALID;
    table = (const struct wire_table *)(uintptr_t)((uintptr_t)self - offsetof(struct wire_table, table));
    if (at < WIRE_HEAD || at >= lane->arena_end || table->plans[place] == 0) {
        called_fail(called, no_service, sizeof no_service - 1);
        return LOADER_INVALID;
    }
    plan = (const struct wire_plan *)(uintptr_t)table->plans[place];
    if (!put_arguments(lane, plan, passed)) {
        called_fail(called, no_memory, sizeof no_memory - 1);
        return LOADER_NO_MEMORY;
    }
    up->kind = WIRE_CALLBACK;
    up->function = table->number;
    up->place = place;
    up->output = (uint64_t)(call->next - (char *)lane->shared);
    serve_ask(lane);
    if (down->status != LOADER_OK) {
        const int status = down->status;
        called_fail(called, lane_at(lane, down->text), down->text_size);
        return status;
    }
    take_results(lane, plan, passed);
    return down->text_size == 0 ? LOADER_OK : loader_write(call, lane_at(lane, down->text), down->text_size);
}

/* A thunk reads as many arguments as any function of a table may have. Those that its caller did not pass are whatever
 * is in those registers and stack slots, and nobody looks at them. */
#define THUNK(n)                                                                                                \
    static int thunk_##n(loader_call *call, const void *self, uint64_t a, uint64_t b, uint64_t c, uint64_t d,   \
                         uint64_t e, uint64_t f, uint64_t g, uint64_t h, double i, double j, double k, double l, \
                         double m, double o, double p, double q)                                                \
    {                                                                                                           \
        const struct passed passed = {{a, b, c, d, e, f, g, h}, {i, j, k, l, m, o, p, q}};                      \
        return call_back(call, self, n, &passed);                                                               \
    }
#define ADDRESS(n) (void *)thunk_##n,
#define EIGHT(X, d) X(d##0) X(d##1) X(d##2) X(d##3) X(d##4) X(d##5) X(d##6) X(d##7)
/* Octal numbers: thunk_00 to thunk_037. */
#define ALL(X) EIGHT(X, 0) EIGHT(X, 01) EIGHT(X, 02) EIGHT(X, 03)
ALL(THUNK)
void *const tables_thunks[WIRE_THUNKS] = {ALL(ADDRESS)};
