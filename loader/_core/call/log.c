/* log.c: the lines that a plugin logs. They are queued, in memory of C, and handed to Python's logging by the thread
 * of the call when it has the GIL anyway: at the next service, or when the function has returned. So loader_log never
 * waits for the GIL, which a thread may hold that waits for a lock of the plugin; and no log handler, which may do
 * anything, runs in the middle of a plugin's work.
 *
 * A call's queue holds MOST bytes. What does not fit, or finds no memory, is counted, and one line says how many
 * there were.
 */
#include "call/internal.h"

#define MOST ((size_t)1 << 20)

struct line {
    struct line *next;
    core_owner *owner; /* borrowed: whoever runs the call keeps it */
    int level;
    size_t size;
    char text[];
};

struct core_log {
    struct line *first, **end;
    size_t size;
};

static PyObject *log_function; /* (plugin name, level, text) */

PyObject *core_set_log(PyObject *Py_UNUSED(module), PyObject *log)
{
    Py_XSETREF(log_function, Py_NewRef(log));
    Py_RETURN_NONE;
}

/* ---- In the plugin ----------------------------------------------------------------------------------- */

static struct line *new_line(core_call *c, const char *text, size_t size)
{
    struct line *line;

    if (c->log == NULL) {
        c->log = malloc(sizeof *c->log);
        if (c->log == NULL)
            return NULL;
        c->log->first = NULL;
        c->log->end = &c->log->first;
        c->log->size = 0;
    }
    if (size > MOST - sizeof *line || c->log->size > MOST - sizeof *line - size)
        return NULL;
    line = malloc(sizeof *line + size);
    if (line == NULL)
        return NULL;
    line->next = NULL;
    line->owner = c->owner;
    line->size = size;
    if (size != 0)
        memcpy(line->text, text, size);
    *c->log->end = line;
    c->log->end = &line->next;
    c->log->size += sizeof *line + size;
    return line;
}

/* loader_host.log */
void core_host_log(loader_call *call, int level, const char *text, size_t size)
{
    core_call *c = (core_call *)call;
    struct line *line;

    if (!core_on_thread(c)) /* the queue is this thread's */
        return;
    c->settle = true;
    line = new_line(c, text, text == NULL ? 0 : size);
    if (line == NULL)
        c->lines_lost++;
    else
        line->level = level;
}

/* ---- In Python --------------------------------------------------------------------------------------- */

/* Hands one line on. An interrupt or an exit out of a log handler ends the call; a handler that fails does not. */
static void hand_on(core_call *c, core_owner *owner, int level, const char *text, size_t size)
{
    PyObject *result = NULL, *line = PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, "replace");

    if (line != NULL)
        result = PyObject_CallFunction(log_function, "OiO", owner->name, level, line);
    if (result == NULL && !PyErr_ExceptionMatches(PyExc_Exception))
        core_keep_cause(c);
    else if (result == NULL)
        PyErr_WriteUnraisable(log_function);
    Py_XDECREF(result);
    Py_XDECREF(line);
}

static void free_log(core_log *log)
{
    struct line *line = log == NULL ? NULL : log->first, *next;

    for (; line != NULL; line = next) {
        next = line->next;
        free(line);
    }
    free(log);
}

void core_drop_log(core_call *c)
{
    free_log(c->log);
    c->log = NULL;
    c->lines_lost = 0;
}

void core_tell_log(core_call *c)
{
    core_log *const log = c->log;
    const size_t lost = c->lines_lost;

    if (log == NULL && lost == 0)
        return;
    /* Taken off the call first: a handler may come back to a plugin, but never to this call. */
    c->log = NULL;
    c->lines_lost = 0;
    if (log_function != NULL) {
        for (struct line *line = log == NULL ? NULL : log->first; line != NULL && !c->interrupted; line = line->next)
            hand_on(c, line->owner, line->level, line->text, line->size);
        if (lost != 0 && !c->interrupted) {
            char text[80];
            int size = snprintf(text, sizeof text, "%zu lines of its log were lost: a call keeps %zu KiB of them", lost,
                                MOST / 1024);
            hand_on(c, c->owner, LOADER_WARNING, text, (size_t)size);
        }
    }
    free_log(log);
}
