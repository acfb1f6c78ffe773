/* once.c: plugin for contract htmlize, for tests: role `once` ends its process where the file that its text names has
 * no byte yet. Each call adds one. */
#include "htmlize/htmlize.h"

#include <stdio.h>
#include <stdlib.h>

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:once\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    char name[4096];
    FILE *file;
    long calls;

    (void)role, (void)post;
    snprintf(name, sizeof name, "%.*s", (int)text->size, text->data);
    file = fopen(name, "ab");
    if (file == NULL)
        return loader_fail(call, "the file cannot be written");
    fputc('.', file);
    calls = ftell(file);
    fclose(file);
    if (calls == 1)
        abort();
    return loader_write_string(call, "again");
}
