/* cli_tool.c: plugin for contract cli_tool. It does what it is told to, also crash, hang and exit. */
#include "cli_tool.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

static int is(const loader_text *text, const char *word)
{
    return text->size == strlen(word) && memcmp(text->data, word, text->size) == 0;
}

static void log_line(loader_call *call, int level, const char *text)
{
    loader_log(call, level, text, strlen(text));
}

int echo(loader_call *call, const loader_text *text)
{
    return loader_write_text(call, text);
}

int numbers(loader_call *call, int32_t small, uint64_t large)
{
    return loader_printf(call, "%" PRId32 " %" PRIu64, small, large);
}

int reverse(loader_call *call, const loader_bytes *data)
{
    for (size_t at = data->size; at > 0; at--)
        if (loader_write(call, data->data + at - 1, 1) != LOADER_OK)
            return LOADER_NO_MEMORY;
    return LOADER_OK;
}

int describe(loader_call *call, const loader_text *before, const cli_item *item, const loader_text *after)
{
    return loader_printf(call, "%.*s|%" PRId32 "|%.*s|%zu|%g|%.*s", LOADER_PRINT(before), item->number,
                         LOADER_PRINT(&item->name), item->data.size, item->weight, LOADER_PRINT(after));
}

int misbehave(loader_call *call, const loader_text *how)
{
    volatile int again = 1;

    if (is(how, "fail"))
        return loader_fail(call, "it is %s", "Monday");
    if (is(how, "controls"))
        return loader_fail(call, "\033]0;title\007 first\nsecond");
    if (is(how, "log")) {
        log_line(call, LOADER_DEBUG, "a detail");
        log_line(call, LOADER_WARNING, "a \033[31mred\033[0m warning");
        return loader_write_string(call, "logged");
    }
    if (is(how, "abort"))
        abort();
    if (is(how, "exit"))
        exit(0);
    if (is(how, "status"))
        return 77;
    if (is(how, "not-utf8"))
        return loader_write(call, "\xff", 1);
    if (is(how, "stubborn"))
        (void)signal(SIGINT, SIG_IGN);
    if (is(how, "hang") || is(how, "stubborn")) {
        fputs("hanging\n", stderr); /* a line of log comes when the function returns */
        while (again)
            ;
    }
    if (is(how, "wait")) {
        log_line(call, LOADER_INFO, "waiting");
        while (loader_cancelled(call) == LOADER_OK)
            ;
        return loader_cancelled(call);
    }
    return LOADER_INVALID;
}
