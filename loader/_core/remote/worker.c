/* worker.c: processes that serve calls (type Worker) and what stands behind an Owner (type Remote): which workers there
 * are, and their lanes. They are started, watched and ended by loader/isolation/.
 */
#include "remote/remote.h"

#ifdef CORE_REMOTE

#  include <errno.h>
#  include <poll.h>
#  include <fcntl.h>
#  include <signal.h>
#  include <structmember.h>
#  include <sys/mman.h>
#  include <sys/syscall.h>
#  include <unistd.h>

_Thread_local struct crossing *core_crossing;

/* ---- Worker ------------------------------------------------------------------------------------------ */

bool core_worker_lives(const core_worker *worker)
{
    return !atomic_load_explicit(&worker->dead, memory_order_acquire) && worker->generation == core_generation;
}

/* The descriptor is closed by the thread that learns of deaths, after it has said so; but when Python ends that thread
 * stands still. */
bool core_worker_has_ended(core_worker *worker)
{
    struct pollfd ended = {.fd = worker->pidfd, .events = POLLIN};

    if (core_worker_lives(worker) && poll(&ended, 1, 0) > 0)
        atomic_store_explicit(&worker->dead, true, memory_order_release);
    return !core_worker_lives(worker);
}

uint64_t core_worker_address(const core_worker *worker, core_function index)
{
    const size_t place = (size_t)(uintptr_t)index - 1;

    return place < (size_t)worker->address_count ? worker->addresses[place] : 0;
}

void core_worker_kill(core_worker *worker)
{
    if (worker->generation == core_generation)
        syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
}

static PyObject *worker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"pid", "pidfd", "thunks", "keeper", NULL};
    PyObject *thunks, *keeper;
    core_worker *self;
    int pid, pidfd;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiO!O:Worker", names, &pid, &pidfd, &PyTuple_Type, &thunks,
                                     &keeper))
        return NULL;
    if (PyTuple_GET_SIZE(thunks) != WIRE_ADDRESSES) {
        PyErr_SetString(PyExc_ValueError, "a worker has a thunk for each place in a table, and two more functions");
        return NULL;
    }
    self = (core_worker *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->pid = pid;
    self->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0); /* its own: a number that was closed may soon be another worker's */
    if (self->pidfd < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(self);
        return NULL;
    }
    self->generation = core_generation;
    self->keeper = Py_NewRef(keeper);
    for (Py_ssize_t i = 0; i < WIRE_ADDRESSES; i++) {
        self->thunks[i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(thunks, i));
        if (PyErr_Occurred()) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

/* Takes lanes away that nobody is in. In a forked child they are not mapped: something else may be there. */
static void drop_lanes(core_worker *self)
{
    for (int i = 0; i < self->lane_count; i++) {
        if (self->generation == core_generation)
            munmap(self->lanes[i]->shared, self->lanes[i]->size);
        PyMem_RawFree(self->lanes[i]);
    }
    self->lane_count = 0;
}

static int worker_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((core_worker *)object)->keeper);
    return 0;
}

static int worker_clear(PyObject *object)
{
    Py_CLEAR(((core_worker *)object)->keeper);
    return 0;
}

static void worker_dealloc(PyObject *object)
{
    core_worker *self = (core_worker *)object;

    PyObject_GC_UnTrack(object);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    worker_clear(object);
    drop_lanes(self); /* who is in a lane has a reference to its worker */
    PyMem_Free(self->addresses);
    if (self->pidfd >= 0)
        close(self->pidfd);
    Py_TYPE(object)->tp_free(object);
}

