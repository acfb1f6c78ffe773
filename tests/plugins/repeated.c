/* repeated.c: a plugin of contract repeated. */
#include "repeated.h"

#include <stdio.h>
#include <stdlib.h>

struct tally {
    char nothing;
};

static int count(loader_call *call, const loader_text *path, int64_t falls, int64_t *calls)
{
    char name[4096];
    FILE *file;

    snprintf(name, sizeof name, "%.*s", (int)path->size, path->data);
    file = fopen(name, "ab");
    if (file == NULL)
        return loader_fail(call, "the file cannot be written");
    fputc('.', file);
    *calls = ftell(file);
    fclose(file);
    if (*calls <= falls)
        abort();
    return LOADER_OK;
}

int marked(loader_call *call, const loader_text *path, int64_t falls, int64_t *calls)
{
    return count(call, path, falls, calls);
}

int plain(loader_call *call, const loader_text *path, int64_t falls, int64_t *calls)
{
    return count(call, path, falls, calls);
}

int asked(loader_call *call, const loader_text *path, int64_t falls, int64_t *calls)
{
    const repeated_host *const host = repeated_host_get(call);
    int64_t twice;

    if (host == NULL || host->answer(call, host, 21, &twice) != LOADER_OK)
        return LOADER_FAILED;
    return count(call, path, falls, calls);
}

int tally_new(loader_call *call, tally **made)
{
    (void)call;
    *made = malloc(sizeof **made);
    return *made == NULL ? LOADER_NO_MEMORY : LOADER_OK;
}

int tally_count(loader_call *call, tally *self, const loader_text *path, int64_t falls, int64_t *calls)
{
    (void)self;
    return count(call, path, falls, calls);
}

void tally_free(tally *self)
{
    free(self);
}
