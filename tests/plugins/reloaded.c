/* reloaded.c: see reloaded.h. Tests write the number of the build into its bytes: one compilation for all. */
#include "reloaded.h"

#include <stdlib.h>
#include <string.h>

struct adder {
    int64_t total;
};

static const volatile char stamp[] = "BUILD:0000"; /* volatile: read where it lies, not when compiled */
static int64_t calls;

static int write_build(loader_call *call)
{
    char digits[4];

    for (int i = 0; i < 4; i++)
        digits[i] = stamp[6 + i];
    return loader_write(call, digits, sizeof digits);
}

int build(loader_call *call)
{
    calls++;
    return write_build(call);
}

int through(loader_call *call)
{
    const reloaded_app *app = reloaded_app_get(call);
    int status = app == NULL ? LOADER_OK : app->back(call, app);

    return status == LOADER_OK ? write_build(call) : status;
}

int times(loader_call *call, int64_t *count)
{
    (void)call;
    *count = calls;
    return LOADER_OK;
}

int next_to(loader_call *call, double number, double *next)
{
    (void)call;
    *next = number + 1;
    return LOADER_OK;
}

int fail(loader_call *call, const loader_text *message)
{
    return loader_fail(call, "%.*s", LOADER_PRINT(message));
}

int check(loader_call *call)
{
    return stamp[6] == 'F' ? loader_fail(call, "this build is broken") : LOADER_OK;
}

int sound(loader_call *call, bool *is_sound)
{
    (void)call;
    *is_sound = stamp[6] != 'F';
    return LOADER_OK;
}

#ifdef EXTRA
int extra(loader_call *call)
{
    return write_build(call);
}
#endif

int adder_new(loader_call *call, adder **made)
{
    (void)call;
    *made = calloc(1, sizeof **made);
    return *made == NULL ? LOADER_NO_MEMORY : LOADER_OK;
}

int adder_add(loader_call *call, adder *self, int64_t more, int64_t *total)
{
    (void)call;
    self->total += more;
    *total = self->total;
    return LOADER_OK;
}

int adder_build(loader_call *call, const adder *self)
{
    (void)self;
    return write_build(call);
}

int adder_export_state(loader_call *call, const adder *self)
{
    return loader_write(call, &self->total, sizeof self->total);
}

int adder_import_state(loader_call *call, const loader_bytes *state, adder **made)
{
    if (state->size != sizeof(int64_t))
        return loader_fail(call, "this is no adder's state");
    *made = calloc(1, sizeof **made);
    if (*made == NULL)
        return LOADER_NO_MEMORY;
    memcpy(&(*made)->total, state->data, sizeof(int64_t));
    if ((*made)->total < 0) {
        free(*made);
        return loader_fail(call, "it cannot begin below 0");
    }
    return LOADER_OK;
}

void adder_free(adder *self)
{
    free(self);
}
