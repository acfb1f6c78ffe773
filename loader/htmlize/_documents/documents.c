/* documents.c: see documents.h. One document: its roles and hooks are found by their number, or set up; the engine runs;
 * what it says of failures is put into words that cross.
 */
#define _GNU_SOURCE
#include "documents.h"

/* The engine speaks of the contract htmlize, which this is the host of. */
#undef LOADER_MARKER
#define LOADER_MARKER(name) LOADER_STATIC_ASSERT(sizeof(#name) > 1, "a marker has a name")
#include "../_engine/engine.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

LOADER_STATIC_ASSERT(sizeof(documents_post) == sizeof(htmlize_post) &&
                         offsetof(documents_post, contents) == offsetof(htmlize_post, contents),
                     "a post is a post");
LOADER_STATIC_ASSERT(sizeof(core_crumb) <= 4 * sizeof(uint64_t) && offsetof(core_crumb, offset) == 16,
                     "the trail is a breadcrumb");

size_t core_utf8_valid(const char *data, size_t size); /* text/utf8.c */

/* Roles and hooks under a number. Never changes; is never given back: an application sets up few. */
struct documents {
    struct documents *next;
    uint64_t number;
    engine engine;
    char *names; /* what the roles' names are in */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct documents *first;

/* One document on its way. */
struct document {
    engine_run run;
    char *begin;
    struct core_owner *owner;
    size_t max_output;
    const struct documents *documents;
    const documents_elsewhere *elsewhere;
    documents_problem *problems; /* memory of loader_alloc */
    size_t count, room;
};

/* The document of this thread, for roles and hooks that are elsewhere: their functions get no more than a plugin's. */
static _Thread_local struct document *current;

/* ---- Elsewhere ----------------------------------------------------------------------------------------- */

static int role_elsewhere(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    const struct document *const document = current;
    const engine_role *const found = (const engine_role *)(const void *)role; /* `name` is its first member */

    (void)post;
    return document->elsewhere->process_role(call, document->elsewhere, found - document->documents->engine.roles, text);
}

static int hook_elsewhere(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    const struct document *const document = current;
    const uint64_t number = (uint64_t)(uintptr_t)document->owner - 1 - (UINT64_C(1) << 32);

    (void)post;
    return document->elsewhere->process_contents(call, document->elsewhere, (int64_t)number, contents);
}

/* ---- Setting up ---------------------------------------------------------------------------------------- */

/* A line of `setup`, divided at its tabs, in memory of its own. */
struct line {
    char *parts[4];
    size_t count;
};

static void divide(char *text, struct line *line)
{
    line->count = 0;
    while (line->count < 4) {
        char *const tab = strchr(text, '\t');
        line->parts[line->count++] = text;
        if (tab == NULL)
            return;
        *tab = '\0';
        text = tab + 1;
    }
}

/* The function of a library that is open here. */
static void *function_of(const char *path, const char *name)
{
    void *const library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);

    return library == NULL ? NULL : dlsym(library, name);
}

static size_t limit_of(const char *text)
{
    const unsigned long long most = strtoull(text, NULL, 10);

    return most > SIZE_MAX ? SIZE_MAX : (size_t)most;
}

static struct core_owner *owner_of(uint64_t number)
{
    return (struct core_owner *)(uintptr_t)number; /* which the engine hands through */
}

static bool set_role(engine_role *role, const struct line *line, uint64_t number)
{
    const bool elsewhere = strcmp(line->parts[2], "-") == 0;
    void *const address = elsewhere ? NULL : function_of(line->parts[2], "process_role");

    role->name = (loader_text){line->parts[1], strlen(line->parts[1])};
    role->owner = owner_of(number + 1);
    role->max_output = limit_of(line->parts[3]);
    if (elsewhere)
        role->process = role_elsewhere;
    else
        memcpy(&role->process, &address, sizeof address);
    return elsewhere || address != NULL;
}

static bool set_hook(engine_contents *hook, const struct line *line, uint64_t number)
{
    const bool elsewhere = strcmp(line->parts[1], "-") == 0;
    void *const address = elsewhere ? NULL : function_of(line->parts[1], "process_contents");

    hook->owner = owner_of(number + 1 + (UINT64_C(1) << 32));
    hook->max_output = limit_of(line->parts[2]);
    if (elsewhere)
        hook->process = hook_elsewhere;
    else
        memcpy(&hook->process, &address, sizeof address);
    return elsewhere || address != NULL;
}

static bool fill(struct documents *made, const loader_texts *setup, engine_role *roles, engine_contents *hooks)
{
    size_t role_count = 0, hook_count = 0;
    char *text = made->names;

    for (size_t i = 0; i < setup->size; i++) {
        const loader_text *const each = &setup->data[i];
        struct line line;
        memcpy(text, each->data, each->size);
        text[each->size] = '\0';
        divide(text, &line);
        text += each->size + 1;
        if (line.count == 4 && strcmp(line.parts[0], "role") == 0) {
            if (!set_role(&roles[role_count], &line, role_count))
                return false;
            role_count++;
        } else if (line.count == 3 && strcmp(line.parts[0], "hook") == 0) {
            if (!set_hook(&hooks[hook_count], &line, hook_count))
                return false;
            hook_count++;
        } else {
            return false;
        }
    }
    return engine_set(&made->engine, roles, role_count, hooks, hook_count, NULL) == 0;
}

