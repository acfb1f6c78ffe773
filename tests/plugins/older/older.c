/* older.c: a plugin of contract older that uses every helper that the first plugin.h had. */
#include "older.h"

int say(loader_call *call, const older_item *item)
{
    if (loader_cancelled(call) != LOADER_OK)
        return LOADER_CANCELLED;
    if (loader_service(call, "older.none/1") != NULL)
        return loader_fail(call, "a service that nobody lends");
    if (loader_write_text(call, &item->name) != LOADER_OK)
        return LOADER_NO_MEMORY;
    return loader_printf(call, ": %lld", (long long)item->number);
}

int fill(loader_call *call, const loader_bytes *piece)
{
    char *room;

    if (loader_write_bytes(call, piece) != LOADER_OK)
        return LOADER_NO_MEMORY;
    room = loader_reserve(call, piece->size);
    if (room == NULL)
        return LOADER_NO_MEMORY;
    memset(room, '.', piece->size);
    loader_commit(call, piece->size);
    return loader_write_string(call, "!");
}

int refuse(loader_call *call, const loader_text *why)
{
    return loader_fail(call, "refused: %.*s", LOADER_PRINT(why));
}

int shout(loader_call *call, const loader_text *line)
{
    loader_log(call, LOADER_WARNING, line->data, line->size);
    return LOADER_OK;
}
