/* table.c: the host's service htmlize.posts/1 as a C function table, lent to plugins by address. */
#define LOADER_HOST
#include "htmlize/htmlize.h"

static int title(loader_call *call, const htmlize_posts *posts, int64_t id, loader_text *result)
{
    (void)call;
    (void)posts;
    (void)id;
    result->data = "Rhubarb pie";
    result->size = 11;
    return LOADER_OK;
}

static const htmlize_posts table = {sizeof table, title};

__attribute__((visibility("default"))) const void *bench_table(void)
{
    return &table;
}
