/* engine.c: a document from its text to its HTML: rule 1's ends, and the order of passes and hooks. */
#include "pass_role.h"

#include <stdlib.h>

/* ---- A document ---------------------------------------------------------------------------------------- */

static int pass(engine_run *run, unsigned mode)
{
    run->crumb->owner = NULL; /* a crash between two roles would be ours */
    run->crumb->step = &pass_role_step;
    return run->engine->path->pass[mode](run);
}

/* Moves the output that stands from `offset` on into run->contents_text. */
static bool take_output(engine_run *run, size_t offset)
{
    char *begin = *run->begin + offset;

    run->contents_text.size = 0;
    if (!pass_append(&run->contents_text, begin, (size_t)(run->call->next - begin)))
        return false;
    run->call->next = begin;
    return true;
}

/* Rules 1, 2 and 3 one after another, since contents hooks see the whole text between the first and the
 * last. */
static int render_with_hooks(engine_run *run, const loader_text *text)
{
    const engine *self = run->engine;
    const size_t offset = (size_t)(run->call->next - *run->begin);
    int status;
    bool kept;

    if (text->size != 0) {
        const bool straight = run->straight;
        source_wrap(&run->source, text);
        run->raw = true;
        run->straight = false;
        status = pass(run, run->escape ? ENGINE_WRAP | ENGINE_ROLES | ENGINE_ESCAPE : ENGINE_WRAP);
        run->raw = false;
        run->straight = straight;
        if (status != LOADER_OK)
            return status;
    }
    if (!take_output(run, offset))
        return ENGINE_NO_MEMORY;
    for (size_t i = 0; i < self->contents_count; i++) {
        status = pass_contents(run, &self->contents[i], &kept);
        if (status != LOADER_OK)
            return status;
        if (!kept && !take_output(run, offset))
            return ENGINE_NO_MEMORY;
    }
    if (run->contents_text.size == 0)
        return LOADER_OK;
    run->source = (engine_source){.begin = run->contents_text.data};
    run->source.end = run->source.begin + run->contents_text.size;
    run->rewritten = true;
    return pass(run, ENGINE_ROLES);
}

int engine_render(engine_run *run, const loader_text *text)
{
    const engine *self = run->engine;

    if (run->crumb == NULL)
        run->crumb = &run->no_crumb;
    run->patience = 1;
    run->raw = run->rewritten = false;
    run->straight = !run->limited && run->watched == NULL && !self->limits_output;
    memset(&run->problem, 0, sizeof run->problem);
    memset(&run->scratch, 0, sizeof run->scratch);
    memset(&run->contents_text, 0, sizeof run->contents_text);
    *run->max_output = SIZE_MAX;
    if (self->contents_count != 0)
        return render_with_hooks(run, text);
    if (text->size == 0)
        return LOADER_OK;
    source_wrap(&run->source, text);
    return pass(run, ENGINE_WRAP | ENGINE_ROLES | (run->escape ? ENGINE_ESCAPE : 0));
}

void engine_finish(engine_run *run)
{
    free(run->scratch.data);
    free(run->contents_text.data);
    memset(&run->scratch, 0, sizeof run->scratch);
    memset(&run->contents_text, 0, sizeof run->contents_text);
}
