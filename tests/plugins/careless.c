/* careless.c: an htmlize plugin for tests/call/test_out_of_memory.py that does not look at what the host says.
 *
 *     role careless   writes its text 100 times over and does not look whether there was room
 *     role recovers   fails, goes on, and succeeds
 *     role fails      writes its text, and fails with it as its message
 */
#include "htmlize/htmlize.h"

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:careless\nrole:recovers\nrole:fails\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)post;
    switch (role->data[0]) {
    case 'c':
        for (int i = 0; i < 100; i++)
            (void)loader_write_text(call, text);
        return LOADER_OK;
    case 'r':
        (void)loader_fail(call, "never mind");
        return loader_write_text(call, text);
    default:
        (void)loader_write_text(call, text);
        return loader_fail_with(call, LOADER_FAILED, text->data, text->size);
    }
}
