/* check_plugin.c: a host in C alone, as small as the ABI allows. Loads one plugin, looks for the markers of
 * the handshake, calls functions and compares what they write. It is what loader_test_plugin runs, and it
 * says whether a plugin keeps to <loader/plugin.h> without Python taking part. One file, though a long one,
 * so that any project can compile it with no build of its own.
 *
 *     check_plugin FILE [--marker NAME]... [--lend SERVICE KEY=TEXT]
 *                  [--call FUNCTION ARGUMENT... (--gives=TEXT | --fails=PART)]...
 *
 *     text=TEXT  bytes=TEXT  int=N     one argument
 *     struct=FIELD,FIELD...            pointer to a struct: size_t size, then text:TEXT, bytes:TEXT, int:N
 *     --lend                           a service table {size, f}, f being int (*)(call, self, int64_t key,
 *                                      loader_text *result): TEXT for KEY, a failure for every other key
 *     --gives=TEXT                     the call succeeds and writes TEXT; nothing more, nothing less
 *     --fails=PART                     the call fails, and its error text has PART in it
 *
 * In a TEXT, \n, \\ and \xHH stand for a byte. Each call is made three times: with no room for output, with
 * one byte, and with plenty; the result must be the same. Room is given to the byte, and a guard behind it
 * shows writing past its end. Exit status: 0 all as wanted, 1 not, 2 wrong use.
 */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE) && !defined(_GNU_SOURCE)
#  define _POSIX_C_SOURCE 200809L /* getcwd */
#endif
#define LOADER_HOST
#include "loader/plugin.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef _WIN32
#  include <windows.h>
#  include <shellapi.h>
#else
#  include <dlfcn.h>
#  include <unistd.h>
#endif

enum { ARGUMENTS = 6, FIELDS = 16, GUARD = 16, GUARD_BYTE = 0xA5 };

/* All arguments of a contract's function are of pointer or integer class, so one prototype calls them all on
 * every 64-bit platform. clang's UBSan would compare it with the plugin's own. */
#ifdef __clang__
#  define NO_PROTOTYPE_CHECK __attribute__((no_sanitize("function")))
#else
#  define NO_PROTOTYPE_CHECK
#endif
typedef int (*function)(loader_call *, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

typedef struct argument {
    loader_text text;
    char *owned[FIELDS]; /* memory of the texts */
    size_t owned_count;
    struct {
        size_t size;
        uint64_t words[2 * FIELDS];
    } record;
} argument;

/* One call and its output: [begin, call.next), room for `room` bytes and a guard behind. */
typedef struct output {
    loader_call call; /* first: the host's functions get this pointer */
    char *begin;
    size_t room;
    char *error;
    struct block *blocks; /* memory that the plugin asked for */
} output;

typedef struct block {
    struct block *next;
    size_t unused; /* so that what follows is aligned for any number */
} block;

/* The one service of --lend. `size` and `get` are the table that the plugin sees. */
typedef struct lent {
    size_t size;
    int (*get)(loader_call *call, const struct lent *self, int64_t key, loader_text *result);
    const char *id;
    int64_t key;
    loader_text text;
} lent;

static lent service;
static const char *plugin_file;

/* ---- Small parts ------------------------------------------------------------------------------------- */

static void stop(int status, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "%s: ", plugin_file != NULL ? plugin_file : "check_plugin");
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    exit(status);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);

    if (memory == NULL)
        stop(1, "out of memory");
    return memory;
}

/* `source`, `size` bytes, with its escapes read, in memory of its own that is exactly as long. */
static loader_text unescape(const char *source, size_t size)
{
    char *text = allocate(size);
    char *exact;
    size_t length = 0;

    for (size_t at = 0; at < size; at++) {
        char hex[3] = {0};

        if (source[at] != '\\' || at + 1 == size) {
            text[length++] = source[at];
        } else if (source[++at] == 'n') {
            text[length++] = '\n';
        } else if (source[at] == 'x' && size - at > 2) {
            memcpy(hex, source + at + 1, 2);
            text[length++] = (char)(unsigned char)strtoul(hex, NULL, 16);
            at += 2;
        } else {
            text[length++] = source[at];
        }
    }
    exact = allocate(length);
    memcpy(exact, text, length);
    free(text);
    return (loader_text){exact, length};
}

