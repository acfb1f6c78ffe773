/* bench.c: measured plugin in C. :tt:`x` as in native_plugins/tt, :fail:`x` fails, :callback:`n` asks the host n
 * times for the title of post 42. Only in bench_c_unpromised may that last one be asked for where there is a promise
 * never to block: a service is waited for. */
#include "htmlize/htmlize.h"

#include <stdlib.h>

#if defined(LOADER_NEVER_BLOCKS) && !defined(BENCH_PROMISES_NOTHING)
LOADER_NEVER_BLOCKS(process_role);
#endif

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:tt\nrole:fail\nrole:callback\n");
}

static int call_back(loader_call *call, const loader_text *text)
{
    const htmlize_posts *posts = htmlize_posts_get(call);
    loader_text title = {NULL, 0};
    long left = 0;

    for (size_t at = 0; at < text->size; at++)
        left = left * 10 + (text->data[at] - '0');
    if (posts == NULL || !LOADER_HAS(posts, title))
        return loader_fail(call, "no service");
    for (; left > 0; left--) {
        int status = posts->title(call, posts, 42, &title);
        if (status != LOADER_OK)
            return status;
    }
    return loader_write_text(call, &title);
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                 const htmlize_post *post)
{
    const char *const data = text->data;
    const size_t size = text->size; /* as in tt.c */
    char *room;

    if (!LOADER_LIKELY(role->size == 2)) { /* not tt; the load jobs give it other names, and it answers as tt */
        if (role->size == 4)
            return loader_fail(call, "no post %d", (int)post->id);
        if (role->size == 8)
            return call_back(call, text);
    }
    room = loader_reserve(call, 4 + size + 5);
    if (room == NULL)
        return LOADER_NO_MEMORY;
    if (size >= LOADER_LONG) {
        (void)loader_write(call, "<tt>", 4);
        (void)loader_write(call, data, size);
        return loader_write(call, "</tt>", 5);
    }
    memcpy(room, "<tt>", 4);
    loader_copy(room + 4, data, size);
    memcpy(room + 4 + size, "</tt>", 5);
    loader_commit(call, 4 + size + 5);
    return LOADER_OK;
}
