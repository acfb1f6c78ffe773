/* cli_roles.c: plugin for contract htmlize, for tests of the command. Each role does what its name says. */
#include "htmlize/htmlize.h"

#include <inttypes.h>
#include <stdlib.h>

static int is(const loader_text *text, const char *word)
{
    return text->size == strlen(word) && memcmp(text->data, word, text->size) == 0;
}

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:who\nrole:fail\nrole:crash\nrole:exit\nrole:hang\nrole:log\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    volatile int again = 1;

    if (is(role, "who"))
        return loader_printf(call, "%" PRId64 "/%.*s/%.*s/%zu", post->id, LOADER_PRINT(&post->author),
                             LOADER_PRINT(&post->title), post->contents.size);
    if (is(role, "fail"))
        return loader_fail(call, "cannot do '%.*s'", LOADER_PRINT(text));
    if (is(role, "crash"))
        abort();
    if (is(role, "exit"))
        exit(0);
    if (is(role, "log")) {
        loader_log(call, LOADER_WARNING, text->data, text->size);
        return LOADER_OK;
    }
    fputs("hanging\n", stderr); /* a line of log comes when the function returns */
    while (again)
        ;
    return LOADER_OK;
}
