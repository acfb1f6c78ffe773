/* cross.c: a call of a Function whose plugin is in a worker: arguments into a lane, the answer out of it.
 *
 * While the worker has the lane this thread waits, without the GIL, and looks now and then whether the call is to stop
 * or the worker has died. A worker that was told to stop and does not is killed when its grace is over. A call that no
 * worker answered is not made again, unless whoever keeps the workers says so (loader/isolation/).
 */
#include "remote/remote.h"

#include "call/arguments.h"
#include "call/instance.h"

#ifdef CORE_REMOTE
#  include "remote/take_arrow.h"

enum { SLICE_NS = 10000000 };

/* How a call that was sent ended. */
enum ended {
    RETURNED, DIED, KILLED, REFUSED, TOO_DEEP,
    FORKED /* in the middle of the call: this is the child, and has neither the lane nor the worker */
};

/* ---- Into the lane ------------------------------------------------------------------------------------- */

/* An argument that the plugin changes in place: where it is here, and there. */
struct changed {
    const struct wire_value *how;
    const void *value; /* a loader_text of it, or a tensor */
    uint64_t offset;   /* of its first byte */
};

struct sending {
    uint64_t there[MAX_PARAMETERS]; /* by parameter: the address in the worker of memory that both share, or 0 */
    struct wire_message message;
    struct changed changed[MAX_WORDS];
    int changed_count;
    uint64_t results; /* offset of the room for results */
    const char *why;  /* an Arrow array cannot cross: that of this parameter */
    PyObject *refused; /* borrowed */
};

/* Where its two structs are in the worker. */
static void relocate(struct wire_arrow *room, uint64_t address)
{
    room->given.schema = (struct ArrowSchema *)(uintptr_t)(address + offsetof(struct wire_arrow, schema));
    room->given.array = (struct ArrowArray *)(uintptr_t)(address + offsetof(struct wire_arrow, array));
}

