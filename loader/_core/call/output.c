/* output.c: what a plugin writes in one call: where it goes, how its room grows, the str or bytes made of it. */
#include "call/internal.h"
#include "text/decode.h"

PyASCIIObject core_text_model;

/* ---- Room -------------------------------------------------------------------------------------------- */

static void set_room(core_call *c, char *begin, size_t used, size_t capacity)
{
    c->begin = begin;
    c->call.next = begin + used;
    c->call.limit = begin + capacity;
}

static char *result_data(const core_call *c)
{
    return c->bytes_result ? PyBytes_AS_STRING(c->result) : (char *)PyUnicode_DATA(c->result);
}

int core_use_result(core_call *c, size_t size, bool bytes)
{
    if (size == 0)
        size = 1; /* the empty str and bytes are shared objects, not ours to write to */
    if (size == 1)
        size = 2; /* so are the str and bytes of one character */
    if (size > PY_SSIZE_T_MAX / 2) {
        PyErr_NoMemory();
        return -1;
    }
    c->result = bytes ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : PyUnicode_New((Py_ssize_t)size, 127);
    if (c->result == NULL)
        return -1;
    c->bytes_result = bytes;
    c->room = CORE_RESULT;
    set_room(c, result_data(c), 0, size);
    return 0;
}

/* What _PyBytes_Resize does, but the object stays as it was if there is no memory: that one drops it, and with it
 * what other plugins have written to a document. */
