/* engine_fuzz.c: libFuzzer target of htmlize's engine.
 *
 * Every input goes through every way to scan (portable, sse2, avx2 ...) in one pass, and through the
 * portable one in two passes around a contents hook that changes nothing. All must give the same bytes and
 * the same number of problems. The text and the output have exactly the memory that they are said to have,
 * so that a sanitizer sees any step beyond.
 *
 *     clang -fsanitize=fuzzer,address,undefined -g -O1 -I include -I loader/htmlize/_engine \
 *         tests/fuzz/engine_fuzz.c loader/htmlize/_engine/{answer,engine,paths,table}.c -o /tmp/engine_fuzz
 *     /tmp/engine_fuzz tests/fuzz/corpus/engine
 *
 * With -DFUZZ_MAIN and without "fuzzer" it has a main that runs the files it is given, once each.
 *
 * First byte of an input: bit 0 escape, bit 1 keep. The rest: the text; bytes that are not ASCII are taken
 * from a short list of UTF-8 sequences, since the engine's host checks the text before.
 */
#include "engine.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct core_owner {
    int unused;
};

/* ---- A host on malloc ---------------------------------------------------------------------------------- */

struct host_call {
    loader_call call;
    char *begin;
    struct core_owner *owner;
    size_t max_output, problems;
    char error[64];
};

/* Gives just what is asked for and always moves. */
static int host_grow(loader_call *call, size_t more)
{
    struct host_call *c = (struct host_call *)call;
    size_t used = (size_t)(call->next - c->begin);
    char *moved;

    if (used > c->max_output || more > c->max_output - used || (moved = malloc(used + more + 1)) == NULL)
        return LOADER_NO_MEMORY;
    memcpy(moved, c->begin, used);
    free(c->begin);
    c->begin = moved;
    call->next = moved + used;
    call->limit = moved + used + more;
    return LOADER_OK;
}

static int host_fail(loader_call *call, int status, const char *text, size_t size)
{
    struct host_call *c = (struct host_call *)call;

    size = size < sizeof c->error ? size : sizeof c->error;
    memcpy(c->error, text, size);
    call->error.data = c->error;
    call->error.size = size;
    return status == LOADER_OK ? LOADER_FAILED : status;
}

static void host_log(loader_call *call, int level, const char *text, size_t size)
{
    (void)call, (void)level, (void)text, (void)size;
}

static int host_cancelled(loader_call *call)
{
    (void)call;
    return LOADER_OK;
}

static const void *host_service(loader_call *call, const char *id, size_t size)
{
    (void)call, (void)id, (void)size;
    return NULL;
}

static loader_text host_path(loader_call *call)
{
    (void)call;
    return (loader_text){NULL, 0};
}

/* A host that is older than loader_alloc. */
static const loader_host host = {offsetof(loader_host, alloc), host_grow, host_fail, host_log, host_cancelled,
                                 host_service, host_path, NULL, NULL};

static int forget(loader_call *call)
{
    call->error.data = NULL;
    call->error.size = 0;
    return LOADER_OK;
}

static int report(engine_run *run, const engine_problem *problem)
{
    struct host_call *c = run->context;

    c->problems = c->problems * 31 + (size_t)problem->status; /* their order counts too */
    return forget(run->call);
}

/* Plugins here write UTF-8, or a byte 0xFF: that is all this has to find. */
static size_t utf8_valid(const char *data, size_t size)
{
    const char *bad = memchr(data, 0xFF, size);

    return bad == NULL ? size : (size_t)(bad - data);
}

/* ---- Plugins ------------------------------------------------------------------------------------------- */

static int tag(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)post;
    if (loader_write_text(call, role) || loader_write_string(call, "<"))
        return LOADER_NO_MEMORY;
    for (size_t i = 0; i < text->size; i++) {
        if (loader_write(call, text->data + i, 1))
            return LOADER_NO_MEMORY;
    }
    return loader_write_string(call, ">");
}

static int even(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)role, (void)post;
    if (loader_write_text(call, text))
        return LOADER_NO_MEMORY;
    return text->size % 2 == 0 ? loader_fail(call, "even") : LOADER_OK;
}

static int odd(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)role, (void)text, (void)post;
    return loader_write_string(call, "\xFF");
}

static int same(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    (void)post;
    return loader_write_text(call, contents);
}

