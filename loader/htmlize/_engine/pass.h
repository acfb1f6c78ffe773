/* pass.h: what scan.h and engine.c share: the pieces of HTML that rule 1 writes, and what
 * comes before and after a plugin's function. The slow turns are in answer.c.
 */
#ifndef HTMLIZE_PASS_H
#define HTMLIZE_PASS_H

#include "block.h"
#include "role.h"
#include "space.h"

/* Room that the scanner keeps ahead: a block is stored whole, and what is put at a mark in it goes beyond. */
enum { PASS_ROOM = BLOCK + 32 };

#define PARAGRAPH_OPEN "<p>"
#define PARAGRAPH_CLOSE "</p>\n\n"
#define PARAGRAPH_BREAK PARAGRAPH_CLOSE PARAGRAPH_OPEN

/* One pass over run->source, from there to the output. */
typedef int pass_function(engine_run *run);

struct engine_path {
    const char *name;
    bool (*works)(void);            /* on this machine */
    pass_function *pass[BLOCK / 8]; /* by engine_mode; NULL: not needed */
};

/* The paths that work on this machine, best first; NULL beyond the last. */
const struct engine_path *pass_path(size_t index);

/* Tells the host whose function comes next. */
ROLE_INLINE void pass_enter(engine_run *run, struct core_owner *owner, const core_step *step)
{
    *run->owner = owner;
    run->crumb->step = step;
    run->crumb->owner = owner;
}

/* Whether a call that ended with `status`, and whose output begins `offset` bytes behind that of the document, needs
 * no closer look: the usual case, without another call. */
ROLE_INLINE bool pass_good(const engine_run *run, size_t offset, size_t max_output, int status)
{
    const loader_call *const call = run->call;
    const char *const begin = *run->begin + offset;
    const size_t size = (size_t)(call->next - begin);

    return LOADER_LIKELY(status == LOADER_OK && size <= (size_t)(call->limit - begin) && size <= max_output &&
                         (call->error.size | (uintptr_t)*run->blocks) == 0 && ascii_all(begin, size));
}

/* Calls a contents hook with what run->contents_text holds. Returns LOADER_OK or how the document ends. *kept: it
 * failed, wrote nothing, and the contents stay as they are. */
int pass_contents(engine_run *run, const engine_contents *hook, bool *kept);

/* Looks at the limit. Returns false, with *status, if the document is to stop. */
bool pass_patient(engine_run *run, int *status);

/* Appends to a buffer. Returns false without memory. */
bool pass_append(engine_buffer *buffer, const char *data, size_t size);

/* Makes `text` the source, without the white space at its edges. */
void source_wrap(engine_source *source, const loader_text *text);

/* Where the text of the paragraph at `at` begins: further on if it is the last one and white space leads
 * it. */
const char *pass_trim(engine_source *source, const char *at);

/* The same, without a call where no white space can be. `at` may be the end. */
ROLE_INLINE const char *pass_paragraph(engine_source *source, const char *at)
{
    if (at < source->end && ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0xC2))
        return pass_trim(source, at);
    return at;
}

/* The first byte at or after `at` that is not '\n'. */
ROLE_INLINE const char *pass_newlines(const char *at, const char *end)
{
    while (at < end && *at == '\n')
        at++;
    return at;
}

/* Puts the entity of `byte` at `out`, which has room for 8 bytes. Returns where it ends. */
ROLE_INLINE char *pass_entity(char *out, char byte)
{
    switch (byte) {
    case '&':
        memcpy(out, "&amp;", 5);
        return out + 5;
    case '<':
        memcpy(out, "&lt;", 4);
        return out + 4;
    case '>':
        memcpy(out, "&gt;", 4);
        return out + 4;
    case '"':
        memcpy(out, "&quot;", 6);
        return out + 6;
    default: /* ' */
        memcpy(out, "&#x27;", 6);
        return out + 6;
    }
}

#endif /* HTMLIZE_PASS_H */