static struct documents *set_up(uint64_t number, const loader_texts *setup)
{
    struct documents *made = calloc(1, sizeof *made);
    engine_role *const roles = calloc(setup->size + 1, sizeof *roles);
    engine_contents *const hooks = calloc(setup->size + 1, sizeof *hooks);
    size_t size = 1;
    bool done = false;

    for (size_t i = 0; i < setup->size; i++)
        size += setup->data[i].size + 1;
    if (made != NULL && roles != NULL && hooks != NULL && (made->names = malloc(size)) != NULL) {
        made->number = number;
        done = fill(made, setup, roles, hooks);
    }
    free(roles);
    free(hooks);
    if (!done && made != NULL) {
        engine_clear(&made->engine);
        free(made->names);
        free(made);
        made = NULL;
    }
    return made;
}

/* NULL: they were not set up, and are not by this. */
static const struct documents *find(uint64_t number, const loader_texts *setup)
{
    struct documents *found;

    pthread_mutex_lock(&lock);
    for (found = first; found != NULL && found->number != number; found = found->next)
        ;
    if (found == NULL && setup->size != 0 && (found = set_up(number, setup)) != NULL) {
        found->next = first;
        first = found;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* ---- Failures ------------------------------------------------------------------------------------------ */

/* engine_run.forget */
static int forget(loader_call *call)
{
    call->error = (loader_text){NULL, 0};
    return LOADER_OK;
}

static void give_back(loader_call *call)
{
    (void)call; /* it goes with the call */
}

static documents_problem in_words(const struct document *document, const engine_problem *problem)
{
    const engine *const engine = &document->documents->engine;

    return (documents_problem){
        .role = problem->role == NULL ? -1 : problem->role - engine->roles,
        .hook = problem->contents == NULL ? -1 : problem->contents - engine->contents,
        .offset = (int64_t)problem->offset,
        .rewritten = problem->rewritten,
        .status = problem->status,
    };
}

/* engine_run.report */
static int report(engine_run *run, const engine_problem *problem)
{
    struct document *const document = run->context;
    const loader_text said = run->call->error;
    documents_problem *const problems = document->problems;
    char *message;

    if (document->count == document->room) {
        const size_t room = document->room == 0 ? 16 : document->room * 2;
        document->problems = loader_alloc(run->call, room * sizeof *problems);
        if (document->problems == NULL)
            return ENGINE_NO_MEMORY;
        if (problems != NULL)
            memcpy(document->problems, problems, document->count * sizeof *problems);
        document->room = room;
    }
    message = loader_alloc(run->call, said.size);
    if (message == NULL)
        return ENGINE_NO_MEMORY;
    if (said.size != 0)
        memcpy(message, said.data, said.size);
    document->problems[document->count] = in_words(document, problem);
    document->problems[document->count++].message = (loader_text){message, said.size};
    return forget(run->call);
}

/* The failure that ends the document. */
static int fail(struct document *document, int status)
{
    loader_call *const call = document->run.call;
    const loader_text said = call->error;
    documents_problem problem = {.role = -1, .hook = -1};
    char *text;
    int size;

    if (status == ENGINE_NO_MEMORY)
        status = LOADER_NO_MEMORY;
    else if (status == ENGINE_STOPPED)
        status = document->run.problem.status;
    else
        problem = in_words(document, &document->run.problem);
    text = malloc(said.size + 128);
    if (text == NULL)
        return LOADER_NO_MEMORY;
    size = snprintf(text, 128, "%lld %lld %lld %d\n", (long long)problem.role, (long long)problem.hook,
                    (long long)problem.offset, (int)problem.rewritten);
    if (said.size != 0)
        memcpy(text + size, said.data, said.size);
    loader_fail_with(call, status, text, (size_t)size + said.size);
    free(text);
    return status;
}

/* ---- The document -------------------------------------------------------------------------------------- */

int render(loader_call *call, const loader_text *text, const documents_post *given, uint64_t number,
           const loader_texts *setup, uint32_t options, const documents_elsewhere *elsewhere, loader_u64s *trail,
           documents_problem_list *problems)
{
    static const char unknown[] = "unknown";
    const struct documents *const documents = find(number, setup);
    struct core_block *const no_blocks = NULL;
    struct document *const outer = current;
    struct document document = {.begin = call->next, .documents = documents, .elsewhere = elsewhere};
    htmlize_post post;
    int status;

    if (documents == NULL || trail->size < 4)
        return loader_fail_with(call, LOADER_INVALID, unknown, sizeof unknown - 1);
    memcpy(&post, given, sizeof post);
    if (post.contents.size == 0)
        post.contents = *text;
    document.run = (engine_run){
        .engine = &documents->engine,
        .call = call,
        .begin = &document.begin, /* room for the output is there from the start, and does not move */
        .owner = &document.owner,
        .max_output = &document.max_output,
        .post = &post,
        .utf8_valid = core_utf8_valid,
        .forget = forget,
        .blocks = &no_blocks,
        .give_back = give_back,
        .report = options & DOCUMENTS_KEEP ? report : NULL,
        .crumb = (core_crumb *)(void *)trail->data,
        .context = &document,
        .escape = (options & DOCUMENTS_ESCAPE) != 0,
        .limited = (options & DOCUMENTS_LIMITED) != 0,
        .ascii = (options & DOCUMENTS_ASCII) != 0,
    };
    current = &document;
    status = engine_render(&document.run, text);
    engine_finish(&document.run);
    current = outer;
    if (status != LOADER_OK)
        return fail(&document, status);
    problems->data = document.problems;
    problems->size = document.count;
    return LOADER_OK;
}
