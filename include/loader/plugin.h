/* plugin.h: what every native plugin contract is built of. Loader ABI 1.
 *
 * A contract is a C header that includes this one, names itself with LOADER_CONTRACT and declares
 * functions of one shape:
 *
 *     int NAME(loader_call *call, ...);
 *
 * Rules that hold for every function of every contract, unless its own comment says otherwise:
 *
 *   return    0 (LOADER_OK) is success. Anything else is an error; say why with loader_fail first.
 *   owner     Whoever allocates frees. A plugin never frees what the host lent it, nor the reverse.
 *   lifetime  Every pointer that a call receives, and everything reached through it, is borrowed: it is
 *             valid until the function returns and never after.
 *   thread    `call` and all that it lends belong to the thread that entered the function. The host may
 *             enter the same plugin from several threads at once, each with a `call` of its own.
 *   locks     A plugin may lock what its threads share, and write, log, fail and ask loader_cancelled with
 *             the lock held: none of these waits for Python. A service does, and may run any Python code,
 *             this plugin's functions included: hold no lock across a call of a service.
 *   unwinding No C++ exception, Rust panic, Go panic or longjmp may leave an exported function.
 *   text      is UTF-8 with its length beside it. It is not NUL-terminated and may hold NUL bytes.
 *   growth    Structs grow only at their end, and begin with their own size, so that both sides can tell
 *             what the other knows. A change of layout is a new LOADER_ABI.
 *
 * Compiles as C11 and as C++11 or later, 64-bit targets. Define LOADER_HOST before including it in a
 * program that calls plugins rather than being one: then no marker symbol is emitted.
 */
#ifndef LOADER_PLUGIN_H
#define LOADER_PLUGIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LOADER_ABI 1

/* What has been added to this header since, each behind what was there before: a host of a later minor runs all
 * plugins of this ABI, and a plugin runs in older hosts as long as it can do without what is newer (LOADER_NEEDS).
 *     1   loader_plugin_path
 *     2   the host's own copy of long output, which plugins do not see
 *     3   loader_alloc, LOADER_OUT of a contract's functions, arrays, lists, tensors, Arrow arrays, floating-point
 *         numbers, interfaces, classes */
#define LOADER_ABI_MINOR 3

/* ---- What a compiler needs to hear ------------------------------------------------------------------- */

/* LOADER_EXPORT, on a contract's prototypes: the definition is visible outside the shared object, also
 * under -fvisibility=hidden. */
#if defined(LOADER_HOST)
#  define LOADER_EXPORT
#elif defined(_WIN32) || defined(__CYGWIN__)
#  define LOADER_EXPORT __declspec(dllexport)
#else
#  define LOADER_EXPORT __attribute__((visibility("default")))
#endif

/* LOADER_OPTIONAL, in the place of LOADER_EXPORT: a plugin may leave this function out. The host learns
 * that when it loads the plugin, never when it calls. A function that a later minor version adds must be
 * optional. */
#define LOADER_OPTIONAL LOADER_EXPORT

/* LOADER_GIVES_BYTES, before LOADER_EXPORT or LOADER_OPTIONAL: what the function writes is raw bytes.
 * Without it what a function writes is text, and the host checks that it is UTF-8. */
#define LOADER_GIVES_BYTES

/* LOADER_OUT, before a parameter that is a pointer: a result. It points to room of the host's for one value, all 0
 * when the function is entered; the function sets it, and the host takes it if the function returns LOADER_OK:
 *
 *     LOADER_EXPORT int divide(loader_call *call, int64_t a, int64_t b,
 *                              LOADER_OUT int64_t *quotient, LOADER_OUT int64_t *rest);
 *
 * Numbers, bool, enums, structs, loader_text, loader_bytes, arrays of numbers and of structs, loader_arrow and
 * instances of classes may be results. What a loader_text, loader_bytes or array points to is memory of loader_alloc,
 * or (not of arrays) constant; see loader_arrow and LOADER_CLASS for theirs. A function that has such results writes
 * nothing, unless LOADER_GIVES_TEXT or LOADER_GIVES_BYTES says that it does both. */
#define LOADER_OUT

/* LOADER_GIVES_TEXT, where LOADER_GIVES_BYTES may stand: the function writes text beside its LOADER_OUT results. */
#define LOADER_GIVES_TEXT

