/* answer.c: the engine's turns with plugins: one role's answer, its checks, and what happens when it
 * fails. */
#include "pass_role.h"

#include <stdlib.h>

enum { PATIENCE = 16 }; /* roles between two looks at a deadline, which cost a clock's reading each */

/* Makes room for `more` bytes behind what the buffer holds. */
static bool buffer_reserve(engine_buffer *buffer, size_t more)
{
    size_t room = buffer->room;
    char *data;

    if (room - buffer->size >= more)
        return true;
    if (more > SIZE_MAX / 2 - buffer->size)
        return false;
    room = buffer->size + more + buffer->size / 2;
    data = realloc(buffer->data, room);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}

bool pass_append(engine_buffer *buffer, const char *data, size_t size)
{
    if (!buffer_reserve(buffer, size))
        return false;
    if (size != 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return true;
}

/* Appends what rule 1 makes of the source from `from` to `to`, which are in paragraphs and no white space. */
static bool append_wrapped(engine_source *source, engine_buffer *buffer, const char *from, const char *to)
{
    while (from < to) {
        const char *line = memchr(from, '\n', (size_t)(to - from));
        if (line == NULL)
            return pass_append(buffer, from, (size_t)(to - from));
        if (!pass_append(buffer, from, (size_t)(line - from)))
            return false;
        if (line[1] != '\n') { /* `line` is before `to`, so there is another byte */
            if (!pass_append(buffer, " ", 1))
                return false;
            from = line + 1;
        } else {
            if (!pass_append(buffer, PARAGRAPH_BREAK, 9))
                return false;
            from = pass_paragraph(source, pass_newlines(line + 2, to));
        }
    }
    return true;
}

/* ---- One call of a plugin ------------------------------------------------------------------------------ */

const core_step pass_role_step = {"process_role", 1};
static const core_step contents_step = {"process_contents", 1};

/* How far the output may go from `offset` on. */
static void limit_output(engine_run *run, size_t offset, size_t max_output)
{
    *run->max_output = max_output < SIZE_MAX - offset ? offset + max_output : SIZE_MAX;
}

int engine_settle(engine_run *run, size_t offset, size_t max_output, int status)
{
    loader_call *const call = run->call;
    char *const begin = *run->begin + offset;
    const size_t size = (size_t)(call->next - begin);
    char text[96];
    size_t good;
    int length;

    if (*run->blocks != NULL)
        run->give_back(call);
    if (status == LOADER_OK && size > (size_t)(call->limit - begin)) { /* also if `next` is before `begin` */
        static const char moved[] = "left the end of its output outside of the room that it had";
        status = loader_fail_with(call, LOADER_FAILED, moved, sizeof moved - 1);
    } else if (status == LOADER_OK && size > max_output) { /* it had more room than it may use */
        static const char longer[] = "its output is longer than the host allows";
        status = loader_fail_with(call, LOADER_NO_MEMORY, longer, sizeof longer - 1);
    } else if (status == LOADER_OK && call->error.size != 0 && (status = run->forget(call)) != LOADER_OK) {
        /* it did not look at what loader_write, or a service, returns */
    } else if (status == LOADER_OK) { /* a failure that it went on after is forgotten: the next gets no text of it */
        if (ascii_all(begin, size))
            return LOADER_OK;
        good = run->utf8_valid(begin, size);
        if (good == size) {
            run->ascii = false;
            return LOADER_OK;
        }
        length = snprintf(text, sizeof text, "wrote invalid UTF-8 at byte %zu of its answer", good);
        status = loader_fail_with(call, LOADER_FAILED, text, (size_t)length);
    }
    call->next = begin;
    return status;
}

/* The checks that follow each call of a plugin. */
static int leave(engine_run *run, size_t offset, size_t max_output, int status)
{
    run->crumb->owner = NULL;
    *run->max_output = SIZE_MAX;
    return pass_good(run, offset, max_output, status) ? LOADER_OK : engine_settle(run, offset, max_output, status);
}

static int answer(engine_run *run, const engine_role *role, const loader_text *text)
{
    const size_t offset = (size_t)(run->call->next - *run->begin);
    int status;

    pass_enter(run, role->owner, &pass_role_step);
    limit_output(run, offset, role->max_output);
    status = run->watched == NULL ? role->process(run->call, &role->name, text, run->post)
                                  : run->watched(run, role, NULL, text);
    return leave(run, offset, role->max_output, status);
}

/* ---- Roles of a document ------------------------------------------------------------------------------- */

/* Whether the document goes on after `problem`; if not, *status says how it ends. */
static bool goes_on(engine_run *run, const engine_problem *problem, int *status)
{
    *status = problem->status;
    run->problem = *problem;
    if (run->report == NULL)
        return false;
    /* A plugin that stopped because it was told to is no problem to pass over: all others would stop too. */
    if ((*status == LOADER_CANCELLED || *status == LOADER_DEADLINE) &&
        run->call->host->cancelled(run->call) != LOADER_OK)
        return false;
    const int kept = run->report(run, problem);
    if (kept != LOADER_OK)
        *status = kept;
    return kept == LOADER_OK;
}

bool pass_patient(engine_run *run, int *status)
{
    const int stop = run->call->host->cancelled(run->call);

    run->patience = PATIENCE;
    if (stop == LOADER_OK)
        return true;
    memset(&run->problem, 0, sizeof run->problem);
    run->problem.status = stop;
    *status = ENGINE_STOPPED;
    return false;
}

/* After contents hooks the match of a failed role is still raw: escapes it into the output, all but the
 * paragraph breaks in it. User text has none by then (rule 1 made each "\n\n" one of ours). */
static bool put_raw(engine_run *run, const char *at, const char *end)
{
    loader_call *const call = run->call;

    for (; at < end; at++) {
        char *room = loader_reserve(call, 16);
        if (room == NULL)
            return false;
        if (end - at >= 9 && memcmp(at, PARAGRAPH_BREAK, 9) == 0) {
            memcpy(room, PARAGRAPH_BREAK, 9);
            call->next = room + 9;
            at += 8;
        } else if (strchr("&<>\"'", *at) != NULL && *at != 0) {
            call->next = pass_entity(room, *at);
        } else {
            *room = *at;
            call->next = room + 1;
        }
    }
    return true;
}

/* The plugin failed with `status`: what becomes of its match. */
static enum pass_verdict pass_failed(engine_run *run, const engine_role *role, const char *start, const char *close,
                                     int *status)
{
    const engine_problem problem = {
        .role = role,
        .rewritten = run->rewritten,
        .offset = (size_t)(start - run->source.begin),
        .status = *status,
    };

    if (!goes_on(run, &problem, status))
        return PASS_STOP;
    if (!run->rewritten || !run->escape)
        return PASS_KEPT;
    *status = ENGINE_NO_MEMORY;
    return put_raw(run, start, close + 1) ? PASS_ANSWERED : PASS_STOP;
}

enum pass_verdict pass_judge(engine_run *run, const engine_role *role, const char *start, const char *close,
                             size_t offset, int *status)
{
    *status = engine_settle(run, offset, role->max_output, *status);
    return *status == LOADER_OK ? PASS_ANSWERED : pass_failed(run, role, start, close, status);
}

enum pass_verdict pass_slowly(engine_run *run, const engine_role *role, const char *start, const char *tick,
                              const char *close, bool wrapped, int *status)
{
    loader_text text = {tick + 1, (size_t)(close - tick - 1)};

    *status = ENGINE_NO_MEMORY;
    if (run->raw || wrapped) {
        const char *from = run->raw ? start : tick + 1, *to = run->raw ? close + 1 : close;
        run->scratch.size = 0;
        if (!append_wrapped(&run->source, &run->scratch, from, to))
            return PASS_STOP;
        text.data = run->scratch.data;
        text.size = run->scratch.size;
    }
    if (run->raw)
        return loader_write_text(run->call, &text) == LOADER_OK ? PASS_ANSWERED : PASS_STOP;
    if (run->limited && --run->patience == 0 && !pass_patient(run, status))
        return PASS_STOP;
    run->crumb->offset = (size_t)(start - run->source.begin);
    *status = answer(run, role, &text);
    return *status == LOADER_OK ? PASS_ANSWERED : pass_failed(run, role, start, close, status);
}

/* ---- Contents hooks ------------------------------------------------------------------------------------ */

int pass_contents(engine_run *run, const engine_contents *hook, bool *kept)
{
    const loader_text text = {run->contents_text.data, run->contents_text.size};
    const size_t offset = (size_t)(run->call->next - *run->begin);
    engine_problem problem = {.contents = hook};
    int status;

    *kept = false;
    if (run->limited && !pass_patient(run, &status))
        return status;
    run->crumb->offset = 0;
    pass_enter(run, hook->owner, &contents_step);
    limit_output(run, offset, hook->max_output);
    status = run->watched == NULL ? hook->process(run->call, &text, run->post)
                                  : run->watched(run, NULL, hook, &text);
    problem.status = leave(run, offset, hook->max_output, status);
    if (problem.status == LOADER_OK)
        return LOADER_OK;
    *kept = goes_on(run, &problem, &status);
    return *kept ? LOADER_OK : status;
}
