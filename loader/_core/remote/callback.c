/* callback.c: what a plugin in a worker asks of its host in the middle of a call: a service, a function of a service or
 * interface, the path of its file. It runs on the thread of the call, as it would if the plugin were in this process:
 * the table's own function is called, of Python (service.c) or of C, with copies of what the plugin passed.
 */
#include "remote/remote.h"

#ifdef CORE_REMOTE

enum { MOST_ID = 4096 };

/* Memory of one callback. */
struct scratch {
    struct piece *first;
};
struct piece {
    struct piece *next;
    alignas(16) char memory[];
};

static void *scratch_room(void *owner, size_t size)
{
    struct scratch *const scratch = owner;
    struct piece *const piece = PyMem_RawCalloc(1, sizeof *piece + size + 1);

    if (piece == NULL)
        return NULL;
    piece->next = scratch->first;
    scratch->first = piece;
    return piece->memory;
}

static void drop_scratch(struct scratch *scratch)
{
    while (scratch->first != NULL) {
        struct piece *const next = scratch->first->next;
        PyMem_RawFree(scratch->first);
        scratch->first = next;
    }
}

/* What is put for the worker goes on behind what is there. */
static struct wire_arena arena_of(const struct crossing *crossing)
{
    const struct host_lane *const lane = crossing->lane;

    return (struct wire_arena){(char *)lane->shared, lane->base - (uint64_t)(uintptr_t)lane->shared, crossing->top,
                               lane->size / 2, false, wire_apart(lane->shared)};
}

static uint64_t put(struct crossing *crossing, const void *data, size_t size)
{
    struct wire_arena arena = arena_of(crossing);
    char *const room = wire_room(&arena, size);

    if (room == NULL)
        return 0;
    if (size != 0)
        memcpy(room, data, size);
    crossing->top = arena.top;
    return (uint64_t)(room - (char *)crossing->lane->shared);
}

/* ---- Tables ------------------------------------------------------------------------------------------ */

uint64_t core_offer(struct crossing *crossing, const struct native_table *table, const core_table *shape)
{
    const struct host_lane *const lane = crossing->lane;
    struct wire_table there;
    uint64_t at;

    for (int i = 0; i < crossing->offered_count; i++)
        if (crossing->offered[i].table == table)
            return crossing->offered[i].address;
    if (crossing->offered_count == MOST_OFFERED)
        return 0;
    memset(&there, 0, sizeof there);
    there.number = (uint64_t)crossing->offered_count;
    there.table.size = sizeof there.table.size + (uint64_t)shape->count * sizeof there.table.functions[0];
    for (int i = 0; i < WIRE_THUNKS; i++) /* also those that it has not: who calls one is told */
        there.table.functions[i] = lane->worker->thunks[i];
    for (Py_ssize_t i = 0; i < shape->count; i++) {
        const struct wire_plan *const plan = shape->functions[i].plan;
        at = plan == NULL ? 0 : put(crossing, plan, plan->size);
        if (at == 0)
            return 0;
        there.plans[i] = lane->base + at;
    }
    at = put(crossing, &there, sizeof there);
    if (at == 0)
        return 0;
    at += lane->base + offsetof(struct wire_table, table);
    crossing->offered[crossing->offered_count++] = (struct offered){table, shape, at};
    return at;
}

static bool find_service(struct crossing *crossing, const struct wire_message *asked, struct wire_message *answer)
{
    const core_services *const services = crossing->c->owner->services;
    struct host_lane *const lane = crossing->lane;
    struct taking taking = {.lane = (const char *)lane->shared, .size = lane->size, .base = 0, .budget = MOST_ID};
    const core_table *shape;
    const void *table;
    char id[MOST_ID];

    answer->function = 0;
    if (asked->text_size > MOST_ID)
        return true; /* there is none of such a name */
    if (!take_bytes(&taking, asked->text, asked->text_size, id))
        return false;
    table = crossing->c->call.host->service(&crossing->c->call, id, (size_t)asked->text_size);
    shape = table == NULL || services == NULL ? NULL : core_services_shape(services, table);
    if (shape != NULL)
        answer->function = core_offer(crossing, table, shape);
    return true;
}

/* ---- A function of one --------------------------------------------------------------------------------- */

/* Room for a result, and what the plugin had in it, but no pointers. */
static void *take_result(struct taking *taking, const struct wire_value *how, const uint32_t *texts, uint64_t address)
{
    char *const room = taking->room(taking->owner, how->size < 16 ? 16 : how->size);

    if (room == NULL)
        taking->no_memory = true;
    else if (how->kind != KIND_STRUCT && how->kind != 'i' && how->kind != 'f' && how->kind != 'd')
        return room;
    else if (!take_bytes(taking, address, how->size, room))
        return NULL;
    for (uint32_t i = 0; room != NULL && i < how->text_count; i++)
        memset(room + texts[how->texts + i], 0, sizeof(loader_text));
    return room;
}

