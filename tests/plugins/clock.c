/* clock.c: a service as a table of C functions: "lend.clock/2" of lend.h. No plugin: tests open it with cffi. */
#define LOADER_HOST
#include "lend.h"

static int now(loader_call *call, const lend_clock *clock, int64_t *result)
{
    (void)clock;
    if (*result != -1)
        return loader_fail(call, "the clock has stopped");
    *result = 1234;
    return LOADER_OK;
}

__attribute__((visibility("default"))) extern const lend_clock clock_table;
const lend_clock clock_table = {sizeof clock_table, now};