/* LOADER_REPEATABLE, before LOADER_EXPORT or LOADER_OPTIONAL: a call of the function may be made twice, although the
 * first one has done its work, or a part of it: what it changes outside of its arguments is the same after two calls as
 * after one. Where a plugin has a process of its own that dies during such a call, a host that asks for it
 * (Isolation(on_crash="retry") in Python) calls the function once more, in a new process. Without the word the call
 * fails. Not for functions that get an instance of a class: it dies with the process. */
#define LOADER_REPEATABLE

#ifdef __cplusplus
#  define LOADER_BEGIN_C extern "C" {
#  define LOADER_END_C }
#  define LOADER_STATIC_ASSERT static_assert
#else
#  define LOADER_BEGIN_C
#  define LOADER_END_C
#  define LOADER_STATIC_ASSERT _Static_assert
#endif

#if defined(__MINGW_PRINTF_FORMAT) /* MinGW has two kinds of printf; this names the one that <stdio.h> gave */
#  define LOADER_FORMAT(text, rest) __attribute__((format(__MINGW_PRINTF_FORMAT, text, rest)))
#elif defined(__GNUC__) || defined(__clang__)
#  define LOADER_FORMAT(text, rest) __attribute__((format(printf, text, rest)))
#else
#  define LOADER_FORMAT(text, rest)
#endif
#if defined(__GNUC__) || defined(__clang__)
#  define LOADER_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#  define LOADER_LIKELY(condition) (condition)
#endif

/* A marker is an exported name; its value is never read. It is weak (selectany on Windows), so that it may
 * be emitted by every file of a plugin that includes the contract's header. */