static bool contains(const char *text, size_t size, loader_text part)
{
    for (size_t at = 0; at + part.size <= size; at++)
        if (memcmp(text + at, part.data, part.size) == 0)
            return true;
    return false;
}

/* ---- The host's functions ---------------------------------------------------------------------------- */

static void check_guard(const output *out)
{
    const unsigned char *guard = (const unsigned char *)out->begin + out->room;

    if (out->call.next < out->begin || out->call.next > out->begin + out->room)
        stop(1, "the plugin moved call->next out of its room");
    for (size_t at = 0; at < GUARD; at++)
        if (guard[at] != GUARD_BYTE)
            stop(1, "the plugin wrote behind its room of %zu bytes", out->room);
}

static void set_room(output *out, size_t used, size_t room)
{
    char *begin = allocate(room + GUARD);

    if (used != 0)
        memcpy(begin, out->begin, used);
    memset(begin + room, GUARD_BYTE, GUARD);
    free(out->begin);
    out->begin = begin;
    out->room = room;
    out->call.next = begin + used;
    out->call.limit = begin + room;
}

static int grow(loader_call *call, size_t more)
{
    output *out = (output *)call;
    size_t used = (size_t)(call->next - out->begin);

    check_guard(out);
    if (more > SIZE_MAX / 2 - used)
        return LOADER_NO_MEMORY;
    set_room(out, used, used + more);
    return LOADER_OK;
}

static int fail(loader_call *call, int status, const char *text, size_t size)
{
    output *out = (output *)call;
    char *copy = allocate(size); /* before the free: `text` may be the earlier error's */

    if (size != 0)
        memcpy(copy, text, size);
    free(out->error);
    out->error = copy;
    call->error = (loader_text){copy, size};
    return status == LOADER_OK ? LOADER_FAILED : status;
}

static void log_line(loader_call *call, int level, const char *text, size_t size)
{
    (void)call;
    (void)fprintf(stderr, "log %d: %.*s\n", level, (int)size, text);
}

static int cancelled(loader_call *call)
{
    (void)call;
    return LOADER_OK;
}

static const void *find_service(loader_call *call, const char *id, size_t id_size)
{
    (void)call;
    if (service.id == NULL || strlen(service.id) != id_size || memcmp(service.id, id, id_size) != 0)
        return NULL;
    return &service;
}

static int lent_text(loader_call *call, const lent *self, int64_t key, loader_text *result)
{
    if (key != self->key)
        return loader_fail(call, "no %" PRId64, key);
    *result = self->text;
    return LOADER_OK;
}

/* The file as it was named, made absolute, links not replaced. */
static loader_text own_path(loader_call *call)
{
    static char path[8192];

    (void)call;
#ifdef _WIN32
    if (_fullpath(path, plugin_file, sizeof path) == NULL)
        path[0] = '\0';
#else
    size_t size = 0;
    if (plugin_file[0] != '/' && getcwd(path, sizeof path / 2) != NULL)
        size = strlen(path);
    snprintf(path + size, sizeof path - size, "%s%s", size == 0 ? "" : "/", plugin_file);
#endif
    return (loader_text){path, strlen(path)};
}

static void *alloc_block(loader_call *call, size_t size)
{
    output *out = (output *)call;
    block *made;

    if (size > SIZE_MAX - sizeof *made)
        return NULL;
    made = allocate(sizeof *made + size);
    made->next = out->blocks;
    out->blocks = made;
    return made + 1;
}

static void free_blocks(output *out)
{
    while (out->blocks != NULL) {
        block *next = out->blocks->next;
        free(out->blocks);
        out->blocks = next;
    }
}

static const loader_host host = {sizeof host, grow,         fail,     log_line,   cancelled,
                                 find_service, own_path, NULL, alloc_block};

/* ---- The plugin -------------------------------------------------------------------------------------- */

