/* acts.c as a plugin of acts_contract.h. */
#define at_load acts_of_constructor /* a name of both */
#include "acts.c"
#undef at_load

#include "acts_contract.h"

typedef int act_function(const char *name, size_t size);

static int run(loader_call *call, act_function *act, const loader_text *name, int64_t size, int32_t *done)
{
    char text[512];
    if (name->size >= sizeof text) return loader_fail(call, "a long name");
    memcpy(text, name->data, name->size);
    text[name->size] = '\0';
    *done = act(text, (size_t)size);
    return LOADER_OK;
}

int called(loader_call *call, const loader_text *name, int64_t size, int32_t *done)
{
    return run(call, act_run, name, size, done);
}

int in_thread(loader_call *call, const loader_text *name, int64_t size, int32_t *done)
{
    return run(call, act_run_in_thread, name, size, done);
}

int at_load(loader_call *call, int64_t index, int32_t *done)
{
    const char *names;
    const int *found;
    if (index < 0 || index >= act_at_load(&names, &found)) return loader_fail(call, "no such act");
    *done = found[index];
    return LOADER_OK;
}

int name_of(loader_call *call, int64_t index)
{
    const char *name = index < 0 ? NULL : act_name((size_t)index);
    return name == NULL ? LOADER_OK : loader_write(call, name, strlen(name));
}