/* add_addresses(tuple): of more symbols, behind those that there are. */
static PyObject *worker_add_addresses(PyObject *object, PyObject *more)
{
    core_worker *self = (core_worker *)object;
    const Py_ssize_t count = PyTuple_Check(more) ? PyTuple_GET_SIZE(more) : -1;
    uint64_t *addresses;

    if (count < 0)
        return PyErr_Format(PyExc_TypeError, "addresses are a tuple");
    addresses = PyMem_Calloc((size_t)(self->address_count + count) + 1, sizeof *addresses);
    if (addresses == NULL)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++)
        addresses[self->address_count + i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(more, i));
    if (PyErr_Occurred()) {
        PyMem_Free(addresses);
        return NULL;
    }
    if (self->address_count > 0)
        memcpy(addresses, self->addresses, (size_t)self->address_count * sizeof *addresses);
    PyMem_Free(self->addresses);
    self->addresses = addresses;
    self->address_count += count;
    Py_RETURN_NONE;
}

/* add_lane(descriptor, size, base): maps a lane that the worker has mapped at `base`. */
static PyObject *worker_add_lane(PyObject *object, PyObject *args)
{
    core_worker *self = (core_worker *)object;
    unsigned long long size, base;
    struct host_lane *lane;
    int descriptor;

    if (!PyArg_ParseTuple(args, "iKK:add_lane", &descriptor, &size, &base))
        return NULL;
    if (self->lane_count == MOST_LANES) /* another thread was faster: this one waits for a lane that is there */
        Py_RETURN_NONE;
    if (size < 2 * (WIRE_HEAD + WIRE_LOG) || size % 8192 != 0 || base % 4096 != 0)
        return PyErr_Format(PyExc_ValueError, "no lane of %llu bytes at %llu", size, base);
    lane = PyMem_RawCalloc(1, sizeof *lane);
    if (lane == NULL)
        return PyErr_NoMemory();
    lane->shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (lane->shared == MAP_FAILED) {
        PyMem_RawFree(lane);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    madvise(lane->shared, size, MADV_DONTFORK);
    madvise(lane->shared, size, MADV_DONTDUMP);
    lane->worker = self;
    lane->size = size;
    lane->base = base;
    lane->patience = WIRE_PATIENCE;
    self->lanes[self->lane_count++] = lane;
    Py_RETURN_NONE;
}

/* add_shared(number, base): a buffer of loader.shared, which the worker has mapped at `base`. */
static PyObject *worker_add_shared(PyObject *object, PyObject *args)
{
    core_worker *self = (core_worker *)object;
    unsigned long long number, base;

    if (!PyArg_ParseTuple(args, "KK:add_shared", &number, &base))
        return NULL;
    if (self->shared_count < MOST_SHARED_THERE && base != 0) {
        self->shared[self->shared_count].number = number;
        self->shared[self->shared_count++].base = base;
    }
    Py_RETURN_NONE;
}

/* Says that the process has ended: whoever waits for it gives up. */
static PyObject *worker_died(PyObject *object, PyObject *Py_UNUSED(none))
{
    core_worker *self = (core_worker *)object;

    atomic_store_explicit(&self->dead, true, memory_order_release);
    for (int i = 0; i < self->lane_count && self->generation == core_generation; i++)
        wire_wake(&self->lanes[i]->shared->up);
    Py_RETURN_NONE;
}

static PyObject *worker_kill(PyObject *object, PyObject *Py_UNUSED(none))
{
    core_worker_kill((core_worker *)object);
    Py_RETURN_NONE;
}

static PyObject *worker_alive(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(core_worker_lives((core_worker *)object));
}

static PyMethodDef worker_methods[] = {
    {"add_addresses", worker_add_addresses, METH_O, "add_addresses(addresses): where more symbols are in it."},
    {"add_lane", worker_add_lane, METH_VARARGS, "add_lane(descriptor, size, base): memory that it has mapped at base."},
    {"add_shared", worker_add_shared, METH_VARARGS, "add_shared(number, base): a buffer that it has mapped."},
    {"died", worker_died, METH_NOARGS, "Says that the process has ended: whoever waits for it gives up."},
    {"kill", worker_kill, METH_NOARGS, "Sends SIGKILL."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef worker_getset[] = {
    {"alive", worker_alive, NULL, "Whether it serves calls of this process.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef worker_members[] = {
    {"pid", T_INT, offsetof(core_worker, pid), READONLY, "The process's number."},
    {"pidfd", T_INT, offsetof(core_worker, pidfd), READONLY, "What refers to the process."},
    {"lanes", T_INT, offsetof(core_worker, lane_count), READONLY, "How many calls it can serve at once, by now."},
    {"busy", T_INT, offsetof(core_worker, busy_count), READONLY, "How many calls are under way."},
    {"callers", T_INT, offsetof(core_worker, caller_count), READONLY, "Calls that have chosen it."},
    {"instances", T_INT, offsetof(core_worker, instance_count), READONLY, "Instances that it holds."},
    {"calls", T_ULONGLONG, offsetof(core_worker, calls), READONLY, "Calls that were begun."},
    {"keeper", T_OBJECT, offsetof(core_worker, keeper), READONLY, "What started it."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject core_worker_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Worker",
    .tp_doc = "Worker(pid, pidfd, thunks, keeper): a process that serves calls of plugins.",
    .tp_basicsize = sizeof(core_worker),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = worker_new,
    .tp_dealloc = worker_dealloc,
    .tp_traverse = worker_traverse,
    .tp_clear = worker_clear,
    .tp_weaklistoffset = offsetof(core_worker, weakrefs),
    .tp_methods = worker_methods,
    .tp_members = worker_members,
    .tp_getset = worker_getset,
};

/* ---- Lanes ------------------------------------------------------------------------------------------- */

/* This thread is in a call of this worker already, which has asked for something: the lane is its own. */
static struct host_lane *lane_of_thread(const core_worker *worker)
{
    for (const struct crossing *each = core_crossing; each != NULL; each = each->outer)
        if (each->lane->worker == worker)
            return each->lane;
    return NULL;
}

static struct host_lane *free_lane(core_worker *worker)
{
    for (int i = 0; i < worker->lane_count; i++)
        if (!worker->lanes[i]->busy)
            return worker->lanes[i];
    return NULL;
}

/* All of them are busy: waits a little, without the GIL. */
static int wait_for_lane(core_call *c)
{
    const struct timespec little = {0, 200000};
    const int status = c == NULL ? LOADER_OK : core_limit_check(c->limit);

    if (status != LOADER_OK) {
        core_raise(c, NULL, status, NULL);
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&little, NULL);
    Py_END_ALLOW_THREADS
    return c == NULL ? 0 : PyErr_CheckSignals();
}

/* What frees an instance does not wait for ever: it may be a garbage collection, or the end of Python, with all lanes
 * in calls that never end. The instance ends with its worker. */
enum { PATIENT_NS = 2000000000 };

struct host_lane *core_lane_take(core_worker *worker, core_call *c)
{
    struct host_lane *lane = lane_of_thread(worker);
    const int64_t until = c == NULL ? wire_now() + PATIENT_NS : INT64_MAX;

    while (lane == NULL && core_worker_lives(worker)) {
        lane = free_lane(worker);
        if (lane != NULL)
            break;
        if (c == NULL && (core_is_ending() || wire_now() >= until))
            return NULL;
        if (worker->lane_count < MOST_LANES && c != NULL) {
            PyObject *const added = PyObject_CallMethod(worker->keeper, "add_lane", NULL);
            if (added == NULL)
                return NULL;
            Py_DECREF(added);
        } else if (wait_for_lane(c) < 0) {
            return NULL;
        }
    }
    if (lane == NULL || !core_worker_lives(worker))
        return NULL;
    if (!lane->busy) {
        lane->busy = true;
        worker->busy_count++;
        Py_INCREF(worker);
    }
    return lane;
}

enum { KEPT = 32 << 20 }; /* bytes of each half that stay with a lane: to fault 8 MB in anew took 25 ms, to copy them 1 */

/* Gives memory back that a long call took. `used` may be what the worker said: beyond the lane is memory of others. */
static void give_back(const struct host_lane *lane, uint64_t from, uint64_t used)
{
    const uint64_t first = (from + KEPT) & ~UINT64_C(4095);

    if (used > lane->size)
        used = lane->size;
    if (used > first)
        madvise((char *)lane->shared + first, used - first, MADV_REMOVE);
}

void core_lane_give(struct host_lane *lane, uint64_t top, uint64_t output)
{
    core_worker *const worker = lane->worker;

    if (core_worker_is_ours(worker)) {
        give_back(lane, WIRE_HEAD + WIRE_LOG, top);
        give_back(lane, lane->size / 2, output);
    }
    lane->busy = false;
    worker->busy_count--;
    Py_DECREF(worker);
}

/* ---- Remote ------------------------------------------------------------------------------------------ */

static PyObject *remote_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"keeper", "deadline", "grace", NULL};
    long long deadline, grace;
    PyObject *keeper;
    core_remote *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OLL:Remote", names, &keeper, &deadline, &grace))
        return NULL;
    self = (core_remote *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->keeper = Py_NewRef(keeper);
    self->deadline = deadline;
    self->grace = grace;
    return (PyObject *)self;
}

static int remote_traverse(PyObject *object, visitproc visit, void *arg)
{
    core_remote *self = (core_remote *)object;

    Py_VISIT(self->keeper);
    for (int i = 0; i < self->count; i++)
        Py_VISIT((PyObject *)self->workers[i]);
    return 0;
}

static int remote_clear(PyObject *object)
{
    core_remote *self = (core_remote *)object;

    Py_CLEAR(self->keeper);
    while (self->count > 0) {
        core_worker *const worker = self->workers[--self->count];
        self->workers[self->count] = NULL;
        Py_DECREF(worker);
    }
    return 0;
}

static void remote_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    remote_clear(object);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *remote_set_workers(PyObject *object, PyObject *workers)
{
    core_remote *self = (core_remote *)object;
    const Py_ssize_t count = PyTuple_Check(workers) ? PyTuple_GET_SIZE(workers) : -1;
    core_worker *old[MOST_WORKERS];
    int olds = self->count;

    if (count < 0 || count > MOST_WORKERS)
        return PyErr_Format(PyExc_ValueError, "workers are a tuple of at most %d", MOST_WORKERS);
    for (Py_ssize_t i = 0; i < count; i++)
        if (Py_TYPE(PyTuple_GET_ITEM(workers, i)) != &core_worker_type)
            return PyErr_Format(PyExc_TypeError, "not a Worker");
    memcpy(old, self->workers, (size_t)olds * sizeof *old);
    for (Py_ssize_t i = 0; i < count; i++)
        self->workers[i] = (core_worker *)Py_NewRef(PyTuple_GET_ITEM(workers, i));
    self->count = (int)count;
    while (olds > 0)
        Py_DECREF(old[--olds]);
    Py_RETURN_NONE;
}

static PyMethodDef remote_methods[] = {
    {"set_workers", remote_set_workers, METH_O, "set_workers(tuple): those that have the plugin open, from now on."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef remote_members[] = {
    {"keeper", T_OBJECT, offsetof(core_remote, keeper), READONLY, "What looks after the workers."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject core_remote_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader._core._call.Remote",
    .tp_doc = "Remote(keeper, deadline, grace): what stands behind an Owner whose plugin is in other processes; "
              "nanoseconds.",
    .tp_basicsize = sizeof(core_remote),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = remote_new,
    .tp_dealloc = remote_dealloc,
    .tp_traverse = remote_traverse,
    .tp_clear = remote_clear,
    .tp_methods = remote_methods,
    .tp_members = remote_members,
};

#else
typedef int worker_is_for_linux;
#endif