static void *load(const char *file)
{
#ifdef _WIN32
    wchar_t wide[32768];
    void *library = NULL;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, file, -1, wide, 32768) != 0)
        library = (void *)LoadLibraryExW(wide, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (library == NULL)
        stop(1, "cannot be loaded: error %lu", GetLastError());
#else
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        stop(1, "cannot be loaded: %s", dlerror());
#endif
    return library;
}

static void *find(void *library, const char *name)
{
#ifdef _WIN32
    FARPROC symbol = GetProcAddress((HMODULE)library, name);
    void *address;
    memcpy(&address, &symbol, sizeof address);
#else
    void *address = dlsym(library, name);
#endif
    if (address == NULL)
        stop(1, "does not export '%s'", name);
    return address;
}

/* A text that lives as long as its argument. There are at most FIELDS in one. */
static loader_text keep(argument *to, const char *source, size_t size)
{
    loader_text text = unescape(source, size);

    to->owned[to->owned_count++] = (char *)text.data;
    return text;
}

static void forget_argument(argument *from)
{
    while (from->owned_count > 0)
        free(from->owned[--from->owned_count]);
}

/* Fills one field of a struct, `words` 8-byte words in; returns how many it took. */
static size_t read_field(argument *to, uint64_t *words, const char *field, size_t size)
{
    if (size >= 4 && memcmp(field, "int:", 4) == 0) {
        words[0] = (uint64_t)strtoll(field + 4, NULL, 10);
        return 1;
    }
    for (size_t prefix = 5; prefix <= 6; prefix++) {
        if (size >= prefix && memcmp(field, prefix == 5 ? "text:" : "bytes:", prefix) == 0) {
            loader_text text = keep(to, field + prefix, size - prefix);
            memcpy(words, &text, sizeof text);
            return 2;
        }
    }
    stop(2, "a field is int:N, text:TEXT or bytes:TEXT, not '%.*s'", (int)size, field);
    return 0;
}

static intptr_t read_argument(argument *to, const char *from)
{
    size_t words = 0;

    if (strncmp(from, "int=", 4) == 0)
        return (intptr_t)strtoll(from + 4, NULL, 10);
    if (strncmp(from, "text=", 5) == 0 || strncmp(from, "bytes=", 6) == 0) {
        const char *text = strchr(from, '=') + 1;
        to->text = keep(to, text, strlen(text));
        return (intptr_t)&to->text;
    }
    if (strncmp(from, "struct=", 7) != 0)
        stop(2, "an argument is text=TEXT, bytes=TEXT, int=N or struct=FIELDS, not '%s'", from);
    for (const char *field = from + 7; *field != '\0';) {
        size_t size = strcspn(field, ",");
        if (words + 2 > 2 * FIELDS)
            stop(2, "more than %d fields in '%s'", FIELDS, from);
        words += read_field(to, to->record.words + words, field, size);
        field += size + (field[size] == ',');
    }
    to->record.size = sizeof(size_t) + words * sizeof(uint64_t);
    return (intptr_t)&to->record;
}

static void check_result(const output *out, const char *name, int status, bool succeeds, loader_text wanted)
{
    size_t size = (size_t)(out->call.next - out->begin);
    const char *error = out->error != NULL ? out->error : "";

    check_guard(out);
    if (succeeds && status != LOADER_OK)
        stop(1, "%s failed with %d: %.*s", name, status, (int)out->call.error.size, error);
    if (!succeeds && status == LOADER_OK)
        stop(1, "%s succeeded, wanted a failure with '%.*s'", name, (int)wanted.size, wanted.data);
    if (!succeeds && !contains(error, out->call.error.size, wanted))
        stop(1, "%s failed with %d and '%.*s', wanted '%.*s' in it", name, status, (int)out->call.error.size,
             error, (int)wanted.size, wanted.data);
    if (succeeds && (size != wanted.size || memcmp(out->begin, wanted.data, size) != 0))
        stop(1, "%s wrote %zu bytes '%.*s', wanted %zu '%.*s'", name, size, (int)size, out->begin,
             wanted.size, (int)wanted.size, wanted.data);
}

