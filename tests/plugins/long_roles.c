/* long_roles.c: plugin for htmlize whose roles write much: `long` succeeds, `broken` fails afterwards. */
#include "htmlize/htmlize.h"

enum { PIECE = 2048 };

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:long\nrole:broken\n");
}

/* Writes 4096 letters and the text. */
int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    char letters[PIECE];
    int status;

    (void)post;
    memset(letters, 'a', sizeof letters);
    status = loader_write(call, letters, sizeof letters);
    if (status == LOADER_OK)
        status = loader_write(call, letters, sizeof letters);
    if (status == LOADER_OK)
        status = loader_write_text(call, text);
    return status == LOADER_OK && role->data[0] == 'b' ? loader_fail(call, "on purpose") : status;
}
