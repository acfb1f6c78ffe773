/* posts.c: plugin for contract htmlize that asks the application for data. :post:`42` becomes a link to post
 * 42 with its title, which the host's service "htmlize.posts/1" knows. */
#include "htmlize/htmlize.h"

#include <inttypes.h>

enum { SHOWN = 40 }; /* bytes of a wrong number that an error shows */

static int write_escaped(loader_call *call, const loader_text *text)
{
    size_t from = 0;

    for (size_t at = 0; at < text->size; at++) {
        const char *entity;
        loader_text plain = {text->data + from, at - from};

        switch (text->data[at]) {
        case '&': entity = "&amp;"; break;
        case '<': entity = "&lt;"; break;
        case '>': entity = "&gt;"; break;
        case '"': entity = "&quot;"; break;
        case '\'': entity = "&#x27;"; break;
        default: continue;
        }
        if (loader_write_text(call, &plain) != LOADER_OK || loader_write_string(call, entity) != LOADER_OK)
            return LOADER_NO_MEMORY;
        from = at + 1;
    }
    return from == text->size ? LOADER_OK : loader_write(call, text->data + from, text->size - from);
}

/* Fails with `problem` and the text it is about, cut between characters. */
static int refuse(loader_call *call, const loader_text *text, const char *problem)
{
    size_t shown = text->size > SHOWN ? SHOWN : text->size;

    if (shown < text->size)
        while (shown > 0 && ((unsigned char)text->data[shown] & 0xc0) == 0x80) /* a continuation byte */
            shown--;
    (void)loader_fail(call, "post number '%.*s%s' %s", (int)shown, shown == 0 ? "" : text->data,
                      shown < text->size ? "..." : "", problem);
    return LOADER_INVALID;
}

/* The post's number: decimal digits and nothing else. */
static int read_number(loader_call *call, const loader_text *text, int64_t *number)
{
    int64_t value = 0;

    if (text->size == 0)
        return refuse(call, text, "is empty: write :post:`42`");
    for (size_t at = 0; at < text->size; at++)
        if (text->data[at] < '0' || text->data[at] > '9')
            return refuse(call, text, "is not a number: write the digits 0 to 9 only");
    for (size_t at = 0; at < text->size; at++) {
        int digit = text->data[at] - '0';

        if (value > (INT64_MAX - digit) / 10)
            return refuse(call, text, "is too large: the largest is 9223372036854775807");
        value = value * 10 + digit;
    }
    *number = value;
    return LOADER_OK;
}

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:post\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                 const htmlize_post *post)
{
    const htmlize_posts *posts;
    loader_text title = {NULL, 0};
    int64_t number = 0;
    int status = read_number(call, text, &number);

    (void)role;
    (void)post;
    if (status != LOADER_OK)
        return status;
    posts = htmlize_posts_get(call);
    if (posts == NULL || !LOADER_HAS(posts, title))
        return loader_fail(call, "the application lends no service htmlize.posts/1 (titles of posts)");
    status = posts->title(call, posts, number, &title);
    if (status != LOADER_OK)
        return status; /* the service left its text in call->error */

    status = loader_printf(call, "<a href=\"/posts/%" PRId64 "\">", number);
    if (status == LOADER_OK)
        status = write_escaped(call, &title);
    if (status == LOADER_OK)
        status = loader_write_string(call, "</a>");
    return status;
}
