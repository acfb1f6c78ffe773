/* newer.c: a plugin, also in C++, that uses what hosts did not always have, and says what it got. */
#include "loader/plugin.h"

LOADER_CONTRACT(newer, 1, 0);

LOADER_BEGIN_C
LOADER_EXPORT int use(loader_call *call);
LOADER_END_C

int use(loader_call *call)
{
    static char piece[2 * LOADER_LONG];
    loader_text path;
    char *memory;

    memset(piece, '.', sizeof piece);
    if (loader_write(call, piece, sizeof piece) != LOADER_OK)
        return LOADER_NO_MEMORY;
    path = loader_plugin_path(call);
    memory = (char *)loader_alloc_items(call, 3, 5);
    if (memory != NULL)
        memset(memory, 1, 15);
    return loader_printf(call, " path=%.*s alloc=%s", LOADER_PRINT(&path), memory != NULL ? "yes" : "no");
}