static uint64_t rounded(uint64_t offset)
{
    return (offset + 15) & ~UINT64_C(15);
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
static void find_shared(core_worker *worker, const function *f, const struct arguments *a, struct sending *sending)
{
    for (Py_ssize_t i = 0; i < f->count; i++) {
        uint64_t size = 0;
        const void *const data =
            is_real(&f->parameters[i]) ? NULL : data_of(&f->plan->values[i], a->values[f->plan->values[i].place], &size);
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
        if (how->writable)
            sending->changed[sending->changed_count++] = (struct changed){
                how, (const void *)word,
                rounded(rounded(arena->top) + (how->kind == KIND_TENSOR ? sizeof(loader_tensor) : sizeof(loader_text)))};
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
static bool put_arguments(struct crossing *crossing, const function *f, const struct arguments *a,
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

/* ---- Out of it ----------------------------------------------------------------------------------------- */

static void take_changed(const struct taking *taking, const struct sending *sending)
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
static void take_log(core_call *c, const struct host_lane *lane)
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

static int take_answer(struct crossing *crossing, const function *f, const struct arguments *a,
                       const struct sending *sending, const struct wire_message *up, bool *right)
{
    struct host_lane *const lane = crossing->lane;
    core_call *const c = crossing->c;
    struct taking taking = {.lane = (const char *)lane->shared, .size = lane->size, .base = lane->base,
                            .budget = lane->size, .room = result_room, .owner = &c->call};
    const uint64_t begin = sending->message.output, room = sending->message.room;
    const uint64_t written = up->output - begin;
    int status = up->status;

    *right = true;
    take_changed(&taking, sending);
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
        status = core_host_write(&c->call, taking.lane + begin, (size_t)written) == LOADER_OK ? status : LOADER_NO_MEMORY;
    else if (written != 0)
        status = loader_write(&c->call, taking.lane + begin, (size_t)written) == LOADER_OK ? status : LOADER_NO_MEMORY;
    if (f->result_count > 0 && status == LOADER_OK && *right)
        *right = take_results(&taking, f, a, sending);
    if (!*right && taking.no_memory) {
        *right = true;
        status = LOADER_NO_MEMORY;
    }
    return status;
}

/* ---- The conversation ---------------------------------------------------------------------------------- */

/* Whether the call is to stop: what loader_cancelled says in this process. */
static int stop_of(core_call *c, int64_t deadline)
{
    const int status = c->call.host->cancelled(&c->call);

    return status == LOADER_OK && wire_now() >= deadline ? LOADER_DEADLINE : status;
}

/* What loader_cancelled says there; mostly what it says already, and then the worker's cache keeps it. */
static void set_stop(struct wire_lane *shared, int stop)
{
    if (atomic_load_explicit(&shared->stop, memory_order_relaxed) != stop)
        atomic_store_explicit(&shared->stop, stop, memory_order_relaxed);
}

/* When a call is to stop, and whether it was told. */
struct stopping {
    int64_t deadline, grace;
    int64_t told; /* when; INT64_MAX: not yet */
    int status;   /* why */
};

static bool is_over(const struct stopping *stopping)
{
    return stopping->told != INT64_MAX && wire_now() - stopping->told >= stopping->grace;
}

/* Tells it, if it is time. What it asks for meanwhile does not put its end off. */
static void tell(struct stopping *stopping, struct wire_lane *shared, int status)
{
    set_stop(shared, status);
    stopping->status = status;
    if (status == LOADER_OK)
        stopping->told = INT64_MAX;
    else if (stopping->told == INT64_MAX)
        stopping->told = wire_now();
}

/* Waits for a message. False: it has died, or was told to stop and does not. */
static bool wait_for_worker(struct crossing *crossing, struct stopping *stopping)
{
    struct host_lane *const lane = crossing->lane;
    struct wire_lane *const shared = lane->shared;

    for (;;) {
        const bool told = stopping->told != INT64_MAX;
        int64_t until = wire_now() + SLICE_NS;
        if (!told && stopping->deadline < until)
            until = stopping->deadline;
        if (told && stopping->told + stopping->grace < until)
            until = stopping->told + stopping->grace;
        if (wire_wait(&shared->down, &shared->up, lane->seen, told ? NULL : &lane->patience, until)) {
            lane->seen++;
            return true;
        }
        if (!core_worker_lives(lane->worker))
            return false;
        if (!told)
            tell(stopping, shared, stop_of(crossing->c, stopping->deadline));
        if (is_over(stopping))
            return false;
    }
}

/* What comes of a message that was sent: the worker's answer in *up. */
static enum ended converse(struct crossing *crossing, struct stopping *stopping, struct wire_message *up)
{
    struct host_lane *const lane = crossing->lane;
    struct wire_lane *const shared = lane->shared;

    for (;;) {
        wire_send(&shared->down, &shared->up);
        const bool there = wait_for_worker(crossing, stopping);
        take_log(crossing->c, lane);
        if (!there)
            return core_worker_lives(lane->worker) ? KILLED : DIED;
        take_message(&shared->up, up);
        if (up->top < crossing->top || up->top > lane->size / 2 || up->output < crossing->output ||
            up->output > lane->size) {
            if (up->kind != WIRE_RETURN) /* the output may be wrong, which is the plugin's error: see take_answer */
                return REFUSED;
            up->top = crossing->top;
        }
        if (up->kind == WIRE_RETURN)
            return up->flags & WIRE_NO_STACK ? TOO_DEEP : RETURNED;
        if (is_over(stopping)) /* it may ask on and on */
            return KILLED;
        const uint64_t output = crossing->output;
        crossing->top = up->top;
        crossing->output = rounded(up->output);
        const bool right = core_callback(crossing, up);
        if (lane->worker->generation != core_generation)
            return FORKED;
        if (!right)
            return REFUSED;
        crossing->output = output;
        /* An interrupt ends the call; and a call that the service made has left its own there. */
        tell(stopping, shared, crossing->c->interrupted ? LOADER_CANCELLED : stop_of(crossing->c, stopping->deadline));
    }
}

/* ---- The call ------------------------------------------------------------------------------------------ */

/* A worker for the call: that of its instances, or the one with the least to do. NULL with an exception, or *gone: an
 * instance's worker has ended. GIL held. */
static core_worker *pick(core_remote *remote, const struct held *held, bool *gone)
{
    const int count = held == NULL ? 0 : held->count;
    core_worker *best = NULL;

    for (int i = 0; i < count; i++) {
        core_worker *const worker = (core_worker *)held->instances[i]->worker;
        *gone = *gone || worker == NULL || !core_worker_lives(worker) || (best != NULL && best != worker);
        best = worker;
    }
    if (count > 0)
        return *gone ? NULL : best;
    for (const struct crossing *each = core_crossing; each != NULL; each = each->outer)
        for (int i = 0; i < remote->count; i++)
            if (remote->workers[i] == each->lane->worker && core_worker_lives(remote->workers[i]))
                return remote->workers[i];
    for (int i = 0; i < remote->count; i++) {
        core_worker *const worker = remote->workers[(remote->next + i) % remote->count];
        if (core_worker_lives(worker) && (best == NULL || worker->busy_count < best->busy_count))
            best = worker;
    }
    remote->next++;
    return best;
}

/* Puts what the keeper of the workers raised, or gave, into the call. */
static int not_called(core_call *c)
{
    if (PyErr_Occurred())
        core_keep_cause(c);
    return CORE_NOT_CALLED;
}

/* True: the call may be made again. Otherwise an exception is set. GIL held. */
static bool failed(core_remote *remote, core_worker *worker, const function *f, const char *reason, int tries)
{
    PyObject *const again = PyObject_CallMethod(remote->keeper, "failed", "OOOsi", (PyObject *)worker,
                                                (PyObject *)f->owner, f->name, reason, tries);
    const bool yes = again == Py_True;

    if (again != NULL && !yes)
        PyErr_SetObject((PyObject *)Py_TYPE(again), again);
    Py_XDECREF(again);
    return yes;
}

static bool gives_instances(const function *f)
{
    for (int i = 0; i < f->result_count; i++)
        if (f->results[i].kind == KIND_INSTANCE)
            return true;
    return false;
}

/* Until the call has ended: before its results are made, code of Python may run, and with it other calls. */
static void keep_worker(core_call *c, core_worker *worker)
{
    core_acquire(c);
    Py_XSETREF(c->worker, Py_NewRef((PyObject *)worker));
    c->settle = true;
}

/* One try, with a lane: number `tries`. `*again`: no worker has answered, and it may be made once more. */
static int try_call(function *f, core_call *c, const struct arguments *a, core_worker *worker, struct host_lane *lane,
                    int tries, bool *again)
{
    static const char too_long[] = "its arguments are longer than what crosses to another process at once";
    static const char replaced[] = "its library is not open in this worker any more: the plugin was reloaded";
    static const char hostile[] = "sent what cannot be an answer";
    const char *reason;
    core_remote *const remote = (core_remote *)c->owner->remote;
    struct crossing crossing = {.outer = core_crossing, .lane = lane, .c = c};
    struct sending sending = {.message = {.kind = WIRE_CALL}};
    struct wire_message up = {0};
    const struct crossing *inside = core_crossing;
    int status = LOADER_NO_MEMORY;
    enum ended ended = RETURNED;
    bool right = true;

    while (inside != NULL && inside->lane != lane)
        inside = inside->outer;
    crossing.top = inside == NULL ? WIRE_HEAD + WIRE_LOG : inside->top;
    crossing.output = inside == NULL ? lane->size / 2 : inside->output;
    const uint64_t address = core_worker_address(worker, f->address);
    const int64_t now = wire_now(), limit = core_limit_deadline(c->limit);
    struct stopping stopping = {.deadline = remote->deadline == INT64_MAX ? INT64_MAX : now + remote->deadline,
                                .grace = remote->grace, .told = INT64_MAX};
    if (limit < stopping.deadline)
        stopping.deadline = limit;
    worker->calls++;
    find_shared(worker, f, a, &sending);
    if (c->thread == NULL && !core_only_thread(core_interpreter))
        core_release(c);
    const bool put = address != 0 && put_arguments(&crossing, f, a, &sending);
    if (sending.why != NULL) {
        core_acquire(c);
        PyErr_Format(PyExc_ValueError, "%U %s", sending.refused, sending.why);
        if (inside == NULL)
            core_lane_give(lane, crossing.top, crossing.output);
        return not_called(c);
    }
    if (address == 0) {
        core_set_error(c, replaced, sizeof replaced - 1);
    } else if (!put) {
        core_set_error(c, too_long, sizeof too_long - 1);
    } else {
        core_crossing = &crossing;
        sending.message.function = address;
        sending.message.top = crossing.top;
        sending.message.output = crossing.output;
        sending.message.room = c->max_output;
        /* What it finds when it asks at once. */
        tell(&stopping, lane->shared, c->limit == NULL ? LOADER_OK : stop_of(c, stopping.deadline));
        wire_say(&lane->shared->down.message, &sending.message);
        ended = converse(&crossing, &stopping, &up);
        core_crossing = crossing.outer;
        if (ended == RETURNED)
            status = take_answer(&crossing, f, a, &sending, &up, &right);
    }
    if (ended == RETURNED && right) {
        if (gives_instances(f))
            keep_worker(c, worker);
        if (inside == NULL) {
            core_acquire(c);
            core_lane_give(lane, up.top, up.output);
        }
        return status;
    }
    if (ended == TOO_DEEP && inside != NULL) { /* it lives, and the calls around this one go on */
        core_acquire(c);
        PyErr_SetString(PyExc_RecursionError,
                        "services and plugins call each other too deeply for a worker's stack");
        return not_called(c);
    }
    if (ended == DIED || ended == KILLED) { /* what it changed until then may tell how far it came */
        const struct taking taking = {.lane = (const char *)lane->shared, .size = lane->size, .base = lane->base};
        take_changed(&taking, &sending);
    }
    if (ended != DIED) /* whatever it does now, it is not waited for */
        core_worker_kill(worker);
    core_acquire(c);
    if (ended == KILLED)
        reason = stopping.status == LOADER_DEADLINE ? "deadline" : "cancelled";
    else
        reason = ended == DIED ? "died" : ended == FORKED ? "forked" : hostile;
    *again = failed(remote, worker, f, reason, tries);
    if (inside == NULL)
        core_lane_give(lane, crossing.top, crossing.output);
    return *again ? LOADER_OK : not_called(c);
}

int core_remote_enter(function *f, core_call *c, const struct arguments *a, const struct held *held)
{
    core_remote *const remote = (core_remote *)c->owner->remote;

    int tries = 0;

    core_acquire(c);
    for (bool again = true; again;) {
        bool gone = false;
        core_worker *worker = pick(remote, held, &gone);
        struct host_lane *lane;
        int status;
        if (gone) {
            core_refuse_instance(held->instances[0], f->step.name, "gone");
            return not_called(c);
        }
        if (worker == NULL) { /* none lives: another one is started, or it is said why not */
            PyObject *const renewed = PyObject_CallMethod(remote->keeper, "renew", NULL);
            if (renewed == NULL)
                return not_called(c);
            Py_DECREF(renewed);
            continue;
        }
        Py_INCREF(worker);
        lane = core_lane_take(worker, c);
        status = LOADER_OK;
        again = lane == NULL && !PyErr_Occurred(); /* it died right now */
        if (lane != NULL)
            status = try_call(f, c, a, worker, lane, ++tries, &again);
        else if (!again)
            status = not_called(c);
        Py_DECREF(worker);
        if (!again)
            return status;
    }
    return not_called(c);
}

/* Waits at most this long, since it may be a garbage collection that waits. */
enum { FREE_NS = 2000000000 };

void core_remote_free(core_worker *worker, core_function index, void *native)
{
    struct wire_message up;
    struct host_lane *lane = core_worker_lives(worker) ? core_lane_take(worker, NULL) : NULL;
    core_call c = {.owner = NULL};
    struct crossing crossing = {.outer = core_crossing, .lane = lane, .c = &c};
    const struct crossing *inside = core_crossing;
    PyThreadState *thread;

    if (lane == NULL) {
        PyErr_Clear(); /* what it had has ended with it */
        return;
    }
    while (inside != NULL && inside->lane != lane)
        inside = inside->outer;
    crossing.top = inside == NULL ? WIRE_HEAD + WIRE_LOG : inside->top;
    crossing.output = inside == NULL ? lane->size / 2 : inside->output;
    lane->shared->down.message = (struct wire_message){
        .kind = WIRE_FREE, .function = core_worker_address(worker, index), .words = {(uint64_t)(uintptr_t)native},
        .top = crossing.top, .output = crossing.output};
    thread = PyEval_SaveThread();
    const int64_t until = wire_now() + FREE_NS;
    bool there = false;
    wire_send(&lane->shared->down, &lane->shared->up);
    while (!there && core_worker_lives(worker) && wire_now() < until)
        there = wire_wait(&lane->shared->down, &lane->shared->up, lane->seen, &lane->patience, wire_now() + SLICE_NS);
    if (there) {
        lane->seen++;
        take_message(&lane->shared->up, &up);
    }
    if (!there || up.kind != WIRE_RETURN)
        core_worker_kill(worker);
    PyEval_RestoreThread(thread);
    if (inside == NULL)
        core_lane_give(lane, 0, 0);
}

#else
int core_remote_enter(function *f, core_call *c, const struct arguments *a, const struct held *held)
{
    (void)f, (void)c, (void)a, (void)held;
    return LOADER_FAILED;
}
#endif
