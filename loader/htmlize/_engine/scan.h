/* scan.h: the pass over a text. Included once for each kind of vectors, under three macros:
 *
 *     SCAN(name)     the name in this version
 *     SCAN_TARGET    attribute of its functions
 *     SCAN_BLOCK     the block function of block.h
 *
 * A block of 64 bytes is copied to the output before anything is known about it, and comes with a bit for
 * each byte that matters. What is put in the place of such a byte (the end of a paragraph, an entity, a
 * role's answer) is written over the copy, and the rest of the block is copied once more, behind it. Its marks are
 * known already, and where the next block begins does not depend on them: so the processor looks at blocks ahead
 * while it is busy with this one, which is worth a twelfth of the time. Only what reaches into another block, or
 * what the output has no room for, makes the next block begin elsewhere.
 */

/* The marks of a block, which is not copied. */
SCAN_TARGET BLOCK_INLINE uint64_t SCAN(look)(const char *from, const unsigned mode)
{
    char nowhere[BLOCK];

    return SCAN_BLOCK(from, nowhere, mode | ENGINE_LOOK);
}

/* The next tick at or after `at`, or NULL. *wrapped is set if a '\n' stands before it. */
SCAN_TARGET static const char *SCAN(tick)(const char *at, const char *end, bool *wrapped)
{
    while (at < end) {
        size_t left = (size_t)(end - at);
        uint64_t marks;
        if (left >= BLOCK) {
            marks = SCAN(look)(at, ENGINE_LINES | ENGINE_ROLES);
        } else {
            char tail[BLOCK] = {0}; /* nothing is read beyond the end of the text; zeros are no marks */
            memcpy(tail, at, left);
            marks = SCAN(look)(tail, ENGINE_LINES | ENGINE_ROLES);
        }
        for (; marks != 0; marks &= marks - 1) {
            const char *mark = at + __builtin_ctzll(marks);
            if (*mark == '`')
                return mark;
            *wrapped = true;
        }
        at += BLOCK < left ? BLOCK : left;
    }
    return NULL;
}

/* The closing tick of the role that opened at mark `i` of a block, mostly in the same one: `further` are its
 * marks behind that. `from` is where the block was read; the text ends at `end`. */
SCAN_TARGET BLOCK_INLINE const char *SCAN(close)(uint64_t further, unsigned i, const char *from,
                                                 const char *block, const char *end, bool *wrapped)
{
    const uint64_t lines = SCAN(look)(from, ENGINE_LINES) & UINT64_MAX << i;

    for (; further != 0; further &= further - 1) {
        const unsigned j = (unsigned)__builtin_ctzll(further);
        if (block[j] == '`') {
            *wrapped = (lines & ((UINT64_C(1) << j) - 1)) != 0;
            return block + j;
        }
    }
    bool crossed = lines != 0; /* a variable whose address nobody has stays in a register: not *wrapped */
    const char *const found = SCAN(tick)(end - block > BLOCK ? block + BLOCK : end, end, &crossed);
    *wrapped = crossed;
    return found;
}

/* The pass itself. `mode` is a constant in each use. Longer than 40 lines because its state has to live in
 * registers: a function that took its address would double the time of a dense text. */
