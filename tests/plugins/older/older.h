/* older.h: contract older 1.0, in words that every plugin.h has had. */
#ifndef OLDER_H
#define OLDER_H

#include "loader/plugin.h"

LOADER_CONTRACT(older, 1, 0);

LOADER_BEGIN_C

typedef struct older_item {
    size_t size;
    loader_text name;
    int64_t number;
} older_item;

LOADER_EXPORT int say(loader_call *call, const older_item *item);

/* Writes so many bytes, in one piece. */
LOADER_GIVES_BYTES LOADER_EXPORT int fill(loader_call *call, const loader_bytes *piece);

LOADER_EXPORT int refuse(loader_call *call, const loader_text *why);

LOADER_EXPORT int shout(loader_call *call, const loader_text *line);

LOADER_OPTIONAL int since_later(loader_call *call);

LOADER_END_C

#endif /* OLDER_H */
