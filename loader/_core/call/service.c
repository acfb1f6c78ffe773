/* service.c: a plugin's call of a service, into Python and back.
 *
 * A service is a table of functions that the host lends to plugins, by id. Which there are: services.c.
 *
 * A table that Python objects stand behind has the shape that its C header declares: `size_t size`, then
 * function pointers. They all lead to a small set of C functions, one for each place in a table, made at
 * compile time (no code is generated at run time, so this works where memory may not be executable and
 * written, and after fork). Which service is meant is told by the table's own address, which every function
 * of a service takes as its second argument.
 *
 * A call's round trip: plugin -> thunk_<place> -> dispatch (takes the GIL, makes Python objects of the
 * arguments) -> the Python callable -> dispatch (stores the result, keeps it alive until the plugin's own
 * function returns; lets the GIL go, also if it was kept so far and there is another thread now) -> plugin.
 */
#include "call/service.h"

/* A plugin that came to itself through a service, deeper and deeper, failed once for each time: the first reason stays,
 * and not a row of a thousand failures with their texts. */
static void name_recursion(core_call *c)
{
    PyObject *reason = c->interrupted ? NULL : PyException_GetCause(c->cause);

    if (reason != NULL && PyErr_GivenExceptionMatches(reason, PyExc_RecursionError))
        Py_XSETREF(c->cause, reason);
    else
        Py_XDECREF(reason);
}

/* The service failed: what it raised becomes the cause, and the text of the plugin's failure. */
static int complain(core_call *c)
{
    PyObject *text, *utf8 = NULL;
    const char *name;

    if (PyErr_Occurred())
        core_keep_cause(c);
    name_recursion(c);
    name = Py_TYPE(c->cause)->tp_name;
    text = PyUnicode_FromFormat("%s: %S", name, c->cause);
    if (text != NULL)
        utf8 = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"); /* file names have lone surrogates */
    if (utf8 != NULL) {
        core_set_error(c, PyBytes_AS_STRING(utf8), (size_t)PyBytes_GET_SIZE(utf8));
    } else { /* its own __str__ fails */
        PyErr_Clear();
        core_set_error(c, name, strlen(name));
    }
    Py_XDECREF(utf8);
    Py_XDECREF(text);
    return LOADER_FAILED;
}

static int call_python(core_call *c, const struct bound *bound, Py_ssize_t place, const struct passed *passed)
{
    struct service_function *function = &bound->shape->functions[place];
    PyObject *arguments[MAX_PARAMETERS] = {NULL}, *result = NULL;
    Py_ssize_t made = 0;
    int failed;

    if (!core_stack_left()) {
        PyErr_SetString(PyExc_RecursionError,
                        "services and plugins call each other too deeply for this thread's stack");
        return complain(c);
    }
    if (Py_EnterRecursiveCall(" in a service that a plugin calls") != 0)
        return complain(c);
    while (made < function->count &&
           (arguments[made] = core_argument(&function->parameters[made], passed)) != NULL)
        made++;
    if (made == function->count)
        result = PyObject_Vectorcall(bound->callables[place], arguments, (size_t)made, NULL);
    while (made > 0)
        Py_DECREF(arguments[--made]);
    failed = result == NULL || core_deliver(c, function, result, passed) < 0;
    Py_XDECREF(result);
    Py_LeaveRecursiveCall();
    return failed ? complain(c) : LOADER_OK;
}

/* Up to Python 3.13 a thread that wants the GIL when the interpreter ends is ended, by pthread_exit, which in glibc
 * unwinds all frames of the thread: the plugin's too, where nothing may, and where `catch (...)` ends the process.
 * Such a thread stays here instead, as it does from Python 3.14 on. Compiled with -fexceptions (setup.py). */
#if defined(__GLIBC__)
#  include <unistd.h>
static void stay(const bool *unwound)
{
    while (*unwound)
        pause();
}
#  define NOT_UNWOUND(name) bool name __attribute__((cleanup(stay))) = true
#else
#  define NOT_UNWOUND(name) bool name = true
#endif

