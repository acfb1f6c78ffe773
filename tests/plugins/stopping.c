/* stopping.c: plugin for contract htmlize, for tests of what ends a document. Roles: `loop` asks loader_cancelled
 * each millisecond for five seconds; `slow` takes 20 ms and asks nobody; `swallow` asks the application for a post's
 * title and does not care what becomes of that; `hand` hands its failure on. */
#define _POSIX_C_SOURCE 200809L
#include "htmlize/htmlize.h"

#include <time.h>

static void rest(long milliseconds)
{
    struct timespec time = {0, milliseconds * 1000000};
    nanosleep(&time, NULL);
}

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:loop\nrole:slow\nrole:swallow\nrole:hand\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    const htmlize_posts *posts = htmlize_posts_get(call);
    loader_text title;
    int status = LOADER_OK;

    (void)post;
    if (role->data[0] == 'l') {
        for (int i = 0; status == LOADER_OK && i < 5000; i++) {
            status = loader_cancelled(call);
            rest(1);
        }
        return status;
    }
    if (role->size == 4 && role->data[0] == 's')
        rest(20);
    else if (posts != NULL)
        status = posts->title(call, posts, 1, &title);
    return role->data[0] == 'h' && status != LOADER_OK ? status : loader_write_text(call, text);
}
