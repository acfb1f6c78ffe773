/* host.c: an older host. Its table ends where it ended then, and behind it is memory that nobody may read.
 *
 *     host PLUGIN SIZE      calls `use` and prints its output without the dots, and whether `write` was called
 *
 * SIZE: bytes of the table.
 */
#define _GNU_SOURCE
#define LOADER_HOST
#include "loader/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char room[8192], memory[64];
static int written;

static int no_more(loader_call *call, size_t more)
{
    (void)call, (void)more;
    return LOADER_NO_MEMORY;
}

static int fail(loader_call *call, int status, const char *text, size_t size)
{
    (void)call, (void)text, (void)size;
    return status;
}

static void quiet(loader_call *call, int level, const char *text, size_t size)
{
    (void)call, (void)level, (void)text, (void)size;
}

static int go_on(loader_call *call)
{
    (void)call;
    return LOADER_OK;
}

static const void *no_service(loader_call *call, const char *id, size_t size)
{
    (void)call, (void)id, (void)size;
    return NULL;
}

static loader_text path(loader_call *call)
{
    (void)call;
    return (loader_text){"here", 4};
}

static int write_long(loader_call *call, const void *data, size_t size)
{
    written = 1;
    memcpy(call->next, data, size);
    call->next += size;
    return LOADER_OK;
}

static void *alloc(loader_call *call, size_t size)
{
    (void)call;
    return size <= sizeof memory ? memory : NULL;
}

int main(int argc, char **argv)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    const loader_host all = {size, no_more, fail, quiet, go_on, no_service, path, write_long, alloc};
    loader_call call = {sizeof call, room, room + sizeof room, NULL, {NULL, 0}};
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL, *address;
    int (*use)(loader_call *);

    if (library == NULL || pages == MAP_FAILED || size > sizeof all || mprotect(pages + page, page, PROT_NONE) != 0)
        return 2;
    memcpy(pages + page - size, &all, size);
    call.host = (const loader_host *)(void *)(pages + page - size);
    address = dlsym(library, "use");
    memcpy(&use, &address, sizeof use);
    if (use(&call) != LOADER_OK)
        return 1;
    for (const char *at = room; at < call.next; at++)
        if (*at != '.')
            putchar(*at);
    printf(" write=%s\n", written ? "yes" : "no");
    return 0;
}