/* Reads --call's words from argv[at] on and makes the call. Returns the index behind them. */
NO_PROTOTYPE_CHECK
static int check_call(void *library, int argc, char **argv, int at)
{
    static const size_t rooms[] = {0, 1, 65536};
    argument arguments[ARGUMENTS];
    intptr_t values[ARGUMENTS] = {0};
    const char *name;
    loader_text wanted;
    bool succeeds;
    size_t count = 0;
    void *address;
    function call;

    if (at >= argc)
        stop(2, "--call wants a function");
    name = argv[at++];
    memset(arguments, 0, sizeof arguments);
    for (; at < argc && strncmp(argv[at], "--", 2) != 0; at++) {
        if (count == ARGUMENTS)
            stop(2, "more than %d arguments", ARGUMENTS);
        values[count] = read_argument(&arguments[count], argv[at]);
        count++;
    }
    if (at == argc || (strncmp(argv[at], "--gives=", 8) != 0 && strncmp(argv[at], "--fails=", 8) != 0))
        stop(2, "--call %s wants --gives=TEXT or --fails=PART at its end", name);
    succeeds = argv[at][2] == 'g';
    wanted = unescape(argv[at] + 8, strlen(argv[at] + 8));

    address = find(library, name);
    memcpy(&call, &address, sizeof call); /* ISO C has no cast from an object's pointer to a function's */
    for (size_t try = 0; try < sizeof rooms / sizeof rooms[0]; try++) {
        output out = {.call = {.size = sizeof(loader_call), .host = &host}};
        int status;

        set_room(&out, 0, rooms[try]);
        status = call(&out.call, values[0], values[1], values[2], values[3], values[4], values[5]);
        check_result(&out, name, status, succeeds, wanted);
        free(out.begin);
        free(out.error);
        free_blocks(&out);
    }
    free((char *)wanted.data);
    for (size_t index = 0; index < ARGUMENTS; index++)
        forget_argument(&arguments[index]);
    return at + 1;
}

/* "42=Pie": lends a service that knows one text. */
static void read_service(const char *id, const char *pair)
{
    char *text;
    int64_t key = (int64_t)strtoll(pair, &text, 10);

    if (text == pair || *text != '=')
        stop(2, "--lend wants KEY=TEXT, KEY being a number, not '%s'", pair);
    text++;
    free((char *)service.text.data);
    service = (lent){offsetof(lent, id), lent_text, id, key, unescape(text, strlen(text))};
}

#ifdef _WIN32
/* The arguments in UTF-8: main's are in an old code page, which has few letters. Never freed. */
static char **utf8_arguments(int *count)
{
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), count);
    char **texts = wide == NULL ? NULL : calloc((size_t)*count + 1, sizeof *texts);

    for (int i = 0; texts != NULL && i < *count; i++) {
        int size = WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, NULL, 0, NULL, NULL);
        texts[i] = size > 0 ? malloc((size_t)size) : NULL;
        if (texts[i] == NULL || WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, texts[i], size, NULL, NULL) == 0)
            stop(1, "cannot read its arguments");
    }
    if (texts == NULL)
        stop(1, "cannot read its arguments");
    return texts;
}
#endif

int main(int argc, char **argv)
{
    void *library;
    int at = 2;

#ifdef _WIN32
    argv = utf8_arguments(&argc);
#endif
    if (argc < 2)
        stop(2, "usage: check_plugin FILE [--marker NAME]... [--lend SERVICE KEY=TEXT] "
                "[--call FUNCTION ARGUMENT... (--gives=TEXT | --fails=PART)]...");
    plugin_file = argv[1];
    library = load(argv[1]);
    while (at < argc) {
        if (strcmp(argv[at], "--marker") == 0 && at + 1 < argc) {
            (void)find(library, argv[at + 1]);
            at += 2;
        } else if (strcmp(argv[at], "--lend") == 0 && at + 2 < argc) {
            read_service(argv[at + 1], argv[at + 2]);
            at += 3;
        } else if (strcmp(argv[at], "--call") == 0) {
            at = check_call(library, argc, argv, at + 1);
        } else {
            stop(2, "'%s' is not understood here", argv[at]);
        }
    }
    free((char *)service.text.data);
    return 0; /* the plugin is never unloaded: runtimes with threads of their own do not survive that */
}
