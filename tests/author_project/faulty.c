/* faulty.c: plugin for contract kit that breaks the rules of loader/plugin.h, a rule a case. */
#include "kit.h"

static int is(const loader_text *what, const char *name)
{
    return what->size == strlen(name) && memcmp(what->data, name, what->size) == 0;
}

int run(loader_call *call, const loader_text *what, const loader_bytes *bytes, int64_t number)
{
    (void)bytes;
    (void)number;
    if (is(what, "fails_silently"))
        return LOADER_FAILED;
    if (is(what, "wrong_text"))
        return loader_write_string(call, "wrong");
    if (is(what, "writes_behind") && loader_reserve(call, 5) != NULL)
        call->limit[0] = 'x';
    if (is(what, "moves_next")) {
        call->next = call->limit + 1;
        return LOADER_OK;
    }
    return loader_write_string(call, "right");
}
