/* pass_role.h: one role of a document, in a pass: the usual way inline, all others in answer.c. */
#ifndef HTMLIZE_PASS_ROLE_H
#define HTMLIZE_PASS_ROLE_H

#include "pass.h"

enum pass_verdict {
    PASS_ANSWERED, /* the match is replaced */
    PASS_KEPT,     /* the plugin failed; the output is back where the match begins, which is to be kept */
    PASS_STOP      /* the document failed with *status */
};

/* The function that answers roles, for the breadcrumb. */
extern const core_step pass_role_step;

/* pass_role, whatever the text, the role and the run are. */
enum pass_verdict pass_slowly(engine_run *run, const engine_role *role, const char *start, const char *tick,
                              const char *close, bool wrapped, int *status);

/* What becomes of the match of a role that was called, returned *status, and is to be looked at more closely: its
 * output begins `offset` bytes behind that of the document. */
enum pass_verdict pass_judge(engine_run *run, const engine_role *role, const char *start, const char *close,
                             size_t offset, int *status);

/* Answers (or copies, if run->raw) the match from its first colon `start` over its opening `tick` to its
 * closing tick `close`. The output stands where the match begins. `wrapped`: a '\n' in it is rule 1's. */
ROLE_INLINE enum pass_verdict pass_role(engine_run *run, const engine_role *role, const char *start, const char *tick,
                                        const char *close, bool wrapped, int *status)
{
    const loader_text text = {tick + 1, (size_t)(close - tick - 1)};
    const size_t offset = (size_t)(run->call->next - *run->begin);
    core_crumb *const crumb = run->crumb;

    if (!LOADER_LIKELY(run->straight && !wrapped))
        return pass_slowly(run, role, start, tick, close, wrapped, status);
    crumb->offset = (size_t)(start - run->source.begin);
    crumb->owner = *run->owner = role->owner; /* the step is set for the whole pass */
    *status = role->process(run->call, &role->name, &text, run->post);
    crumb->owner = NULL;
    return pass_good(run, offset, SIZE_MAX, *status) ? PASS_ANSWERED
                                                     : pass_judge(run, role, start, close, offset, status);
}

#endif /* HTMLIZE_PASS_ROLE_H */