static int resize_bytes(PyObject **bytes, size_t size)
{
#if defined(Py_TRACE_REFS)
    PyObject *resized = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    size_t old = (size_t)PyBytes_GET_SIZE(*bytes);

    if (resized == NULL)
        return -1;
    memcpy(PyBytes_AS_STRING(resized), PyBytes_AS_STRING(*bytes), old < size ? old : size);
    Py_SETREF(*bytes, resized);
#else
    PyObject *resized = (PyObject *)PyObject_Realloc(*bytes, offsetof(PyBytesObject, ob_sval) + size + 1);

    if (resized == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *bytes = resized;
    Py_SET_SIZE((PyVarObject *)resized, (Py_ssize_t)size);
    PyBytes_AS_STRING(resized)[size] = '\0';
#endif
    return 0;
}

/* Makes the result object `capacity` long, of which `used` bytes are written. GIL held. */
static int resize_result(core_call *c, size_t used, size_t capacity)
{
    if (c->bytes_result ? resize_bytes(&c->result, capacity) : PyUnicode_Resize(&c->result, (Py_ssize_t)capacity))
        return -1;
    set_room(c, result_data(c), used, capacity);
    return 0;
}

static int grow_result(core_call *c, size_t used, size_t capacity)
{
    const int failed = resize_result(c, used, capacity);

    if (failed)
        PyErr_Clear(); /* the plugin hears LOADER_NO_MEMORY, and passes it on or not */
    return failed;
}

/* Without the GIL output goes on in memory of C, and the object is made of it in the end. What the object that it
 * began in holds is copied; the object itself is given back when the call ends. */
static int grow_memory(core_call *c, size_t used, size_t capacity)
{
    char *memory = (char *)realloc(c->room == CORE_HEAP ? c->begin : NULL, capacity);

    if (memory == NULL)
        return -1;
    if (c->room != CORE_HEAP && used != 0)
        memcpy(memory, c->begin, used);
    c->room = CORE_HEAP;
    set_room(c, memory, used, capacity);
    return 0;
}

/* `text` is static: to copy it would take memory. */
static int refuse_room(core_call *c, const char *text)
{
    free(c->error);
    c->error = NULL;
    c->call.error = (loader_text){text, strlen(text)};
    c->output_lost = c->settle = true;
    return LOADER_NO_MEMORY;
}

/* loader_host.grow. Never waits for the GIL: the plugin may hold a lock that a thread wants which has the GIL. */
int core_host_grow(loader_call *call, size_t more)
{
    core_call *c = (core_call *)call;
    size_t used = (size_t)(call->next - c->begin);
    size_t capacity = (size_t)(call->limit - c->begin);
    size_t most = c->max_output < PY_SSIZE_T_MAX / 2 ? c->max_output : PY_SSIZE_T_MAX / 2;

    if (more <= (size_t)(call->limit - call->next))
        return LOADER_OK;
    if (used > most || more > most - used)
        return refuse_room(c, "its output is longer than the host allows");
    /* Doubling while small; by half when large, where realloc moves pages and not bytes. */
    capacity += capacity < (size_t)1 << 20 ? capacity : capacity / 2;
    if (capacity < used + more)
        capacity = used + more;
    if (capacity < 1024)
        capacity = 1024;
    if (capacity > most)
        capacity = most;
    if (c->room == CORE_RESULT && c->thread == NULL && core_on_thread(c) ? grow_result(c, used, capacity)
                                                                         : grow_memory(c, used, capacity))
        return refuse_room(c, "there is no memory for its output");
    return LOADER_OK;
}

/* loader_host.write */
int core_host_write(loader_call *call, const void *data, size_t size)
{
    core_call *c = (core_call *)call;
    char *const room = loader_reserve(call, size);
    size_t at;
    bool ascii;

    if (room == NULL)
        return LOADER_NO_MEMORY;
    at = (size_t)(room - c->begin);
    ascii = ascii_copy_long(room, (const char *)data, size);
    call->next = room + size;
    if (c->ascii_end > at) /* the plugin took output back: what was known of it is not now */
        c->ascii_end = 0;
    if (ascii && c->ascii_end != 0 && c->ascii_end == at) {
        c->ascii_end = at + size;
    } else if (ascii && (c->ascii_end == 0 || size > c->ascii_end - c->ascii_begin)) {
        c->ascii_begin = at;
        c->ascii_end = at + size;
    }
    return LOADER_OK;
}

/* ---- Results ----------------------------------------------------------------------------------------- */

/* Ends a result that is not short at `used` without giving back the room behind it, if that is little: to shrink
 * costs a call of 4 KB as much as its work. The last pages of a long one were never touched, so they are not
 * resident, and malloc takes memory of the next result of this size from where this one is freed only if that is
 * as large as what was asked for: shrinking made each 10 MB document fault in 2,600 new pages, which took longer
 * than the work. */
static bool end_in_place(const core_call *c, size_t used)
{
    size_t capacity = (size_t)(c->call.limit - c->begin);

    if (used < 512 || capacity - used > capacity / 4)
        return false;
    if (c->bytes_result)
        Py_SET_SIZE((PyVarObject *)c->result, (Py_ssize_t)used);
    else
        ((PyASCIIObject *)c->result)->length = (Py_ssize_t)used;
    c->begin[used] = '\0';
    return true;
}

/* Whether what was written must not be taken for the plugin's answer, whatever it returned: then raises. */
bool core_spoiled(core_call *c, const char *function)
{
    static const char outside[] = "it moved its output outside of its room";

    if ((size_t)(c->call.next - c->begin) > (size_t)(c->call.limit - c->begin)) {
        core_set_error(c, outside, sizeof outside - 1);
        core_raise(c, function, LOADER_FAILED, NULL);
    } else if (c->output_lost) { /* it did not look at what loader_write returns */
        core_raise(c, function, LOADER_NO_MEMORY, NULL);
    } else if (c->interrupted) {
        core_raise(c, function, LOADER_CANCELLED, NULL); /* an interrupt, which is not for a plugin to swallow */
    } else {
        return false;
    }
    return true;
}

static PyObject *take_result(core_call *c, size_t used)
{
    PyObject *result;

    /* Shared objects again: what is too short for an object of its own is made anew. */
    if (used < 2) {
        const char *data = c->begin;
        return c->bytes_result ? PyBytes_FromStringAndSize(data, (Py_ssize_t)used)
                               : PyUnicode_FromStringAndSize(data, (Py_ssize_t)used);
    }
    if (used != (size_t)(c->call.limit - c->begin) && !end_in_place(c, used) && resize_result(c, used, used) < 0)
        return NULL;
    result = c->result;
    c->result = NULL;
    c->room = CORE_BORROWED;
    return result;
}

PyObject *core_text(core_call *c, const char *function, bool ascii)
{
    const char *data = c->begin;
    size_t used = (size_t)(c->call.next - data);
    PyObject *text;
    size_t valid;

    if (core_spoiled(c, function))
        return NULL;
    if (c->room != CORE_RESULT || c->bytes_result) {
        text = short_text(&core_text_model, data, used);
        if (text != NULL || PyErr_Occurred())
            return text;
    } else if (ascii || core_is_ascii(c)) {
        return take_result(c, used);
    }
    text = decode_utf8(data, used);
    if (text != NULL || PyErr_Occurred())
        return text;
    valid = core_utf8_valid(data, used);
    char message[80];
    int size = snprintf(message, sizeof message, "wrote invalid UTF-8 at byte %zu of its answer", valid);
    core_forget(c);
    core_set_error(c, message, (size_t)size);
    return core_raise(c, function, LOADER_FAILED, NULL);
}

PyObject *core_bytes(core_call *c, const char *function)
{
    size_t used = (size_t)(c->call.next - c->begin);

    if (core_spoiled(c, function))
        return NULL;
    if (c->room == CORE_RESULT && c->bytes_result)
        return take_result(c, used);
    return PyBytes_FromStringAndSize(c->begin, (Py_ssize_t)used);
}
