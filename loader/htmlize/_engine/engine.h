/* engine.h: turns a whole document into HTML in one go, calling plugins through function pointers.
 *
 * Plain C: neither this file nor engine.c knows Python, so that both can be fuzzed, run under sanitizers
 * and cross-compiled alone. What the engine needs of its host stands in struct engine_run.
 *
 * One document, in order:
 *   no contents hook    one pass wraps paragraphs, escapes and answers roles, from the source to the output
 *   contents hooks      a pass that wraps (and escapes), then the hooks, then a pass that answers roles
 *
 * A "tick" is a backtick. A role opens at a tick that follows :name: and the next tick closes it.
 */
#ifndef HTMLIZE_ENGINE_H
#define HTMLIZE_ENGINE_H

#ifndef LOADER_HOST
#  define LOADER_HOST
#endif
#include "htmlize/htmlize.h"

#include "text/ascii.h"
#include "crash/crumb.h"

#include <stdbool.h>

/* Whose function runs. The engine hands it through and never looks inside. */
struct core_owner;

typedef int (*engine_role_function)(loader_call *, const loader_text *role, const loader_text *text,
                                    const htmlize_post *);
typedef int (*engine_contents_function)(loader_call *, const loader_text *, const htmlize_post *);

/* One role and the plugin's function that answers it. `name` is borrowed for the engine's life. */
typedef struct engine_role {
    loader_text name;
    engine_role_function process;
    struct core_owner *owner;
    size_t max_output; /* bytes that one answer may have; SIZE_MAX: no limit */
    void *context;     /* the host's: the engine hands `name`, the first member, to `process` */
    bool never_blocks; /* the host's: the plugin promised */
} engine_role;

/* One contents hook. */
typedef struct engine_contents {
    engine_contents_function process;
    struct core_owner *owner;
    size_t max_output;
} engine_contents;

/* A slot of the table of roles: open addressing, `number` is an index into roles plus 1, 0 where empty. */
typedef struct engine_slot {
    uint64_t key; /* role_key of the name */
    uint32_t size, number;
} engine_slot;

struct engine_path; /* one way to scan: portable, sse2, avx2, avx512, neon */

/* Roles and hooks. Never changes once it is set up, so any number of threads may use it. */
typedef struct engine {
    engine_role *roles;
    size_t role_count;
    engine_slot *slots;
    size_t slot_mask; /* number of slots, a power of two, minus 1 */
    engine_contents *contents;
    size_t contents_count;
    const struct engine_path *path;
    bool limits_output; /* some role has a max_output */
} engine;

/* A plugin's function that failed. */
typedef struct engine_problem {
    const engine_role *role;         /* NULL: it was a contents hook */
    const engine_contents *contents; /* NULL: it was a role */
    size_t offset;                   /* where the role's first colon stands; 0 for a hook */
    bool rewritten;                  /* the offset counts in what contents hooks left, not in the source */
    int status;                      /* never LOADER_OK */
} engine_problem;

/* Memory of the engine's own. */
typedef struct engine_buffer {
    char *data;
    size_t size, room;
} engine_buffer;

/* Text while it is scanned. */
typedef struct engine_source {
    const char *begin, *end; /* the text; white space that rule 1 drops at the end is cut off already */
    const char *last;        /* start of the last paragraph; NULL: not looked for yet */
    bool trim;               /* the last paragraph runs to the end of the text, so it is trimmed */
} engine_source;

/* One document. The host fills the first part; zero the second with engine_start. */
typedef struct engine_run {
    const engine *engine;
    loader_call *call;         /* output goes where call->next points; call->error holds a failure's text */
    char *const *begin;        /* where the output begins now: it moves when the output grows */
    struct core_owner **owner; /* set before each call of a plugin */
    size_t *max_output;        /* set before each call of a plugin: bytes that the output may have */
    const htmlize_post *post;
    size_t (*utf8_valid)(const char *data, size_t size); /* index of the first bad byte, or size */
    /* Drops the error's text and cause, of a plugin that failed and went on. Or drops nothing and returns how it
     * failed all the same: output was refused room, so what there is lacks a part; an interrupt arose. */
    int (*forget)(loader_call *call);
    /* Memory that the plugin asked for by loader_alloc, which goes when its function returns; and what gives it back. */
    struct core_block *const *blocks;
    void (*give_back)(loader_call *call);
    /* Keeps a note of the problem (call->error has its text), forgets the error, and returns LOADER_OK; or how the
     * document ends: ENGINE_NO_MEMORY, or problem->status if that is no problem to pass over (an interrupt). NULL:
     * the first problem fails the document. */
    int (*report)(struct engine_run *run, const engine_problem *problem);
    /* Calls hook or role (the other one is NULL) in the place of the engine, to look around it. NULL: nobody
     * wants to. */
    int (*watched)(struct engine_run *run, const engine_role *role, const engine_contents *hook,
                   const loader_text *text);
    core_crumb *crumb; /* says whose function this thread is in; NULL: nobody asks */
    void *context; /* the host's, for report and watched */
    bool escape;   /* escape text outside handled roles */
    bool limited;  /* a deadline or a cancel flag is in force: ask call->host->cancelled now and then */
    bool ascii;    /* in: the text is ASCII. Out: the output is */

    engine_problem problem;    /* what failed the document, if a plugin did */
    core_crumb no_crumb;       /* where `crumb` points if it was NULL */
    engine_source source;
    engine_buffer scratch;     /* a role's text that is not a slice of the source */
    engine_buffer contents_text;        /* what the last contents hook wrote */
    unsigned patience;         /* roles until the next look at the limit */
    bool straight;             /* roles are just answered: not `raw`, nothing is limited, and nobody watches */
    bool raw;                  /* matches of handled roles are copied, not answered: before contents hooks */
    bool rewritten;            /* the source is what contents hooks left */
} engine_run;

/* What engine_render returns beside LOADER_OK and the status of engine_run.problem. */
enum engine_status {
    ENGINE_NO_MEMORY = -1, /* the output could not grow */
    ENGINE_STOPPED = -2    /* cancelled between two roles: problem.status says how; no plugin is to blame */
};

/* Fills `self` from roles (a later one of the same name wins) and hooks in load order; copies both arrays.
 * `path` names the way to scan, or is NULL for the best one here. Returns 0, -1 without memory, -2 if there
 * is no such path on this machine. engine_clear gives back what it took, also after an error. */
int engine_set(engine *self, const engine_role *roles, size_t role_count, const engine_contents *contents,
               size_t contents_count, const char *path);
void engine_clear(engine *self);

/* The role of this name, or NULL. */
const engine_role *engine_find(const engine *self, const char *name, size_t size);

/* The names of the paths that work on this machine, best first; NULL beyond the last. */
const char *engine_path_name(size_t index);

/* Renders `text` (well-formed UTF-8) to the output. Returns LOADER_OK, the plugin's status (then run->problem
 * says whose) or an engine_status. Call engine_finish after it in any case. */
int engine_render(engine_run *run, const loader_text *text);
void engine_finish(engine_run *run);

/* Judges a call of a plugin that may write `max_output` bytes, returned `status`, and whose output begins
 * `offset` bytes behind that of the document: all checks that there are. Returns LOADER_OK (then
 * run->ascii tells about the answer), or the failure's status with call->error set and the output back at
 * `offset`. Needs of `run` only call, begin, utf8_valid and forget. */
int engine_settle(engine_run *run, size_t offset, size_t max_output, int status);

#endif /* HTMLIZE_ENGINE_H */
