/* internal.h: what the files of the module _call share with each other and with nobody else. */
#ifndef LOADER_CORE_INTERNAL_H
#define LOADER_CORE_INTERNAL_H

#include "call/core.h"

/* What is shared here is found without the table by which a library finds what others define; -fvisibility, which is
 * for definitions, does not say so to a file that only uses it. */
#if defined(__GNUC__) && !defined(_WIN32)
#  pragma GCC visibility push(hidden)
#endif

/* Of a contract function, after the call; loader/contract/header/ refuses more: */
#define MAX_WORDS 8 /* parameters of integer or pointer class */
#define MAX_REALS 8 /* float and double */
#define MAX_PARAMETERS (MAX_WORDS + MAX_REALS)

/* What a parameter, field or result is: the values of contract.Kind, by their first letter. */
enum kind {
    KIND_NONE = 0,
    KIND_TEXT = 't',
    KIND_BYTES = 'b',
    KIND_STRUCT = 's',
    KIND_INTEGER = 'i',
    KIND_FLOAT = 'f',
    KIND_DOUBLE = 'd',
    KIND_NUMBERS = 'n', /* loader_f64s and its like */
    KIND_TEXTS = 'l',
    KIND_LIST = 'v', /* of structs */
    KIND_TENSOR = 'x',
    KIND_INTERFACE = 'o', /* a table of functions of the caller's */
    KIND_INSTANCE = 'c',  /* of a class of the plugin's */
    KIND_ARROW = 'a'
};

/* ---- call.c ---- */
extern const loader_host core_host;
extern unsigned core_generation; /* counts the forks that this process is the child of */
int core_begin_slow(core_call *c); /* both ends of a call: ends.h */
void core_end_slow(core_call *c);
int core_settle(core_call *c, int status);
bool core_run_handlers(core_call *c);
/* Around a function of a plugin that gives back what the plugin made, and is part of no call: T_free, the release of an
 * Arrow array. What is raised stays so. */
struct cleanup {
    core_call c; /* what core_enter reads of it; its owner is NULL if the function is the host's own */
    core_crumb outer;
    PyThreadState *thread;
    PyObject *error;
};
/* False: it is not to be called, nor core_cleanup_end. */
bool core_cleanup_begin(struct cleanup *cleanup, core_owner *owner, const core_step *step, bool never_blocks);
void core_cleanup_end(struct cleanup *cleanup);

/* ---- error.c ---- */
PyObject *core_raise(core_call *c, const char *function, int status, const char *where);
void core_raise_forked(const core_call *c);
void core_forget(core_call *c);
PyObject *core_raised(void);
void core_raise_again(PyObject *error);
void core_keep_cause(core_call *c);
int core_set_error(core_call *c, const char *text, size_t size);
PyObject *core_set_error_factory(PyObject *module, PyObject *factory);

/* ---- gil.c ---- */
extern PyInterpreterState *core_interpreter; /* the main one; plugins are called in no other */
extern unsigned long core_main_thread;       /* its number; 0: not known */
void core_find_main_thread(void);
void core_release(core_call *c);
void core_acquire(core_call *c);
void core_go_on(core_call *c, bool away);
bool core_on_thread(const core_call *c);

/* ---- log.c ---- */
void core_host_log(loader_call *call, int level, const char *text, size_t size);
void core_tell_log(core_call *c);
void core_drop_log(core_call *c);
PyObject *core_set_log(PyObject *module, PyObject *log);

/* ---- signals.c ---- */
extern atomic_uint core_signals_arrived; /* a count */
void core_signals_learn(void);
void core_signals_look_after(void);
uintptr_t core_signals_true(uintptr_t there);

/* ---- output.c ---- */
extern PyASCIIObject core_text_model; /* for short_text */
int core_use_result(core_call *c, size_t size, bool bytes);
int core_host_grow(loader_call *call, size_t more);
int core_host_write(loader_call *call, const void *data, size_t size);
PyObject *core_text(core_call *c, const char *function, bool ascii);
PyObject *core_bytes(core_call *c, const char *function);
bool core_spoiled(core_call *c, const char *function);

/* ---- array.c ---- */
extern PyTypeObject core_array_type;
void *core_host_alloc(loader_call *call, size_t size);
void core_drop_blocks(core_call *c);
/* Whether [data, data + size) lies in memory that this call was given. */
core_block *core_block_of(const core_call *c, const void *data, size_t size);
PyObject *core_array(core_block *block, void *data, size_t count, char kind, size_t size); /* a memoryview */
PyObject *core_copied_array(const loader_text *given, char kind, size_t size); /* a memoryview of a copy */
PyObject *core_array_of_rows(core_block *block, void *data, size_t count, PyObject *layout);
bool core_is_array_of(PyObject *value, PyObject *layout); /* one of these, of this struct */

