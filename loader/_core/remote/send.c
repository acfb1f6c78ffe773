/* send.c: the arguments of a call copied into a worker's lane, with room for its results. */
#include "remote/crossing.h"

#ifdef CORE_REMOTE

/* Where its two structs are in the worker. */
static void relocate(struct wire_arrow *room, uint64_t address)
{
    room->given.schema = (struct ArrowSchema *)(uintptr_t)(address + offsetof(struct wire_arrow, schema));
    room->given.array = (struct ArrowArray *)(uintptr_t)(address + offsetof(struct wire_arrow, array));
}

/* The data of an array, bytes or a tensor in one piece, and how many bytes it has; NULL: it has none such. */
static const void *data_of(const struct wire_value *how, uintptr_t word, uint64_t *size)
{
    loader_text array;

    if (how->kind == KIND_TENSOR) {
        const loader_tensor *const tensor = (const loader_tensor *)word;
        int64_t count = 1;
        for (int32_t i = tensor->ndim; i > 0; i--) {
            if (tensor->strides[i - 1] != count && tensor->shape[i - 1] > 1)
                return NULL;
            count *= tensor->shape[i - 1];
        }
        *size = (uint64_t)count * (tensor->bits / 8) * tensor->lanes;
        return (const char *)tensor->data + tensor->byte_offset;
    }
    if (how->kind != KIND_NUMBERS && how->kind != KIND_BYTES)
        return NULL;
    memcpy(&array, (const void *)word, sizeof array);
    *size = array.size * (how->kind == KIND_NUMBERS ? how->size : 1);
    return array.data;
}

/* Finds what lies in memory that the worker has too. GIL held; it may be let go. */
void core_find_shared(core_worker *worker, const function *f, const struct arguments *a, struct sending *sending)
{
    for (Py_ssize_t i = 0; i < f->count; i++) {
        const struct wire_value *const how = &f->plan->values[i];
        uint64_t size = 0;
        const void *const data = is_real(&f->parameters[i]) ? NULL : data_of(how, a->values[how->place], &size);
        sending->there[i] = data == NULL ? 0 : core_shared_there(worker, data, size);
    }
}

/* The same value, with its data where the worker has that. */
static uint64_t put_shared(struct wire_arena *arena, const struct wire_value *how, uintptr_t word, uint64_t there)
{
    const size_t size = how->kind == KIND_TENSOR ? sizeof(loader_tensor) : sizeof(loader_text);
    char *const room = wire_room(arena, size);
    loader_tensor tensor;
    loader_text array;

    if (room == NULL)
        return 0;
    if (how->kind == KIND_TENSOR) {
        memcpy(&tensor, (const void *)word, sizeof tensor);
        const size_t places = (size_t)tensor.ndim * sizeof(int64_t);
        char *const both = wire_room(arena, 2 * places);
        if (both == NULL)
            return 0;
        memcpy(both, tensor.shape, places);
        memcpy(both + places, tensor.strides, places);
        tensor.shape = (const int64_t *)(uintptr_t)((uint64_t)(uintptr_t)both + arena->shift);
        tensor.strides = (const int64_t *)(uintptr_t)((uint64_t)(uintptr_t)both + places + arena->shift);
        tensor.data = (void *)(uintptr_t)there;
        tensor.byte_offset = 0;
        memcpy(room, &tensor, sizeof tensor);
    } else {
        memcpy(&array, (const void *)word, sizeof array);
        array.data = (const char *)(uintptr_t)there;
        memcpy(room, &array, sizeof array);
    }
    return (uint64_t)(uintptr_t)room + arena->shift;
}

static uint64_t put_arrow(const struct crossing *crossing, struct wire_arena *arena, const struct parameter *parameter,
                          const void *value, struct sending *sending)
{
    struct wire_arrow *const room = wire_room(arena, sizeof *room);
    loader_arrow lent;
    const char *why;

    if (room == NULL)
        return 0;
    memcpy(&lent, value, sizeof lent);
    memset(room, 0, sizeof *room);
    why = wire_put_arrow(arena, crossing->lane->worker->thunks + WIRE_THUNKS, &lent, &room->schema, &room->array);
    if (why != NULL) {
        sending->why = why;
        sending->refused = parameter->name;
    }
    relocate(room, (uint64_t)(uintptr_t)room + arena->shift);
    return (uint64_t)(uintptr_t)room + arena->shift;
}

static void put_one(struct crossing *crossing, struct wire_arena *arena, const function *f, Py_ssize_t i,
                    const struct arguments *a, struct sending *sending)
{
    const struct wire_value *const how = &f->plan->values[i];
    const uintptr_t word = is_real(&f->parameters[i]) ? 0 : a->values[how->place];
    uint64_t *const there = &sending->message.words[how->place];

    switch (how->kind) {
    case KIND_FLOAT:
    case KIND_DOUBLE: sending->message.reals[how->place] = a->reals[how->place]; break;
    case KIND_INTEGER:
    case KIND_INSTANCE: *there = word; break;
    case KIND_ARROW:
        *there = put_arrow(crossing, arena, &f->parameters[i], (const void *)word, sending);
        break;
    case KIND_INTERFACE:
        crossing->top = arena->top;
        *there = core_offer(crossing, (const struct native_table *)word,
                            (const core_table *)(const void *)f->parameters[i].layout);
        arena->top = *there == 0 ? arena->end + 1 : crossing->top;
        break;
    default:
        if (sending->there[i] != 0) {
            *there = put_shared(arena, how, word, sending->there[i]);
            break;
        }
        if (how->writable) { /* its data comes right behind it */
            const uint64_t size = how->kind == KIND_TENSOR ? sizeof(loader_tensor) : sizeof(loader_text);
            sending->changed[sending->changed_count++] =
                (struct changed){how, (const void *)word, rounded(rounded(arena->top) + size)};
        }
        *there = wire_put(arena, how, wire_texts(f->plan), (const void *)word);
    }
}

/* The results' room is as the caller made it: all 0, with the sizes of structs. */
static void put_results(struct wire_arena *arena, const function *f, const struct arguments *a,
                        struct sending *sending, uint64_t base)
{
    const char *const first = (const char *)a->values[f->results[0].place];
    char *const room = wire_room(arena, f->result_size), *plan;

    if (room == NULL)
        return;
    memcpy(room, first, f->result_size);
    sending->results = (uint64_t)(room - arena->base);
    for (int i = 0; i < f->result_count; i++) {
        const uint64_t address = base + sending->results + f->results[i].offset;
        sending->message.words[f->results[i].place] = address;
        if (f->results[i].kind == KIND_ARROW)
            relocate((struct wire_arrow *)(void *)(room + f->results[i].offset), address);
    }
    plan = wire_room(arena, f->plan->size);
    if (plan == NULL)
        return;
    memcpy(plan, f->plan, f->plan->size);
    sending->message.plan = base + (uint64_t)(plan - arena->base);
}

/* False: there is no room for them in the lane. */
bool core_put_arguments(struct crossing *crossing, const function *f, const struct arguments *a,
                          struct sending *sending)
{
    struct host_lane *const lane = crossing->lane;
    struct wire_arena arena = {(char *)lane->shared, lane->base - (uint64_t)(uintptr_t)lane->shared, crossing->top,
                               lane->size / 2, false, wire_apart(lane->shared)};

    for (Py_ssize_t i = 0; i < f->count; i++)
        put_one(crossing, &arena, f, i, a, sending);
    if (f->result_count > 0)
        put_results(&arena, f, a, sending, lane->base);
    crossing->top = arena.top;
    return arena.top <= arena.end;
}

#else
typedef int send_is_for_linux;
#endif
