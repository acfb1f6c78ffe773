/* probe.c: the plugin of contract probe. Well-behaved, but for `overrun`. */
#define _GNU_SOURCE
#include "probe.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <time.h>

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- Parameters -------------------------------------------------------------------------------------- */

int none(loader_call *call)
{
    return loader_write_string(call, "none");
}

int one(loader_call *call, int8_t a)
{
    return loader_printf(call, "%d", a);
}

int two(loader_call *call, int8_t a, uint8_t b)
{
    return loader_printf(call, "%d %d", a, b);
}

int three(loader_call *call, int8_t a, uint8_t b, int16_t c)
{
    return loader_printf(call, "%d %d %d", a, b, c);
}

int four(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d)
{
    return loader_printf(call, "%d %d %d %d", a, b, c, d);
}

int five(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e)
{
    return loader_printf(call, "%d %d %d %d %" PRId32, a, b, c, d, e);
}

int six(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f)
{
    return loader_printf(call, "%d %d %d %d %" PRId32 " %" PRIu32, a, b, c, d, e, f);
}

int seven(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f, int64_t g)
{
    return loader_printf(call, "%d %d %d %d %" PRId32 " %" PRIu32 " %" PRId64, a, b, c, d, e, f, g);
}

int eight(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f, int64_t g, uint64_t h)
{
    return loader_printf(call, "%d %d %d %d %" PRId32 " %" PRIu32 " %" PRId64 " %" PRIu64, a, b, c, d, e, f, g, h);
}

int echo(loader_call *call, const loader_text *text)
{
    return loader_write_text(call, text);
}

int echo_bytes(loader_call *call, const loader_bytes *data)
{
    return loader_write_bytes(call, data);
}

int decode(loader_call *call, const loader_bytes *data)
{
    return loader_write_bytes(call, data);
}

int encode(loader_call *call, const loader_text *text)
{
    return loader_write_text(call, text);
}

int show(loader_call *call, const probe_item *item)
{
    int status = loader_printf(call, "%zu|%d|%" PRIu64 "|%.*s|%d|%d|%d|", item->size, item->tiny, item->id,
                               LOADER_PRINT(&item->title), item->flag, item->low, item->high);
    for (size_t i = 0; status == LOADER_OK && i < item->blob.size; i++)
        status = loader_printf(call, "%02x", item->blob.data[i]);
    if (status != LOADER_OK)
        return status;
    return loader_printf(call, "|%" PRId32 "|%.17g|%" PRIu32 "|%" PRId64, item->count, item->weight, item->mask,
                         item->offset);
}

int between(loader_call *call, const loader_text *label, const probe_point *start, const probe_point *end)
{
    return loader_printf(call, "%.*s %g,%g %g,%g", LOADER_PRINT(label), start->x, start->y, end->x, end->y);
}

/* ---- Output ------------------------------------------------------------------------------------------ */

static int write_many(loader_call *call, const loader_text *text, uint64_t count, uint64_t step)
{
    if (loader_write_text(call, text) != LOADER_OK)
        return LOADER_NO_MEMORY;
    while (count > 0) {
        size_t size = count < step ? count : step;
        char *room = loader_reserve(call, size);
        if (room == NULL)
            return LOADER_NO_MEMORY;
        memset(room, 'x', size);
        loader_commit(call, size);
        count -= size;
    }
    return LOADER_OK;
}

int pad(loader_call *call, const loader_text *text, uint64_t count, uint64_t step)
{
    return write_many(call, text, count, step);
}

int pad_bytes(loader_call *call, const loader_text *text, uint64_t count, uint64_t step)
{
    return write_many(call, text, count, step);
}

int pad_wide(loader_call *call, const loader_text *text, uint64_t count)
{
    int status = loader_write_text(call, text);
    while (status == LOADER_OK && count-- > 0)
        status = loader_write_string(call, "\xc3\xa9");
    return status;
}

int overrun(loader_call *call, uint64_t more)
{
    loader_commit(call, (size_t)(call->limit - call->next) + more);
    return LOADER_OK;
}

int overrun_bytes(loader_call *call, const loader_text *text, uint64_t more)
{
    (void)text;
    return overrun(call, more);
}

/* ---- Failing, logging -------------------------------------------------------------------------------- */

int fail(loader_call *call, int status, const loader_bytes *message)
{
    (void)loader_write_string(call, "half");
    if (message->size != 0)
        (void)loader_fail_with(call, status, (const char *)message->data, message->size);
    return status;
}

int fail_again(loader_call *call, const loader_text *message)
{
    (void)loader_fail_with(call, LOADER_FAILED, message->data, message->size);
    return loader_fail(call, "[%.*s]", LOADER_PRINT(&call->error));
}

int fail_with_own(loader_call *call, const loader_text *message, uint64_t start)
{
    (void)loader_fail_with(call, LOADER_FAILED, message->data, message->size);
    return loader_fail_with(call, LOADER_INVALID, call->error.data + start, call->error.size - start);
}

int say(loader_call *call, int level, const loader_bytes *line)
{
    loader_log(call, level, (const char *)line->data, line->size);
    return loader_write_string(call, "logged");
}

/* ---- Time and threads -------------------------------------------------------------------------------- */

int spin(loader_call *call, uint32_t most)
{
    int64_t end = now() + most;
    while (now() < end) {
        int status = loader_cancelled(call);
        if (status != LOADER_OK)
            return status;
    }
    return loader_write_string(call, "nobody stopped me");
}

/* `arrived` counts in all; a round is complete at every multiple of `parties`. */
static int meet_at(loader_call *call, atomic_uint *arrived, uint32_t parties)
{
    unsigned ticket = atomic_fetch_add(arrived, 1) + 1;
    unsigned complete = (ticket + parties - 1) / parties * parties;
    int64_t end = now() + 20000;
    const struct timespec pause = {0, 100000};

    while (atomic_load(arrived) < complete) {
        if (now() > end)
            return loader_fail(call, "nobody came");
        nanosleep(&pause, NULL);
    }
    return loader_write_string(call, "met");
}

int meet(loader_call *call, const loader_text *text, uint32_t parties)
{
    static atomic_uint alone, together;
    (void)text;
    return meet_at(call, parties == 1 ? &alone : &together, parties);
}

int meet_slowly(loader_call *call, uint32_t parties)
{
    static atomic_uint arrived;
    const struct timespec pause = {0, 200000};
    nanosleep(&pause, NULL);
    return meet_at(call, &arrived, parties);
}

int rest(loader_call *call, uint32_t microseconds)
{
    const struct timespec pause = {microseconds / 1000000, (long)(microseconds % 1000000) * 1000};
    nanosleep(&pause, NULL);
    return loader_write_string(call, "rested");
}

/* Has a name that every Plugin has as an attribute, so no header can declare it. */
LOADER_EXPORT int digest(loader_call *call);
int digest(loader_call *call)
{
    return loader_write_string(call, "of the plugin");
}

int present(loader_call *call)
{
    return loader_write_string(call, "present");
}
