/* called.c: one call of a plugin's function: its context, what it may ask of the host, and its answer.
 *
 * What the caller of the same process has in call.c, output.c, array.c and log.c is short here: room for output and for
 * loader_alloc is there already, in the lane, and whoever reads it at the other end checks it.
 */
#define _GNU_SOURCE
#include "worker/worker.h"

#include <stdlib.h>

enum { ERROR_MOST = 64 << 10 };

/* Memory of loader_alloc: this, then the memory. It lies in the arena. */
struct block {
    struct block *next;
    uint64_t size;
};

/* ---- What a plugin asks of its host -------------------------------------------------------------------- */

bool called_on_thread(const struct called *called)
{
    return pthread_equal(called->lane->thread, pthread_self()) != 0;
}

static int refuse_room(struct called *called, const char *text)
{
    called_fail(called, text, strlen(text));
    called->output_lost = true;
    return LOADER_NO_MEMORY;
}

/* All the room that there is was there from the beginning. */
static int host_grow(loader_call *call, size_t more)
{
    struct called *const called = (struct called *)call;

    if (more <= (size_t)(call->limit - call->next))
        return LOADER_OK;
    if ((uint64_t)(call->next - called->begin) + more > called->room)
        return refuse_room(called, "its output is longer than the host allows");
    return refuse_room(called, "there is no memory for its output");
}

static int host_write(loader_call *call, const void *data, size_t size)
{
    char *const room = loader_reserve(call, size);

    if (room == NULL)
        return LOADER_NO_MEMORY;
    wire_copy(room, data, size, wire_apart(((struct called *)call)->lane->shared));
    call->next = room + size;
    return LOADER_OK;
}

void called_fail(struct called *called, const char *text, uint64_t size)
{
    char *copy;

    if (text == NULL)
        size = 0;
    if (size > ERROR_MOST) { /* cut between characters, not inside of one */
        size = ERROR_MOST;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
            size--;
    }
    copy = malloc(size + 1);
    if (copy != NULL && size != 0)
        memcpy(copy, text, size); /* before free: a plugin may pass its own call->error.data on */
    free(called->error);
    called->error = copy;
    called->call.error = (loader_text){copy, copy == NULL ? 0 : size};
}

static int host_fail(loader_call *call, int status, const char *text, size_t size)
{
    called_fail((struct called *)call, text, size);
    return status == LOADER_OK ? LOADER_FAILED : status;
}

static void host_log(loader_call *call, int level, const char *text, size_t size)
{
    struct lane *const lane = ((struct called *)call)->lane;
    struct wire_line line = {level, (uint32_t)size};
    const uint64_t room = sizeof lane->log->lines - lane->log_used;

    if (!called_on_thread((struct called *)call)) /* what it logs is lost, as in the host's own process */
        return;
    if (text == NULL)
        line.size = 0;
    if (size > room || room - size < sizeof line + 8) {
        lane->log->lost++;
        return;
    }
    memcpy(lane->log->lines + lane->log_used, &line, sizeof line);
    if (line.size != 0)
        memcpy(lane->log->lines + lane->log_used + sizeof line, text, line.size);
    lane->log_used += sizeof line + (((uint64_t)line.size + 7) & ~UINT64_C(7));
    atomic_store_explicit(&lane->log->used, lane->log_used, memory_order_release);
}

static int host_cancelled(loader_call *call)
{
    const struct called *const called = (const struct called *)call;

    return atomic_load_explicit(&called->lane->shared->stop, memory_order_relaxed); /* the host looks at its clock */
}

static uint64_t put_text(struct lane *lane, const char *text, uint64_t size)
{
    struct wire_arena arena = {(char *)lane->shared, 0, lane->top, lane->arena_end, false, wire_apart(lane->shared)};
    char *const room = wire_room(&arena, size);

    if (room == NULL)
        return 0;
    if (size != 0)
        memcpy(room, text, size);
    lane->top = arena.top;
    return (uint64_t)(room - (char *)lane->shared);
}

/* Says where the output ends by now: what the host does meanwhile may need room behind it. */
static struct wire_message *ask(struct called *called, uint32_t kind)
{
    struct wire_message *const message = &called->lane->shared->up.message;

    message->kind = kind;
    message->output = (uint64_t)(called->call.next - (char *)called->lane->shared);
    return message;
}

static const void *host_service(loader_call *call, const char *id, size_t size)
{
    struct called *const called = (struct called *)call;
    struct wire_message *message;

    if (!called_on_thread(called))
        return NULL;
    message = ask(called, WIRE_SERVICE);
    message->text = id == NULL ? 0 : put_text(called->lane, id, size);
    if (message->text == 0)
        return NULL;
    message->text_size = size;
    serve_ask(called->lane);
    return (const void *)(uintptr_t)called->lane->shared->down.message.function;
}

static loader_text host_path(loader_call *call)
{
    struct called *const called = (struct called *)call;
    const struct wire_message *const down = &called->lane->shared->down.message;

    if (!called_on_thread(called))
        return (loader_text){"", 0};
    ask(called, WIRE_PATH);
    serve_ask(called->lane);
    return (loader_text){lane_at(called->lane, down->text), (size_t)down->text_size};
}