#if defined(LOADER_HOST)
#  define LOADER_MARKER(name) LOADER_STATIC_ASSERT(sizeof(#name) > 1, "a marker has a name")
#elif defined(_MSC_VER) || (defined(__cplusplus) && (defined(_WIN32) || defined(__CYGWIN__)))
/* In one declaration: a const of C++ is external only if it says so here, and selectany wants it external. */
#  define LOADER_MARKER(name)                                                                           \
      LOADER_BEGIN_C extern __declspec(dllexport) __declspec(selectany) const unsigned char name        \
          = LOADER_ABI; LOADER_END_C                                                                    \
      LOADER_STATIC_ASSERT(sizeof(#name) > 1, "a marker has a name")
#elif defined(_WIN32) || defined(__CYGWIN__) /* C of GCC: warns if extern has a value */
#  define LOADER_MARKER(name)                                                                           \
      LOADER_BEGIN_C extern __declspec(dllexport) const unsigned char name;                             \
      __attribute__((selectany)) const unsigned char name = LOADER_ABI; LOADER_END_C                    \
      LOADER_STATIC_ASSERT(sizeof(#name) > 1, "a marker has a name")
#else
#  define LOADER_MARKER(name)                                                                           \
      LOADER_BEGIN_C extern __attribute__((weak, visibility("default"))) const unsigned char name;      \
      const unsigned char name = LOADER_ABI;                                                            \
      LOADER_END_C LOADER_STATIC_ASSERT(sizeof(#name) > 1, "a marker has a name")
#endif

/* The handshake. A plugin exports two names, which the host reads from the file's export table before any
 * of the plugin's code runs:
 *
 *     loader_abi_1                        the ABI of this header
 *     <contract>_abi_<major>_<minor>      the contract that it was built against
 *
 * LOADER_CONTRACT(greeter, 1, 0) stands once in the contract's header and emits the second (this header
 * itself emits the first). A host of version M.N accepts a plugin of the same major and a minor <= N. */
#define LOADER_CONTRACT(name, major, minor) LOADER_MARKER(name##_abi_##major##_##minor)

LOADER_MARKER(loader_abi_1);

/* LOADER_NEEDS(3), once, in a plugin or in a contract's header: a host whose LOADER_ABI_MINOR is less refuses the
 * plugin before any of its code runs. Without it a plugin needs none of what was added: the functions below that an
 * older host lacks are safe to call there and say so (loader_alloc gives NULL, loader_plugin_path nothing). So say the
 * least that the plugin cannot do without. It exports a name, loader_abi_1_3, so any language can say it. */
#define LOADER_NEEDS(minor) LOADER_MARKER(loader_abi_1_##minor)

/* LOADER_FINGERPRINT(greeter, 1, 0, 0x0123456789abcdef), after LOADER_CONTRACT, a line for each minor version: what
 * that version declared, as a number. `loader contract --stamp greeter.h` writes the line. Keep those of earlier
 * minors: by them a host knows what plugins were built against that are older than it.
 *
 * A plugin exports a third name by it, greeter_abi_1_0_is_0x0123456789abcdef. A host whose header has another number
 * for that version refuses the plugin before any of its code runs: one of the two headers was changed without a new
 * version. (The lines of earlier minors export names too, since the preprocessor cannot compare; a host reads that of
 * the version which it accepts.) Without the line nothing is exported and nothing compared, unless `loader bindings`
 * wrote what exports the functions: it says the fingerprint that it was written from. */
#define LOADER_FINGERPRINT(name, major, minor, fingerprint)                                             \
    LOADER_MARKER(name##_abi_##major##_##minor##_is_##fingerprint)

/* LOADER_NEVER_BLOCKS(greet), once, after the contract's header: a promise that the function `greet` of this
 * plugin never blocks: it takes no lock, does no I/O, calls no service, waits for nobody, and returns within a
 * millisecond or two. (Memory may be allocated: malloc's locks are not held for long.) A host in Python lets
 * other threads run while a plugin does (it releases the GIL), which costs about as much as a short call; with
 * the promise it does not. A promise that is not kept makes threads wait for each other, for ever where a lock
 * is in it; a host in debug mode (Host(debug=True)) finds out.
 *
 * The host reads the name greet_never_blocks from the export table, so any language can promise: export a
 * function or a variable of that name. */
#define LOADER_NEVER_BLOCKS(function)                                                                   \
    LOADER_STATIC_ASSERT(sizeof(&(function)) != 0, "a function of the contract");                        \
    LOADER_MARKER(function##_never_blocks)

/* ---- Values ------------------------------------------------------------------------------------------ */

/* Text: `size` bytes of UTF-8 at `data`. Borrowed. `data` may be NULL only if `size` is 0. */
typedef struct loader_text {
    const char *data;
    size_t size;
} loader_text;

/* Raw bytes: `size` of them at `data`. Borrowed. `data` may be NULL only if `size` is 0. */
typedef struct loader_bytes {
    const unsigned char *data;
    size_t size;
} loader_bytes;

/* Texts: `size` of them at `data`. Borrowed. */
typedef struct loader_texts {
    const loader_text *data;
    size_t size;
} loader_texts;

/* Arrays of numbers: `size` elements at `data`, which is aligned as they are and may be NULL only if `size` is 0.
 * `const loader_f64s *` is borrowed memory of the caller's that is not to be changed (other threads may read it),
 * `loader_f64s *` such that is to be changed in place, LOADER_OUT loader_f64s * a result. */
#define LOADER_NUMBERS(name, type)                                                                      \
    typedef struct name {                                                                               \
        type *data;                                                                                     \
        size_t size;                                                                                    \
    } name
LOADER_NUMBERS(loader_i8s, int8_t);
LOADER_NUMBERS(loader_i16s, int16_t);
LOADER_NUMBERS(loader_i32s, int32_t);
LOADER_NUMBERS(loader_i64s, int64_t);
LOADER_NUMBERS(loader_u8s, uint8_t);
LOADER_NUMBERS(loader_u16s, uint16_t);
LOADER_NUMBERS(loader_u32s, uint32_t);
LOADER_NUMBERS(loader_u64s, uint64_t);
LOADER_NUMBERS(loader_f32s, float);
LOADER_NUMBERS(loader_f64s, double);
#undef LOADER_NUMBERS

/* LOADER_LIST(app_point), in a contract's header after the struct: declares app_point_list, an array of these structs,
 * which is used as the arrays of numbers above are. A struct in a list does not begin with its size: it cannot grow. */
#define LOADER_LIST(type)                                                                               \
    typedef struct type##_list {                                                                        \
        type *data;                                                                                     \
        size_t size;                                                                                    \
    } type##_list

/* A tensor: an array of any shape and stride, laid out as DLPack's DLTensor is (dlpack.h, version 1). Borrowed, in the
 * memory of the host's process. `const loader_tensor *` is not to be changed, loader_tensor * may be, in place. */
typedef struct loader_tensor {
    void *data;             /* aligned as its elements are, or to 8 bytes */
    int32_t device_type;    /* 1: the CPU. The host lends no other */
    int32_t device_id;      /* 0 */
    int32_t ndim;           /* dimensions; 0: one element */
    uint8_t code;           /* of its elements: enum loader_tensor_code */
    uint8_t bits;           /* of an element */
    uint16_t lanes;         /* 1 */
    const int64_t *shape;   /* ndim of them */
    const int64_t *strides; /* ndim of them, in elements; may be 0 or negative; never NULL */
    uint64_t byte_offset;   /* from `data` to the first element */
} loader_tensor;

/* What the elements of a tensor are, as DLPack numbers it. */
enum loader_tensor_code {
    LOADER_TENSOR_INT = 0,
    LOADER_TENSOR_UINT = 1,
    LOADER_TENSOR_FLOAT = 2,
    LOADER_TENSOR_BFLOAT = 4,
    LOADER_TENSOR_COMPLEX = 5,
    LOADER_TENSOR_BOOL = 6
};

/* Arrow's C data interface: these two structs are its specification's, under its guard, so that the headers of Arrow
 * and of nanoarrow may be included as well. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

/* What an array is of. */
struct ArrowSchema {
    const char *format;             /* the type: "l" for int64, "g" for double, "+s" for a struct; never NULL */
    const char *name;               /* of the field, or NULL */
    const char *metadata;           /* in a form of its own, or NULL */
    int64_t flags;                  /* ARROW_FLAG_ of these, together */
    int64_t n_children;             /* as many as the array has */
    struct ArrowSchema **children;  /* n_children of them */
    struct ArrowSchema *dictionary; /* of the values, if the array has numbers that stand for them, or NULL */
    void (*release)(struct ArrowSchema *schema); /* of it and its children; sets itself to NULL, which says so */
    void *private_data;             /* its maker's */
};

/* The array itself. */
struct ArrowArray {
    int64_t length;                /* elements */
    int64_t null_count;            /* -1: not counted */
    int64_t offset;                /* elements in the buffers before the first */
    int64_t n_buffers;             /* by the type: two for numbers */
    int64_t n_children;            /* columns of a struct, and the like */
    const void **buffers;          /* n_buffers of them; the first mostly says what is null, and may be NULL */
    struct ArrowArray **children;  /* n_children of them */
    struct ArrowArray *dictionary; /* see ArrowSchema */
    void (*release)(struct ArrowArray *array); /* see ArrowSchema */
    void *private_data;            /* its maker's */
};

#endif /* ARROW_C_DATA_INTERFACE */

/* An Arrow array of any type, with the schema that says which: look at schema->format first.
 *
 * `const loader_arrow *` is borrowed: neither of the two is changed, released or moved by the plugin. LOADER_OUT
 * loader_arrow * is a result: `schema` and `array` point to structs of the host's that are all 0. The plugin fills
 * both, with release functions of its own, which are called once, on any thread, also after many other calls. So it is
 * not in memory of loader_alloc, which goes when the function returns. What it filled is released too if it returns an
 * error. */
typedef struct loader_arrow {
    struct ArrowSchema *schema; /* of the array */
    struct ArrowArray *array;   /* released once, as the schema is */
} loader_arrow;

/* What a contract function returns. Any other value is an error without a meaning of its own:
 * a host that is older than a value here says its number, and the text. */
enum loader_status {
    LOADER_OK = 0,        /* it worked; what was written is the result */
    LOADER_FAILED = 1,    /* it did not; loader_fail said why */
    LOADER_NO_MEMORY = 2, /* an allocation failed, or the host's limit of output was reached */
    LOADER_INVALID = 3,   /* an argument's value is not acceptable */
    LOADER_CANCELLED = 4, /* stopped because the host asked (see loader_cancelled) */
    LOADER_DEADLINE = 5,  /* stopped because time was up (see loader_cancelled) */
    LOADER_PANIC = 6,     /* a panic (Rust, Go) was caught at the plugin's edge */
    LOADER_EXCEPTION = 7, /* an exception (C++) was caught at the plugin's edge */
    LOADER_DONE = 8       /* of the function `next` of a class: there is nothing more; no result is read */
};

/* Levels of loader_log: the numbers of Python's logging. */
enum loader_level {
    LOADER_DEBUG = 10,
    LOADER_INFO = 20,
    LOADER_WARNING = 30,
    LOADER_ERROR = 40
};

typedef struct loader_call loader_call;
typedef struct loader_host loader_host;

/* One call's context. Made by the host, borrowed by the plugin until the function returns, used on the
 * thread that the function was entered on only. A plugin moves `next` (through the helpers below) and
 * leaves every other field alone. */
struct loader_call {
    size_t size;             /* bytes of this struct as the host knows it */
    char *next;              /* where the next byte of output goes */
    char *limit;             /* one past the last byte of room at `next`; room may be 0 */
    const loader_host *host; /* the host's functions; never NULL */
    loader_text error;       /* text of the last failure on this call; size 0 if there was none */
};

/* The host's functions. Owned by the host, valid as long as the process. Each is called with the `call`
 * that the plugin was given, on the same thread. None of them unwinds. Plugins use the inline functions
 * below rather than this table. */
struct loader_host {
    size_t size; /* bytes of this struct as the host knows it */
    /* Makes room for at least `more` bytes at call->next; `next` and `limit` may move.
     * Returns LOADER_OK or LOADER_NO_MEMORY. */
    int (*grow)(loader_call *call, size_t more);
    /* Copies `size` bytes of UTF-8 at `text` as the error text of this call, replacing an earlier one (the
     * host cuts it at 64 KiB). Returns `status`, or LOADER_FAILED if `status` is LOADER_OK. */
    int (*fail)(loader_call *call, int status, const char *text, size_t size);
    /* Hands one line of UTF-8 to the application's log. Copies. The line is written when the function returns or
     * calls a service. A call keeps 1 MiB of lines, and the log says how many there were beyond. */
    void (*log)(loader_call *call, int level, const char *text, size_t size);
    /* LOADER_OK: go on. LOADER_CANCELLED, LOADER_DEADLINE: stop soon and return that value. Cancelled is also a call
     * on Python's main thread when a signal arrives that Python code handles (SIGINT, SIGTERM, SIGQUIT, SIGALRM); the
     * handler runs when the function has returned. */
    int (*cancelled)(loader_call *call);
    /* The table of a service that the host lends under this id ("app.db/1"), or NULL. Owned by the host;
     * borrowed until the function returns. */
    const void *(*service)(loader_call *call, const char *id, size_t id_size);
    /* The path of the plugin's file. A host that is older than this entry ends its table before it: see
     * loader_plugin_path. */
    loader_text (*path)(loader_call *call);
    /* loader_write of LOADER_LONG bytes and more: a copy that sees in passing whether all of it is ASCII, which the
     * host would look for otherwise. May be NULL, and end beyond an older host's table. */
    int (*write)(loader_call *call, const void *data, size_t size);
    /* See loader_alloc. May end beyond an older host's table. */
    void *(*alloc)(loader_call *call, size_t size);
};

/* The layout is the ABI. */
LOADER_STATIC_ASSERT(sizeof(void *) == 8, "the loader ABI is defined for 64-bit targets");
LOADER_STATIC_ASSERT(sizeof(loader_text) == 16 && offsetof(loader_text, size) == 8, "loader_text is frozen");
LOADER_STATIC_ASSERT(sizeof(loader_bytes) == 16 && offsetof(loader_bytes, size) == 8, "loader_bytes is frozen");
LOADER_STATIC_ASSERT(sizeof(loader_texts) == 16 && sizeof(loader_f64s) == 16 && offsetof(loader_f64s, size) == 8,
                     "arrays are frozen");
LOADER_STATIC_ASSERT(sizeof(loader_tensor) == 48 && offsetof(loader_tensor, ndim) == 16 &&
                         offsetof(loader_tensor, code) == 20 && offsetof(loader_tensor, shape) == 24 &&
                         offsetof(loader_tensor, strides) == 32 && offsetof(loader_tensor, byte_offset) == 40,
                     "loader_tensor is DLPack's");
LOADER_STATIC_ASSERT(sizeof(struct ArrowSchema) == 72 && offsetof(struct ArrowSchema, release) == 56 &&
                         sizeof(struct ArrowArray) == 80 && offsetof(struct ArrowArray, release) == 64 &&
                         sizeof(loader_arrow) == 16,
                     "these structs are Arrow's");
LOADER_STATIC_ASSERT(offsetof(loader_call, next) == 8 && offsetof(loader_call, limit) == 16 &&
                         offsetof(loader_call, host) == 24 && offsetof(loader_call, error) == 32 &&
                         sizeof(loader_call) == 48,
                     "loader_call is frozen");
LOADER_STATIC_ASSERT(offsetof(loader_host, grow) == 8 && offsetof(loader_host, fail) == 16 &&
                         offsetof(loader_host, log) == 24 && offsetof(loader_host, cancelled) == 32 &&
                         offsetof(loader_host, service) == 40 && offsetof(loader_host, path) == 48 &&
                         offsetof(loader_host, write) == 56 && offsetof(loader_host, alloc) == 64 &&
                         sizeof(loader_host) == 72,
                     "loader_host is frozen");

/* ---- Writing the result ------------------------------------------------------------------------------ */

/* Room for `size` bytes of output, or NULL if the host has none to give (then return LOADER_NO_MEMORY).
 * The room is the host's and is lost at the next call of any function here. Say with loader_commit how
 * many bytes were used. */
static inline char *loader_reserve(loader_call *call, size_t size)
{
    if (LOADER_LIKELY((size_t)(call->limit - call->next) >= size))
        return call->next;
    return call->host->grow(call, size) == LOADER_OK ? call->next : NULL;
}

/* The first `size` bytes of what loader_reserve gave are output now. `size` is at most what was asked for. */
static inline void loader_commit(loader_call *call, size_t size)
{
    call->next += size;
}

/* memcpy for texts that are mostly short: copies `size` bytes at `data` to `to`, which they do not overlap; `data` may
 * be NULL if there are none. Up to 32 bytes are copied as two pieces that may overlap each other, without a call. */
static inline void loader_copy(char *to, const void *data, size_t size)
{
    const char *const from = (const char *)data;

    if (LOADER_LIKELY(size - 8 <= 24)) { /* 8 to 32: what is less wraps around */
        uint64_t first[2], last[2];
        if (size >= 16) {
            memcpy(first, from, 16);
            memcpy(last, from + size - 16, 16);
            memcpy(to, first, 16);
            memcpy(to + size - 16, last, 16);
        } else {
            memcpy(first, from, 8);
            memcpy(last, from + size - 8, 8);
            memcpy(to, first, 8);
            memcpy(to + size - 8, last, 8);
        }
    } else if (size - 4 <= 3) { /* 4 to 7 */
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
    } else if (size != 0) { /* memcpy of nothing from NULL would be undefined */
        memcpy(to, from, size);
    }
}

/* LOADER_HAS(table, member): whether the table of an older host, or of its service, has this function. */
#define LOADER_HAS(table, member)                                                                       \
    ((table)->size >= (size_t)((const char *)(&(table)->member + 1) - (const char *)(table)))

#define LOADER_LONG 1024 /* bytes that are worth a call of the host's own copy */

/* Appends `size` bytes at `data` to the result. Returns LOADER_OK or LOADER_NO_MEMORY. */
static inline int loader_write(loader_call *call, const void *data, size_t size)
{
    char *room;

    if (size >= LOADER_LONG && LOADER_HAS(call->host, write) && call->host->write != NULL)
        return call->host->write(call, data, size);
    room = loader_reserve(call, size);
    if (!LOADER_LIKELY(room != NULL))
        return LOADER_NO_MEMORY;
    loader_copy(room, data, size);
    loader_commit(call, size);
    return LOADER_OK;
}

/* Appends a text. Returns LOADER_OK or LOADER_NO_MEMORY. */
static inline int loader_write_text(loader_call *call, const loader_text *text)
{
    return loader_write(call, text->data, text->size);
}

/* Appends raw bytes. Returns LOADER_OK or LOADER_NO_MEMORY. */
static inline int loader_write_bytes(loader_call *call, const loader_bytes *bytes)
{
    return loader_write(call, bytes->data, bytes->size);
}

/* Appends a NUL-terminated string, without the NUL: for literals. Returns LOADER_OK or LOADER_NO_MEMORY. */
static inline int loader_write_string(loader_call *call, const char *string)
{
    return loader_write(call, string, strlen(string));
}

/* Appends what printf would print. Returns LOADER_OK, LOADER_NO_MEMORY, or LOADER_INVALID if the C library
 * could not format it. Texts are printed with "%.*s", (int)text->size, text->data; see LOADER_PRINT. */
LOADER_FORMAT(2, 3)
static inline int loader_printf(loader_call *call, const char *format, ...)
{
    va_list arguments;
    int wanted;
    char *room;

    va_start(arguments, format);
    wanted = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        return LOADER_INVALID;
    room = loader_reserve(call, (size_t)wanted + 1); /* vsnprintf ends with a NUL, which is not output */
    if (room == NULL)
        return LOADER_NO_MEMORY;
    va_start(arguments, format);
    (void)vsnprintf(room, (size_t)wanted + 1, format, arguments);
    va_end(arguments);
    loader_commit(call, (size_t)wanted);
    return LOADER_OK;
}

/* loader_printf(call, "%.*s", LOADER_PRINT(text)) prints a loader_text pointer. printf ends at a NUL in the text, and at
 * as many bytes as an int can count: loader_write_text writes all of any text. */
#define LOADER_PRINT(text) (int)((text)->size > 0x7fffffff ? 0x7fffffff : (text)->size), (text)->data

/* Memory for a LOADER_OUT result: `size` bytes that are aligned for any number, not set to anything. The host's: it
 * gives back what is no part of a result when the function returns, so it serves as scratch too. NULL if the host has
 * none to give (then return LOADER_NO_MEMORY), or is older than this function. */
static inline void *loader_alloc(loader_call *call, size_t size)
{
    return LOADER_HAS(call->host, alloc) ? call->host->alloc(call, size) : NULL;
}

/* The same for `count` items of `size` bytes each, more than 0; NULL also if that is more than memory has. */
static inline void *loader_alloc_items(loader_call *call, size_t count, size_t size)
{
    return count > SIZE_MAX / size ? NULL : loader_alloc(call, count * size);
}

/* ---- Failing, logging, stopping, asking -------------------------------------------------------------- */

/* Sets the error text from `size` bytes of UTF-8 (copied) and returns `status`:
 *     return loader_fail_with(call, LOADER_INVALID, text, size); */
static inline int loader_fail_with(loader_call *call, int status, const char *text, size_t size)
{
    return call->host->fail(call, status, text, size);
}

/* Sets a formatted error text and returns LOADER_FAILED:   return loader_fail(call, "no post %d", id);
 * The text is cut at 1,023 bytes; loader_fail_with takes longer ones. */
LOADER_FORMAT(2, 3)
static inline int loader_fail(loader_call *call, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0)
        size = 0;
    if ((size_t)size >= sizeof text)
        size = (int)sizeof text - 1;
    return loader_fail_with(call, LOADER_FAILED, text, (size_t)size);
}

/* Sends `size` bytes of UTF-8 at `text` (copied) to the application's log under this plugin's name, which has it
 * when the function returns or calls a service. */
static inline void loader_log(loader_call *call, int level, const char *text, size_t size)
{
    call->host->log(call, level, text, size);
}

/* 0: go on. Otherwise the status to return with (LOADER_CANCELLED or LOADER_DEADLINE): time is up, the application
 * asked, or somebody pressed Ctrl-C. Costs about as much as reading a clock; ask every few thousand steps of long
 * work, also with a lock held. */
static inline int loader_cancelled(loader_call *call)
{
    return call->host->cancelled(call);
}

/* The service that the host lends under the NUL-terminated `id`, or NULL if it lends none: check. */
static inline const void *loader_service(loader_call *call, const char *id)
{
    return call->host->service(call, id, strlen(id));
}

/* The absolute path of the plugin's file, as it was named to the host, links not replaced: to find what lies beside
 * it, which dladdr and dlopen("./x.so") do not, because what is mapped is a copy in memory. Borrowed until the
 * function returns, not NUL-terminated. Bytes as the system has them: UTF-8, but for file names that are not. Empty
 * if the host is older than this function. */
static inline loader_text loader_plugin_path(loader_call *call)
{
    loader_text none = {NULL, 0};

    return LOADER_HAS(call->host, path) ? call->host->path(call) : none;
}

/* ---- Services, interfaces and classes ----------------------------------------------------------------- */

/* LOADER_SERVICE("app.db/1", app_db): declares that the struct `app_db` is the table of the service
 * "app.db/1", and gives plugins   const app_db *app_db_get(loader_call *call);
 *
 * A table begins with `size_t size` and holds pointers to functions of the shape
 *     int (*name)(loader_call *call, const app_db *self, ..., LOADER_OUT loader_text *result);
 * that follow the rules of contract functions, seen from the other side: arguments are borrowed by the host
 * until the function returns. Results are marked by LOADER_OUT, one or several: the host fills them; what they point
 * to is owned by the host, not to be changed, and valid until the plugin's own function returns. Without a result, what
 * the host's function gives is appended to the output of `call`. Tensors, Arrow arrays, interfaces, instances, and
 * arrays to be changed in place, are for contract functions only. A status other than LOADER_OK leaves the result
 * untouched (of several, that which is wrong and those after it), and its text in call->error.
 * Locks: a service waits for Python (the GIL), which a thread may have that waits for a lock of this plugin in
 * Python code of its own. Hold no lock across it: take what you need out, unlock, then call. A function that
 * calls one cannot promise LOADER_NEVER_BLOCKS. */
#define LOADER_SERVICE(id, type)                                                                        \
    static inline const type *type##_get(loader_call *call)                                             \
    {                                                                                                   \
        return (const type *)call->host->service(call, id, sizeof(id) - 1);                             \
    }                                                                                                   \
    LOADER_STATIC_ASSERT(sizeof(id) > 1, "a service has an id")

/* LOADER_INTERFACE(app_progress), in a contract's header after the struct: the struct is a table of functions that a
 * caller brings as an argument, `const app_progress *`. It has the shape of a service's table, and the rules of one:
 *
 *     typedef struct app_progress app_progress;
 *     struct app_progress {
 *         size_t size;
 *         int (*at)(loader_call *call, const app_progress *self, double done);
 *     };
 *     LOADER_INTERFACE(app_progress);
 *
 * Borrowed: valid until the function returns, on its thread, with the `call` that it was given. In Python it is an
 * object with these methods, or a callable where there is one function. */
#define LOADER_INTERFACE(type)                                                                          \
    LOADER_STATIC_ASSERT(offsetof(type, size) == 0, "the table of an interface begins with its size")

/* LOADER_CLASS(app_reader), in a contract's header: plugins make instances of the opaque type `app_reader`, which they
 * own and define. What the class has is told by the names of functions:
 *
 *     LOADER_EXPORT int app_reader_new(loader_call *call, ..., LOADER_OUT app_reader **reader);
 *     LOADER_EXPORT int app_reader_seek(loader_call *call, app_reader *reader, int64_t place);
 *     LOADER_EXPORT int app_reader_next(loader_call *call, app_reader *reader, LOADER_OUT int64_t *value);
 *     LOADER_EXPORT void app_reader_free(app_reader *reader);
 *
 *   T_new    makes an instance: in Python the class is called.
 *   T_name   whose first parameter is an instance: a method. T_close is the host's own.
 *   T_next   gives one value after another, and LOADER_DONE when there is none.
 *   T_free   frees an instance, which is not NULL: once, when it is closed or Python has no use for it any more, on any
 *            thread. It takes no call and cannot fail. Every class has it; a plugin may lack a class whose T_free is
 *            LOADER_OPTIONAL, with all functions that take or give instances.
 *
 * Other functions may take instances, const or not, and give them (LOADER_OUT app_reader **). An instance that is given
 * is the host's from then on, for T_free; it is given once. A host passes only instances that the same plugin made.
 * Threads: a host enters functions with one instance one at a time, T_free included, on whatever thread. With
 * LOADER_SHARED_CLASS in the place of LOADER_CLASS it does not wait: then the plugin locks what it shares, and only
 * T_free is alone. */
#define LOADER_CLASS(type) typedef struct type type
#define LOADER_SHARED_CLASS(type) LOADER_CLASS(type)

#endif /* LOADER_PLUGIN_H */
