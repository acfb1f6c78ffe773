/* cross.c: a call of a Function whose plugin is in a worker: arguments into a lane (send.c), the answer out of it
 * (answer.c).
 *
 * While the worker has the lane this thread waits, without the GIL, and looks now and then whether the call is to stop
 * or the worker has died. A worker that was told to stop and does not is killed when its grace is over. A call that no
 * worker answered is not made again, unless whoever keeps the workers says so (loader/isolation/).
 */
#include "remote/crossing.h"

#include "call/instance.h"

#ifdef CORE_REMOTE

enum { SLICE_NS = 10000000 };

/* How a call that was sent ended. */
enum ended {
    RETURNED, DIED, KILLED, REFUSED, TOO_DEEP,
    FORKED /* in the middle of the call: this is the child, and has neither the lane nor the worker */
};

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
    int64_t *patience = stopping->told == INT64_MAX ? &lane->patience : NULL;

    for (;;) {
        const bool told = stopping->told != INT64_MAX;
        int64_t until = wire_now() + SLICE_NS;
        if (!told && stopping->deadline < until)
            until = stopping->deadline;
        if (told && stopping->told + stopping->grace < until)
            until = stopping->told + stopping->grace;
        if (wire_wait(&shared->down, &shared->up, lane->seen, patience, until)) {
            lane->seen++;
            return true;
        }
        patience = NULL; /* a call that takes long is not looked for again */
        if (core_worker_has_ended(lane->worker))
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
        core_take_log(crossing->c, lane);
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
        if (!core_callback(crossing, up))
            return crossing->forked ? FORKED : REFUSED;
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
    core_find_shared(worker, f, a, &sending);
    if (c->thread == NULL && !core_only_thread(core_interpreter))
        core_release(c);
    const bool put = address != 0 && core_put_arguments(&crossing, f, a, &sending);
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
            status = core_take_answer(&crossing, f, a, &sending, &up, &right);
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
    if (ended == FORKED) {
        core_acquire(c);
        failed(remote, worker, f, "forked", 1);
        if (inside == NULL)
            core_lane_give(lane, 0, 0);
        return not_called(c);
    }
    if (ended == TOO_DEEP && inside != NULL) { /* it lives, and the calls around this one go on */
        core_acquire(c);
        PyErr_SetString(PyExc_RecursionError,
                        "services and plugins call each other too deeply for a worker's stack");
        return not_called(c);
    }
    if (ended == DIED || ended == KILLED) { /* what it changed until then may tell how far it came */
        const struct taking taking = {.lane = (const char *)lane->shared, .size = lane->size, .base = lane->base};
        core_take_changed(&taking, &sending);
    }
    if (ended != DIED) /* whatever it does now, it is not waited for */
        core_worker_kill(worker);
    core_acquire(c);
    if (ended == KILLED)
        reason = stopping.status == LOADER_DEADLINE ? "deadline" : "cancelled";
    else
        reason = ended == DIED ? "died" : hostile;
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
        worker->caller_count++;
        lane = core_lane_take(worker, c);
        status = LOADER_OK;
        again = lane == NULL && !PyErr_Occurred(); /* it died right now */
        if (lane != NULL)
            status = try_call(f, c, a, worker, lane, ++tries, &again);
        else if (!again)
            status = not_called(c);
        core_acquire(c);
        worker->caller_count--;
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
    while (!there && !core_worker_has_ended(worker) && wire_now() < until)
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