static void *host_alloc(loader_call *call, size_t size)
{
    struct called *const called = (struct called *)call;
    struct lane *const lane = called->lane;
    struct wire_arena arena = {(char *)lane->shared, 0, lane->top, lane->arena_end, false, wire_apart(lane->shared)};
    struct block *block;

    if (size > called->room - called->allocated)
        return NULL;
    block = size > UINT64_MAX - sizeof *block ? NULL : wire_room(&arena, sizeof *block + (size == 0 ? 1 : size));
    if (block == NULL)
        return NULL;
    lane->top = arena.top;
    called->allocated += size;
    *block = (struct block){called->blocks, size};
    called->blocks = block;
    return block + 1;
}

const loader_host called_host = {
    .size = sizeof(loader_host),
    .grow = host_grow,
    .fail = host_fail,
    .log = host_log,
    .cancelled = host_cancelled,
    .service = host_service,
    .path = host_path,
    .write = host_write,
    .alloc = host_alloc,
};

/* ---- The call ------------------------------------------------------------------------------------------ */

static bool in_a_block(const struct called *called, const char *data, uint64_t size)
{
    for (const struct block *block = called->blocks; block != NULL; block = block->next) {
        const uint64_t at = (uint64_t)(data - (const char *)(block + 1));
        if (at <= block->size && size <= block->size - at)
            return true;
    }
    return false;
}

static bool is_in_a_block(const void *called, const void *data)
{
    return in_a_block(called, data, 1);
}

/* Arrays are in memory of loader_alloc, or they are no results: the host says so of one that is nowhere in the lane. */
static bool hand_over(const struct called *called, struct wire_arena *arena, const struct wire_value *how,
                      const uint32_t *texts, char *at)
{
    loader_text array;

    if (how->kind == 'a')
        return arrows_hand_over(arena, (struct wire_borrowed){is_in_a_block, called}, (struct wire_arrow *)(void *)at);
    if (how->kind == 'n' || how->kind == 'v') {
        memcpy(&array, at, sizeof array);
        if (array.size != 0 &&
            (array.size > UINT64_MAX / how->size || !in_a_block(called, array.data, array.size * how->size))) {
            array.data = (const char *)1;
            memcpy(at, &array, sizeof array);
            return true;
        }
    }
    return wire_follow(arena, how, texts, at, at);
}

static int hand_over_results(struct called *called, const struct wire_message *asked, const uint64_t *words, int status)
{
    static const char text[] = "there is no memory for its results";
    const struct wire_plan *const plan = (const struct wire_plan *)(uintptr_t)asked->plan;
    struct lane *const lane = called->lane;
    struct wire_arena arena = {(char *)lane->shared, 0, lane->top, lane->arena_end, true, wire_apart(lane->shared)};

    for (uint32_t i = 0; plan != NULL && i < plan->result_count; i++) {
        const struct wire_value *const how = &plan->values[plan->count + i];
        char *const at = (char *)(uintptr_t)words[how->place];
        if (status != LOADER_OK && how->kind == 'a') { /* nobody gets it */
            arrows_drop((struct wire_arrow *)(void *)at);
        } else if (status == LOADER_OK && !hand_over(called, &arena, how, wire_texts(plan), at)) {
            called_fail(called, text, sizeof text - 1);
            status = LOADER_NO_MEMORY;
        }
    }
    lane->top = arena.top;
    return status;
}

typedef uint64_t W;
typedef double D;

static void run_call(struct lane *lane)
{
    const struct wire_message asked = lane->shared->down.message;
    const W *const v = asked.words;
    const D *const d = asked.reals;
    struct wire_message *const up = &lane->shared->up.message;
    const uint64_t left = lane->size - asked.output;
    struct called called = {
        .call = {.size = sizeof(loader_call), .host = &called_host},
        .lane = lane,
        .room = asked.room,
    };
    int status;

    called.begin = called.call.next = lane_at(lane, asked.output);
    called.call.limit = called.begin + (asked.room < left ? asked.room : left);
    status = ((int (*)(loader_call *, W, W, W, W, W, W, W, W, D, D, D, D, D, D, D, D))(uintptr_t)asked.function)(
        &called.call, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
    if (asked.plan != 0)
        status = hand_over_results(&called, &asked, v, status);
    up->kind = WIRE_RETURN;
    up->status = status;
    up->flags = called.output_lost ? WIRE_OUTPUT_LOST : 0;
    up->output = (uint64_t)(called.call.next - (char *)lane->shared);
    if (up->text_size != 0) /* else its cache line is left alone */
        up->text = up->text_size = 0;
    if (called.call.error.size != 0) {
        up->text = put_text(lane, called.call.error.data, called.call.error.size);
        up->text_size = up->text == 0 ? 0 : called.call.error.size;
    }
    free(called.error);
}

void called_run(struct lane *lane)
{
    const struct wire_message *const asked = &lane->shared->down.message;

    if (asked->kind == WIRE_CALL) {
        run_call(lane);
        return;
    }
    if (asked->kind == WIRE_FREE)
        ((void (*)(void *))(uintptr_t)asked->function)((void *)(uintptr_t)asked->words[0]);
    lane->shared->up.message.kind = WIRE_RETURN;
    lane->shared->up.message.status = LOADER_OK;
    lane->shared->up.message.output = asked->output;
}
