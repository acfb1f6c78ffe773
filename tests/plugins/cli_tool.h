/* cli_tool.h: contract cli_tool 1.1, with a function for each kind of argument that a command line can give. */
#ifndef CLI_TOOL_H
#define CLI_TOOL_H

#include "loader/plugin.h"

LOADER_CONTRACT(cli_tool, 1, 1);

LOADER_BEGIN_C

typedef struct cli_item {
    size_t size;
    int32_t number;
    loader_text name;
    loader_bytes data;
    double weight;
} cli_item;

/* Writes `text` as it is. */
LOADER_EXPORT int echo(loader_call *call, const loader_text *text);

/* Writes both numbers. */
LOADER_EXPORT int numbers(loader_call *call, int32_t small, uint64_t large);

/* Writes `data` from its end to its beginning. */
LOADER_GIVES_BYTES LOADER_EXPORT int reverse(loader_call *call, const loader_bytes *data);

/* Writes the fields of `item` between two texts. */
LOADER_EXPORT int describe(loader_call *call, const loader_text *before, const cli_item *item,
                           const loader_text *after);

/* Does something bad; `how` says what. */
LOADER_EXPORT int misbehave(loader_call *call, const loader_text *how);

/* Not every plugin has it. */
LOADER_OPTIONAL int extra(loader_call *call);

LOADER_END_C

#endif /* CLI_TOOL_H */
