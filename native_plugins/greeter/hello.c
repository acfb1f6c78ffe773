/* hello.c: plugin for contract greeter. Greets in English. */
#include "greeter.h"

int greet(loader_call *call, const loader_text *name)
{
    if (loader_write_string(call, "Hello, ") != LOADER_OK || loader_write_text(call, name) != LOADER_OK)
        return LOADER_NO_MEMORY;
    return loader_write_string(call, "!");
}