static int dispatch(loader_call *call, const void *self, Py_ssize_t place, const struct passed *passed)
{
    static const char no_service[] = "this is not the table of a service that the host lent";
    core_call *c = (core_call *)call;
    const struct bound *bound;
    const bool away = c->thread != NULL;
    const core_step *step = c->crumb->step;
    uint64_t magic = 0;
    int status;

    if (self != NULL)
        memcpy(&magic, (const char *)self - sizeof magic, sizeof magic);
    bound = magic == MAGIC ? (const struct bound *)((const char *)self - offsetof(struct bound, table)) : NULL;
    if (bound == NULL || place >= bound->shape->count)
        return core_set_error(c, no_service, sizeof no_service - 1), LOADER_INVALID;
    if (!core_on_thread(c)) /* and no error text: to set one here would race with the call's own thread */
        return LOADER_INVALID;
    NOT_UNWOUND(unwound);
    core_acquire(c);
    c->crumb->step = NULL; /* a crash in here is not the plugin's */
    core_tell_log(c); /* in order with what the service logs */
    if (c->owner->watch != NULL)
        core_watch_service(c, step == NULL ? "" : step->name, bound->id, bound->id_size);
    status = core_run_handlers(c) ? complain(c) : call_python(c, bound, place, passed);
    if (status == LOADER_OK && core_run_handlers(c)) /* a service in C gives them no turn */
        status = complain(c);
    if (c->owner->watch != NULL)
        core_watch_service(c, step == NULL ? "" : step->name, "", 0);
    c->crumb->step = step;
    core_go_on(c, away);
    unwound = false;
    (void)unwound;
    return status;
}

/* A thunk reads as many arguments as any function of a service may have. Those that its caller did not pass
 * are whatever is in those registers and stack slots, and nobody looks at them. */
#if defined(_WIN32)
/* `x` and `y` are the classes of the arguments behind the table, which are in registers; all others are on the stack,
 * where the class does not matter. */
#  define THUNK_OF(n, x, X, y, Y)                                                                       \
      static int thunk_##n##x##y(loader_call *call, const void *self, X a, Y b, uintptr_t c, uintptr_t d,   \
                                 uintptr_t e, uintptr_t f, uintptr_t g, uintptr_t h, uintptr_t i,       \
                                 uintptr_t j, uintptr_t k, uintptr_t l, uintptr_t m, uintptr_t o,       \
                                 uintptr_t p, uintptr_t q)                                              \
      {                                                                                                 \
          struct passed passed = {{0, 0, c, d, e, f, g, h, i, j, k, l, m, o, p, q}, {0}};               \
          memcpy(&passed.words[0], &a, sizeof a);                                                       \
          memcpy(&passed.words[1], &b, sizeof b);                                                       \
          return dispatch(call, self, n, &passed);                                                      \
      }
#  define THUNK(n)                                                                                      \
      THUNK_OF(n, w, uintptr_t, w, uintptr_t)                                                           \
      THUNK_OF(n, r, double, w, uintptr_t)                                                              \
      THUNK_OF(n, w, uintptr_t, r, double)                                                              \
      THUNK_OF(n, r, double, r, double)
#  define ADDRESS(n) {(thunk)thunk_##n##ww, (thunk)thunk_##n##rw, (thunk)thunk_##n##wr, (thunk)thunk_##n##rr},
#else
#  define THUNK(n)                                                                                      \
      static int thunk_##n(loader_call *call, const void *self, uintptr_t a, uintptr_t b, uintptr_t c,  \
                           uintptr_t d, uintptr_t e, uintptr_t f, uintptr_t g, uintptr_t h, double i,   \
                           double j, double k, double l, double m, double o, double p, double q)        \
      {                                                                                                 \
          const struct passed passed = {{a, b, c, d, e, f, g, h}, {i, j, k, l, m, o, p, q}};            \
          return dispatch(call, self, n, &passed);                                                      \
      }
#  define ADDRESS(n) {thunk_##n},
#endif
#define EIGHT(X, d) X(d##0) X(d##1) X(d##2) X(d##3) X(d##4) X(d##5) X(d##6) X(d##7)
/* Octal numbers: thunk_00 to thunk_037. */
#define ALL(X) EIGHT(X, 0) EIGHT(X, 01) EIGHT(X, 02) EIGHT(X, 03)
ALL(THUNK)
static const thunk thunks[MAX_FUNCTIONS][4] = {ALL(ADDRESS)};

thunk core_thunk(const struct service_function *function, Py_ssize_t place)
{
    int classes = 0;

#if defined(_WIN32)
    for (Py_ssize_t i = 0; i < function->count; i++)
        if (is_real(&function->parameters[i]) && function->parameters[i].place < 2)
            classes |= 1 << function->parameters[i].place;
#else
    (void)function; /* the classes do not share registers */
#endif
    return thunks[place][classes];
}