SCAN_TARGET BLOCK_INLINE int SCAN(any)(engine_run *run, const unsigned mode)
{
    const engine *const self = run->engine;
    loader_call *const call = run->call;
    engine_source *const source = &run->source;
    const char *at = source->begin, *const begin = at, *const end = source->end;
    const char *const last = end - begin > BLOCK ? end - BLOCK : begin; /* whole blocks begin before it */
    const char *const roomy = end - begin > 2 * BLOCK ? end - 2 * BLOCK : begin; /* before it two can be read */
    const char *const late = end - begin > ROLE_AHEAD ? begin + ROLE_AHEAD : end; /* see role_opens */
    char *out = call->next, *limit = call->limit;
    unsigned ignored = 0; /* ticks to come that open nothing, since they belong to a match that stays */
    role_memory memory = ROLE_MEMORY_EMPTY;

    if (mode & ENGINE_WRAP) {
        if (loader_reserve(call, PASS_ROOM) == NULL)
            return ENGINE_NO_MEMORY;
        memcpy(call->next, PARAGRAPH_OPEN, 3);
        out = call->next + 3;
        limit = call->limit;
        at = pass_paragraph(source, at);
    }
    for (;;) {
        char tail[BLOCK + 8];
        uint64_t marks = 0;
        size_t gone = 0; /* bytes of the block in whose place something else stands already */
        while (LOADER_LIKELY(at < last && limit - out >= PASS_ROOM)) {
            marks = SCAN_BLOCK(at, out, mode);
            if (marks != 0)
                break;
            at += BLOCK;
            out += BLOCK;
        }
        if (marks == 0) {
            if (at == end)
                break;
            if (limit - out < PASS_ROOM) {
                call->next = out;
                if (call->host->grow(call, (size_t)(end - at) + PASS_ROOM) != LOADER_OK)
                    return ENGINE_NO_MEMORY;
                out = call->next;
                limit = call->limit;
                continue;
            }
            memset(tail, 0, sizeof tail); /* nothing is read beyond the end; zeros are no marks */
            memcpy(tail, at, (size_t)(end - at));
            marks = SCAN_BLOCK(tail, out, mode);
        }
        while (marks != 0) {
            const unsigned i = (unsigned)__builtin_ctzll(marks);
            const char *const mark = at + i, *next;
            char *const place = out + (i - gone);
            marks &= marks - 1;
            if ((mode & ENGINE_WRAP) && *mark == '\n') {
                memcpy(place, PARAGRAPH_BREAK, 9);
                out = place + 9;
                next = pass_paragraph(source, pass_newlines(mark + 2, end));
            } else if ((mode & ENGINE_ROLES) && *mark == '`') {
                const engine_role *role = NULL;
                const char *start, *close;
                bool wrapped = false;
                size_t size;
                int status;
                if (ignored != 0) {
                    ignored--;
                    continue;
                }
                size = role_opens(self, &memory, begin, late, mark, &role);
                if (size == 0)
                    continue;
                if (role == NULL) {
                    if (marks != 0 && at[__builtin_ctzll(marks)] == '`')
                        marks &= marks - 1; /* mostly its closing tick is the next mark */
                    else
                        ignored = 1;
                    continue;
                }
                close = SCAN(close)(marks, i, at < last ? at : tail, at, end, &wrapped);
                if (close == NULL)
                    continue; /* then this was the last tick of the text */
                start = mark - size - 2;
                call->next = place - (mark - start);
                switch (pass_role(run, role, start, mark, close, (mode & ENGINE_WRAP) && wrapped, &status)) {
                case PASS_ANSWERED:
                    next = close + 1;
                    break;
                case PASS_KEPT:
                    at = start;
                    ignored = 2;
                    out = call->next;
                    limit = call->limit;
                    goto restart;
                default:
                    return status;
                }
                out = call->next;
                limit = call->limit;
            } else {
                out = pass_entity(place, *mark);
                next = mark + 1;
            }
            gone = (size_t)(next - at);
            if (!LOADER_LIKELY(gone < BLOCK && at < roomy && limit - out >= PASS_ROOM)) {
                at = next;
                goto restart;
            }
            marks &= UINT64_MAX << gone;
            SCAN_BLOCK(next, out, mode & ENGINE_WRAP);
        }
        if (at >= last) {
            out += end - at;
            break;
        }
        out += BLOCK - gone;
        at += BLOCK;
restart:;
    }
    call->next = out;
    if (mode & ENGINE_WRAP)
        return loader_write(call, PARAGRAPH_CLOSE, 6) == LOADER_OK ? LOADER_OK : ENGINE_NO_MEMORY;
    return LOADER_OK;
}

#define SCAN_PASS(name, mode)                                                                           \
    SCAN_TARGET static int SCAN(name)(engine_run *run)                                                  \
    {                                                                                                   \
        return SCAN(any)(run, mode);                                                                    \
    }

SCAN_PASS(wrap, ENGINE_WRAP)
SCAN_PASS(roles, ENGINE_ROLES)
SCAN_PASS(wrap_roles, ENGINE_WRAP | ENGINE_ROLES)
SCAN_PASS(wrap_roles_escape, ENGINE_WRAP | ENGINE_ROLES | ENGINE_ESCAPE)

#define SCAN_PASSES                                                                                     \
    {                                                                                                   \
        [ENGINE_WRAP] = SCAN(wrap), [ENGINE_ROLES] = SCAN(roles),                                       \
        [ENGINE_WRAP | ENGINE_ROLES] = SCAN(wrap_roles),                                                \
        [ENGINE_WRAP | ENGINE_ROLES | ENGINE_ESCAPE] = SCAN(wrap_roles_escape),                         \
    }

static const struct engine_path SCAN(path) = {SCAN_PATH_NAME, SCAN_WORKS, SCAN_PASSES};

#undef SCAN_PASS
#undef SCAN_PASSES
#undef SCAN
#undef SCAN_TARGET
#undef SCAN_BLOCK
#undef SCAN_PATH_NAME
#undef SCAN_WORKS