/* Sets what it is called with. False: it cannot be what the plugin passed. */
static bool take_arguments(struct taking *taking, const struct wire_plan *plan, const struct wire_message *asked,
                           struct passed *passed)
{
    memcpy(passed->words, asked->words, sizeof passed->words);
    memcpy(passed->reals, asked->reals, sizeof passed->reals);
    for (uint32_t i = 0; i < plan->count + plan->result_count; i++) {
        const struct wire_value *const how = &plan->values[i];
        void *value = NULL;
        if (i < plan->count && (how->kind == 'i' || how->kind == 'f' || how->kind == 'd'))
            continue;
        if (asked->words[how->place] == 0) /* the plugin passed NULL */
            continue;
        if (i < plan->count) {
            value = take_value(taking, how, wire_texts(plan), asked->words[how->place]);
        } else {
            value = take_result(taking, how, wire_texts(plan), asked->words[how->place]);
        }
        if (value == NULL)
            return false;
        passed->words[how->place] = (uintptr_t)value;
    }
    return true;
}

/* Puts what it gave into the arena. False: there is no room. */
static bool give_results(struct crossing *crossing, const struct wire_plan *plan, const struct passed *passed,
                         struct wire_message *answer)
{
    for (uint32_t i = plan->count; i < plan->count + plan->result_count; i++) {
        const struct wire_value *const how = &plan->values[i];
        const void *const value = (const void *)passed->words[how->place];
        if (value == NULL)
            continue;
        if (how->kind == 'i' || how->kind == 'f' || how->kind == 'd') {
            const uint64_t at = put(crossing, value, how->size);
            answer->words[how->place] = at == 0 ? 0 : at + crossing->lane->base;
        } else {
            struct wire_arena arena = arena_of(crossing);
            answer->words[how->place] = wire_put(&arena, how, wire_texts(plan), value);
            if (arena.top <= arena.end)
                crossing->top = arena.top;
        }
        if (answer->words[how->place] == 0)
            return false;
    }
    return true;
}

static int enter(const struct offered *offered, core_call *c, uint32_t place, const struct passed *p)
{
    const uintptr_t *const v = p->words;
    const double *const d = p->reals;

    return offered->table->functions[place](&c->call, offered->table, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7],
                                            d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
}

/* What it wrote to the call's output belongs behind what the plugin wrote, which is in the lane. */
static bool move_output(struct crossing *crossing, size_t before, struct wire_message *answer)
{
    core_call *const c = crossing->c;
    const size_t written = (size_t)(c->call.next - c->begin) - before;

    answer->text_size = written;
    if (written == 0)
        return true;
    answer->text = put(crossing, c->begin + before, written);
    c->call.next = c->begin + before;
    return answer->text != 0;
}

static bool call_function(struct crossing *crossing, const struct wire_message *asked, struct wire_message *answer)
{
    static const char no_memory[] = "there is no memory for what a service was given, or gave";
    struct host_lane *const lane = crossing->lane;
    core_call *const c = crossing->c;
    struct scratch scratch = {NULL};
    struct taking taking = {.lane = (const char *)lane->shared, .size = lane->size, .base = lane->base,
                            .budget = lane->size, .room = scratch_room, .owner = &scratch};
    const size_t before = (size_t)(c->call.next - c->begin);
    const struct wire_plan *plan;
    struct passed passed;
    bool right, room = true;

    if (asked->function >= (uint64_t)crossing->offered_count)
        return false;
    const struct offered offered = crossing->offered[asked->function];
    if (asked->place >= (uint64_t)offered.shape->count)
        return false;
    plan = offered.shape->functions[asked->place].plan;
    right = take_arguments(&taking, plan, asked, &passed);
    if (right) {
        answer->status = enter(&offered, c, asked->place, &passed);
        if (lane->worker->generation != core_generation) { /* it has forked: here the lane is not mapped */
            drop_scratch(&scratch);
            return false;
        }
        room = move_output(crossing, before, answer) &&
               (answer->status != LOADER_OK || give_results(crossing, plan, &passed, answer));
    }
    drop_scratch(&scratch);
    if (taking.no_memory || !room) {
        core_set_error(c, no_memory, sizeof no_memory - 1);
        answer->status = LOADER_NO_MEMORY;
    } else if (!right) {
        return false;
    }
    if (answer->status != LOADER_OK) {
        answer->text = put(crossing, c->call.error.data, c->call.error.size);
        answer->text_size = answer->text == 0 ? 0 : c->call.error.size;
    }
    return true;
}

bool core_callback(struct crossing *crossing, const struct wire_message *asked)
{
    struct wire_message *const answer = &crossing->lane->shared->down.message;
    struct wire_message made = {.kind = WIRE_RETURN, .status = LOADER_OK};
    bool right = true;

    switch (asked->kind) {
    case WIRE_SERVICE: right = find_service(crossing, asked, &made); break;
    case WIRE_CALLBACK: right = call_function(crossing, asked, &made); break;
    case WIRE_PATH: {
        const loader_text path = crossing->c->call.host->path(&crossing->c->call);
        made.text = put(crossing, path.data, path.size);
        made.text_size = made.text == 0 ? 0 : path.size;
        break;
    }
    default: return false;
    }
    made.top = crossing->top;
    if (right)
        wire_say(answer, &made);
    return right;
}

#else
typedef int callback_is_for_linux;
#endif
