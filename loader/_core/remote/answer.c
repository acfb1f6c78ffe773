/* answer.c: what comes back of a call to a worker: log lines, results, what it changed in place. Nothing is believed.
 */
#include "remote/crossing.h"

#ifdef CORE_REMOTE

void core_take_changed(const struct taking *taking, const struct sending *sending)
{
    for (int i = 0; i < sending->changed_count; i++) {
        const struct changed *const changed = &sending->changed[i];
        loader_text array;
        if (changed->how->kind == KIND_TENSOR) {
            take_tensor(taking, changed->value, changed->offset);
            continue;
        }
        memcpy(&array, changed->value, sizeof array);
        if (array.size != 0) /* as much as was put there */
            memcpy((void *)(uintptr_t)array.data, taking->lane + changed->offset, array.size * changed->how->size);
    }
}

/* An array that is nowhere in the lane: results.c says that it is in no memory that the plugin was given. */
static bool is_lost_array(const struct taking *taking, const struct wire_value *how, void *memory)
{
    loader_text array;

    if (how->kind != KIND_NUMBERS && how->kind != KIND_LIST)
        return false;
    memcpy(&array, memory, sizeof array);
    if (array.size == 0 || (uint64_t)(uintptr_t)array.data - taking->base < taking->size)
        return false;
    array.data = (const char *)(uintptr_t)16;
    memcpy(memory, &array, sizeof array);
    return true;
}

enum { MOST_WORDS = 200 };

/* What the worker says is wrong with a result. It lives as long as the call. */
static const char *take_words(struct taking *taking, const char *address)
{
    char *const words = taking->room(taking->owner, MOST_WORDS);
    size_t size = 0;

    if (words == NULL)
        return "is wrong";
    while (size < MOST_WORDS - 1 && take_bytes(taking, (uint64_t)(uintptr_t)address + size, 1, words + size) &&
           words[size] != '\0')
        size++;
    words[size] = '\0';
    return words;
}

/* `at`: what the worker has there, which becomes what a plugin of this process would have there. */
static void take_arrow_result(struct taking *taking, char *at)
{
    struct wire_arrow *const room = (struct wire_arrow *)(void *)at;
    const struct wire_arrow given = *room;

    core_arrow_room(at);
    if (given.wrong != NULL) {
        room->wrong = take_words(taking, given.wrong);
        return;
    }
    room->schema = given.schema;
    room->array = given.array;
    room->wrong = take_arrow(taking, &room->schema, &room->array);
}

static bool take_results(struct taking *taking, const function *f, const struct arguments *a,
                         const struct sending *sending)
{
    char *const room = (char *)a->values[f->results[0].place];

    if (!take_bytes(taking, taking->base + sending->results, f->result_size, room))
        return false;
    for (int i = 0; i < f->result_count; i++)
        if (f->results[i].kind == KIND_ARROW)
            take_arrow_result(taking, room + f->results[i].offset);
    for (int i = 0; i < f->result_count; i++) {
        const struct wire_value *const how = &f->plan->values[f->count + i];
        char *const at = room + f->results[i].offset;
        if (!is_lost_array(taking, how, at) && !take_followed(taking, how, wire_texts(f->plan), at))
            return false;
    }
    return true;
}

static void *result_room(void *owner, size_t size)
{
    return core_host_alloc(owner, size);
}

static void note_line(void *owner, int32_t level, const char *text, uint32_t size)
{
    core_host_log(owner, level, text, size);
}

/* Lines that the plugin has logged up to now. */
void core_take_log(core_call *c, const struct host_lane *lane)
{
    const uint64_t lost = take_lines((const struct wire_log *)(const void *)((const char *)lane->shared + WIRE_HEAD),
                                     note_line, &c->call);

    if (lost != 0) {
        c->settle = true;
        c->lines_lost += (size_t)lost;
    }
}

/* Long output goes into the result itself, which is made now that its size is known. */
static void make_room(core_call *c, const function *f, uint64_t size)
{
    const bool away = c->thread != NULL;

    if (c->room != CORE_BORROWED || c->call.next != c->begin || size <= STACK_ROOM || size > c->max_output ||
        f->gives == KIND_NONE)
        return;
    core_acquire(c);
    if (core_use_result(c, (size_t)size, f->gives == KIND_BYTES) < 0)
        PyErr_Clear(); /* without memory for that there is none for it elsewhere either: loader_write says so */
    if (away)
        core_release(c);
}

int core_take_answer(struct crossing *crossing, const function *f, const struct arguments *a,
                       const struct sending *sending, const struct wire_message *up, bool *right)
{
    struct host_lane *const lane = crossing->lane;
    core_call *const c = crossing->c;
    struct taking taking = {.lane = (const char *)lane->shared, .size = lane->size, .base = lane->base,
                            .budget = lane->size, .room = result_room, .owner = &c->call};
    const uint64_t begin = sending->message.output, room = sending->message.room;
    const uint64_t written = up->output - begin;
    int status = up->status, kept = LOADER_OK;

    *right = true;
    core_take_changed(&taking, sending);
    if (up->text_size != 0) {
        char *const text = up->text_size > ((uint64_t)64 << 10) ? NULL : malloc((size_t)up->text_size);
        *right = text != NULL && take_bytes(&taking, taking.base + up->text, up->text_size, text);
        if (*right)
            core_set_error(c, text, (size_t)up->text_size);
        free(text);
    }
    if (up->output < begin || written > room || written > lane->size - begin) {
        c->call.next = c->call.limit + 1; /* core_spoiled says it */
        c->settle = true;
        return status;
    }
    if (up->flags & WIRE_OUTPUT_LOST)
        c->output_lost = c->settle = true;
    make_room(c, f, written);
    if (written >= LOADER_LONG)
        kept = core_host_write(&c->call, taking.lane + begin, (size_t)written);
    else if (written != 0)
        kept = loader_write(&c->call, taking.lane + begin, (size_t)written);
    if (kept != LOADER_OK)
        status = LOADER_NO_MEMORY;
    if (f->result_count > 0 && status == LOADER_OK && *right)
        *right = take_results(&taking, f, a, sending);
    if (!*right && taking.no_memory) {
        *right = true;
        status = LOADER_NO_MEMORY;
    }
    return status;
}

#else
typedef int answer_is_for_linux;
#endif