/* ---- borrow.c ---- */
/* 1: *buffer is lent, 0: *keep holds what is; -1 with an exception. */
int core_borrow_list(PyObject *value, PyObject *name, PyObject *layout, bool writable, Py_buffer *buffer,
                     PyObject **keep, loader_text *out);
int core_borrow_numbers(PyObject *value, PyObject *name, char kind, size_t size, bool writable, Py_buffer *buffer,
                        loader_text *out);
int core_borrow_texts(PyObject *value, PyObject *name, PyObject **keep, loader_text *out);

/* ---- tensor.c ---- */
int core_borrow_tensor(PyObject *value, PyObject *name, bool writable, Py_buffer *buffer, PyObject **keep,
                       uintptr_t *out);

/* ---- lend.c ---- */
extern PyTypeObject core_lent_type;
/* `table`: a Table. *keep holds what *out points to. 0, or -1 with an exception. */
int core_lend(PyObject *table, PyObject *value, PyObject *name, PyObject **keep, uintptr_t *out);

/* ---- arrow.c ---- */
extern PyTypeObject core_arrow_type;
int core_borrow_arrow(PyObject *value, PyObject *name, PyObject **keep, loader_text *out); /* *out: a loader_arrow */
size_t core_arrow_size(void);   /* of the room for a result */
void core_arrow_room(char *at); /* made ready for the plugin */
/* What it filled: an Arrow; NULL with an exception, or with what is wrong as *what. Then it is released. */
PyObject *core_arrow_result(const core_call *c, const char *at, const char **what);
void core_arrow_drop(core_owner *owner, const char *at); /* releases what nobody gets */