/* ---- One input ----------------------------------------------------------------------------------------- */

struct answer {
    char *data;
    size_t size, problems;
    int status;
    bool ascii;
};

static struct answer render(const engine *self, const char *data, size_t size, unsigned options)
{
    static const htmlize_post post = {.size = sizeof post};
    struct host_call c = {.call = {.size = sizeof c.call, .host = &host}, .begin = malloc(1)};
    const loader_text text = {data, size};
    struct core_block *const no_blocks = NULL; /* no plugin here allocates */
    engine_run run = {
        .engine = self,
        .call = &c.call,
        .begin = &c.begin,
        .owner = &c.owner,
        .max_output = &c.max_output,
        .post = &post,
        .utf8_valid = utf8_valid,
        .blocks = &no_blocks,
        .forget = forget,
        .report = options & 2 ? report : NULL,
        .context = &c,
        .escape = (options & 1) != 0,
        .ascii = ascii_all(data, size),
    };
    struct answer answer;

    if (c.begin == NULL)
        abort();
    c.call.next = c.call.limit = c.begin;
    answer.status = engine_render(&run, &text);
    engine_finish(&run);
    answer.data = c.begin;
    answer.size = (size_t)(c.call.next - c.begin);
    answer.problems = c.problems;
    answer.ascii = run.ascii;
    if (answer.status == LOADER_OK && run.ascii && !ascii_all(answer.data, answer.size))
        abort();
    return answer;
}

static void compare(struct answer expected, struct answer found)
{
    if (expected.status != found.status || expected.problems != found.problems)
        abort();
    if (expected.status == LOADER_OK &&
        (expected.size != found.size || memcmp(expected.data, found.data, found.size) != 0))
        abort();
    free(found.data);
}

/* The text, in memory of exactly its size. */
static char *make_text(const uint8_t *data, size_t size, size_t *text_size)
{
    static const char *const sequences[] = {"\xC2\x85",     "\xC2\xA0", "\xE2\x80\x83", "\xE2\x80\xA8",
                                            "\xE3\x80\x80", "\xC3\xA9", "\xE1\x9A\x80", "\xF0\x9F\xA5\xA7"};
    char *text;
    size_t used = 0;

    for (size_t i = 0; i < size; i++)
        used += data[i] < 128 ? 1 : strlen(sequences[data[i] % 8]);
    text = malloc(used == 0 ? 1 : used);
    if (text == NULL)
        abort();
    *text_size = used;
    used = 0;
    for (size_t i = 0; i < size; i++) {
        size_t length = data[i] < 128 ? 1 : strlen(sequences[data[i] % 8]);
        memcpy(text + used, data[i] < 128 ? (const char *)data + i : sequences[data[i] % 8], length);
        used += length;
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct core_owner owner;
    static const engine_role roles[] = {
        {{"tt", 2}, tag, &owner, SIZE_MAX},   {{"t", 1}, tag, &owner, 20},
        {{"even", 4}, even, &owner, SIZE_MAX}, {{"odd", 3}, odd, &owner, SIZE_MAX},
    };
    static const engine_contents hook = {same, &owner, SIZE_MAX};
    struct answer expected;
    const char *path;
    size_t text_size;
    engine self;
    char *text;

    if (size == 0)
        return 0;
    text = make_text(data + 1, size - 1, &text_size);
    if (engine_set(&self, roles, 4, NULL, 0, "portable") != 0)
        abort();
    expected = render(&self, text, text_size, data[0]);
    engine_clear(&self);
    for (size_t i = 0; (path = engine_path_name(i)) != NULL; i++) {
        if (engine_set(&self, roles, 4, NULL, 0, path) != 0)
            abort();
        compare(expected, render(&self, text, text_size, data[0]));
        engine_clear(&self);
        if (engine_set(&self, roles, 4, &hook, 1, path) != 0)
            abort();
        compare(expected, render(&self, text, text_size, data[0]));
        engine_clear(&self);
    }
    free(expected.data);
    free(text);
    return 0;
}

#ifdef FUZZ_MAIN
int main(int count, char **names)
{
    for (int i = 1; i < count; i++) {
        static uint8_t data[1 << 20];
        FILE *file = fopen(names[i], "rb");
        size_t size;
        if (file == NULL)
            return 1;
        size = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    return 0;
}
#endif
