/* engine_hooks.c: functions for tests/htmlize/test_engine.py, which calls them by address: roles that answer, fail
 * and misbehave, and contents hooks. tests/engine_hooks.py has the same functions in Python.
 */
#include "htmlize/htmlize.h"

#define ROLE(name)                                                                                      \
    LOADER_EXPORT int name(loader_call *call, const loader_text *role, const loader_text *text,         \
                           const htmlize_post *post);                                                   \
    int name(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)

#define CONTENTS(name)                                                                                  \
    LOADER_EXPORT int name(loader_call *call, const loader_text *contents, const htmlize_post *post);   \
    int name(loader_call *call, const loader_text *contents, const htmlize_post *post)

/* ---- Roles --------------------------------------------------------------------------------------------- */

ROLE(role_tt)
{
    (void)role, (void)post;
    if (loader_write_string(call, "<tt>") || loader_write_text(call, text))
        return LOADER_NO_MEMORY;
    return loader_write_string(call, "</tt>");
}

/* What a role is told, all of it. */
ROLE(role_show)
{
    return loader_printf(call, "[%.*s|%.*s|%lld|%.*s|%.*s|%zu]", LOADER_PRINT(role), LOADER_PRINT(text),
                         (long long)post->id, LOADER_PRINT(&post->author), LOADER_PRINT(&post->title),
                         post->contents.size);
}

/* Fails where its text has an x, after it has written something. */
ROLE(role_picky)
{
    (void)role, (void)post;
    if (loader_write_string(call, "half ") || loader_write_text(call, text))
        return LOADER_NO_MEMORY;
    if (text->size != 0 && memchr(text->data, 'x', text->size) != NULL)
        return loader_fail(call, "no x, please: %.*s", LOADER_PRINT(text));
    return LOADER_OK;
}

/* A thousand times its text: its output has to grow and to move while the role's text is still in use. */
ROLE(role_thousand)
{
    (void)role, (void)post;
    for (int i = 0; i < 1000; i++) {
        if (loader_write_text(call, text) != LOADER_OK)
            return LOADER_NO_MEMORY;
    }
    return LOADER_OK;
}

ROLE(role_nothing)
{
    (void)call, (void)role, (void)text, (void)post;
    return LOADER_OK;
}

ROLE(role_not_utf8)
{
    (void)role, (void)text, (void)post;
    return loader_write(call, "good \xC3( bad", 11);
}

ROLE(role_latin)
{
    (void)role, (void)post;
    return loader_write_string(call, "\xC3\xA9") || loader_write_text(call, text);
}

ROLE(role_unknown_status)
{
    (void)call, (void)role, (void)text, (void)post;
    return 77;
}

/* Says that it failed, and then that it did not. */
ROLE(role_second_thoughts)
{
    (void)role, (void)text, (void)post;
    (void)loader_fail(call, "never mind");
    return loader_write_string(call, "fine");
}

/* Takes back what others wrote: the end of the output is before its own beginning. */
ROLE(role_moves_back)
{
    (void)role, (void)text, (void)post;
    call->next -= 1;
    return LOADER_OK;
}

ROLE(role_stops)
{
    (void)role, (void)text, (void)post;
    return loader_cancelled(call);
}

/* ---- Contents ------------------------------------------------------------------------------------------ */

CONTENTS(contents_same)
{
    (void)post;
    return loader_write_text(call, contents);
}

/* Puts something behind each 'a', among it a role, a tick and a paragraph's end. */
CONTENTS(contents_more)
{
    (void)post;
    for (size_t i = 0; i < contents->size; i++) {
        if (loader_write(call, contents->data + i, 1) ||
            (contents->data[i] == 'a' && loader_write_string(call, ":tt:`\xC3\xA9`\n\n")))
            return LOADER_NO_MEMORY;
    }
    return LOADER_OK;
}

CONTENTS(contents_none)
{
    (void)call, (void)contents, (void)post;
    return LOADER_OK;
}

CONTENTS(contents_fails)
{
    (void)contents, (void)post;
    if (loader_write_string(call, "half"))
        return LOADER_NO_MEMORY;
    return loader_fail(call, "no contents today");
}