/* ---- crash.c ---- */
#if defined(__GLIBC__)
/* one instruction, where others call a function */
#  define CORE_TRAIL_MODEL __attribute__((tls_model("initial-exec")))
#else
#  define CORE_TRAIL_MODEL
#endif
extern _Thread_local core_crumb core_trail CORE_TRAIL_MODEL;
extern unsigned core_alarm; /* 0: crashes are not reported */
void core_arm_thread(void);
PyObject *core_loading(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *core_crash_enable(PyObject *module, PyObject *number);
PyObject *core_crash_disable(PyObject *module, PyObject *none);

/* ---- crash_ranges.c ---- */
void core_note_range(const core_owner *owner, const void *address);

/* ---- stack.c ---- */
bool core_stack_left(void); /* whether this thread's stack has room for one more call from C into Python */

/* ---- watch.c ---- */
PyObject *core_watch_before(core_call *c, const char *function);
int core_watch_after(core_call *c, const char *function, PyObject *token, int status);
/* The call enters a service, or leaves it (size 0). GIL held. */
void core_watch_service(core_call *c, const char *function, const char *id, size_t size);
extern PyMethodDef core_watch_functions[];

/* ---- hold.c ---- */
bool core_is_ending(void); /* Python is */

/* ---- limit.c ---- */
extern PyTypeObject core_limit_type;
extern Py_ssize_t core_limits_active; /* limits that may be in force, in the whole process; under the GIL */
core_limit *core_limit_current(void); /* borrowed from the context; NULL: none, or an exception is set */
int core_limit_check(const core_limit *limit);
int64_t core_limit_deadline(const core_limit *limit); /* by core_now; INT64_MAX: none */
core_limit *core_limit_new(PyObject *seconds, core_limit *parent, core_limit *token); /* None: no deadline */
int core_limit_enter(core_limit *limit); /* puts it in force in this context: 0, or -1 with an exception */
int core_limit_leave(core_limit *limit); /* ends that */
void core_limit_cancel(core_limit *limit); /* from any thread, without the GIL too */
bool core_limit_is_of(const core_limit *limit, const core_limit *flag); /* in force, and made for this flag */
int core_limit_init(PyObject *module);
int64_t core_now(void); /* nanoseconds of the monotonic clock */

/* ---- limit_scope.c ---- */
extern PyTypeObject core_deadline_type, core_cancel_token_type;

/* ---- services.c ---- */
typedef struct core_services core_services;
extern PyTypeObject core_services_type, core_table_type;
/* The table under this id, or NULL. *given: it is a C table of the application's own. */
const void *core_services_find(const core_services *services, const char *id, size_t size, bool *given);
const struct core_table *core_services_shape(const core_services *services, const void *table); /* or NULL */

/* ---- layout.c, pack.c, record.c, row.c ---- */
struct field {
    PyObject *name; /* interned str */
    size_t offset;
    size_t size;
    enum kind kind;
    bool is_signed;
    PyObject *allowed; /* the values of an enum or of bool: see core_choice; or NULL */
    PyObject *layout;  /* KIND_STRUCT: of the nested one */
    size_t count;      /* elements of an array, or 0 */
    PyObject *members; /* the values as Python knows them: see core_member; or NULL */
};
extern PyTypeObject core_layout_type, core_record_type;
int core_pack(PyObject *layout, PyObject *value, const void **native, PyObject **keep);
PyObject *core_row(PyObject *layout, const void *native); /* a row of the struct */
void core_set_sizes(PyObject *layout, char *memory); /* of a struct that is all 0, and of those in it */
size_t core_layout_size(PyObject *layout);
/* Where in a struct its texts and bytes are, those of nested structs too; the first `room` of them. How many there are. */
size_t core_layout_texts(PyObject *layout, size_t base, uint32_t *places, size_t room);
PyObject *core_layout_arrays(PyObject *layout); /* borrowed; NULL with an exception */
int core_pack_list(PyObject *layout, PyObject *value, PyObject *name, PyObject **keep, loader_text *out);
/* Hidden: see core_hidden. *type: what makes the class, until it has. */
PyObject *core_new_row(PyObject **type, Py_ssize_t count);

/* ---- value.c ---- */
int core_borrow_text(PyObject *value, PyObject *name, loader_text *out);
int core_integer(PyObject *value, size_t size, bool is_signed, PyObject *name, uintptr_t *out);
int core_choice(PyObject *allowed, PyObject *value, size_t size, bool is_signed, PyObject *name, uintptr_t *out);
PyObject *core_allowed(PyObject *given, PyObject *name);
/* The low `size` bytes of a number. */
static inline void core_store_integer(void *memory, uintptr_t number, size_t size)
{
    memcpy(memory, (const char *)&number + (PY_BIG_ENDIAN ? sizeof number - size : 0), size);
}
int core_store_field(const struct field *field, char *memory, PyObject **value);
PyObject *core_from_integer(uintptr_t value, size_t size, bool is_signed);
PyObject *core_text_object(const loader_text *text, enum kind kind);
PyObject *core_load_field(const struct field *field, const void *native);
int core_real(PyObject *value, PyObject *name, double *out);
/* Whether a TypeError is set that C raised: a value is not of the type. One with a traceback is of the value's own
 * code, and not ours to reword. */
bool core_not_of_type(void);
/* The items of a sequence as a new tuple: as many as it says that it has, or fewer. What says nothing, or has no end,
 * is none. NULL, without an exception where it is no sequence. */
PyObject *core_items(PyObject *value);
/* A tuple whose items are not there yet is hidden: the garbage collector would lend it to anybody (gc.get_objects), and
 * to look at such an item ends the process. core_show when it is whole. */
static inline PyObject *core_hidden(PyObject *tuple)
{
    if (tuple != NULL && PyTuple_GET_SIZE(tuple) > 0)
        PyObject_GC_UnTrack(tuple);
    return tuple;
}
static inline PyObject *core_shown(PyObject *tuple)
{
    if (PyTuple_GET_SIZE(tuple) > 0)
        PyObject_GC_Track(tuple);
    return tuple;
}
/* What a slot holds that is made when it is wanted: until then a callable, which gives an object of `type`. Borrowed
 * from the slot; NULL with an exception. */
PyObject *core_made(PyObject **slot, PyTypeObject *type);
/* The member of an enum, or the bool, that `value` is, which it takes; NULL with ValueError if there is none. *members:
 * a dict, or a callable that makes it. */
PyObject *core_member(PyObject **members, PyObject *value, PyObject *name);

/* ---- owner.c ---- */
extern PyTypeObject core_owner_type;
core_function core_function_at(const core_owner *owner, PyObject *address); /* of the plugin; NULL with an exception */
bool core_promised(const core_owner *owner, PyObject *function); /* by its name: that it never blocks */

/* ---- function_type.c, utf8.c ---- */
extern PyTypeObject core_function_type, core_method_type;
size_t core_utf8_valid(const char *data, size_t size);

#if defined(__GNUC__) && !defined(_WIN32)
#  pragma GCC visibility pop
#endif

#endif /* LOADER_CORE_INTERNAL_H */
