/* limits.c: what no plugin system can beat: an indirect call in C (c-call) and a copy of the bytes (memcpy). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct limits_post {
    int64_t id;
    const char *author;
} limits_post;

typedef size_t (*role_function)(const char *role, const char *text, size_t size, const limits_post *post,
                                char *result);

static size_t tt(const char *role, const char *text, size_t size, const limits_post *post, char *result)
{
    (void)role;
    (void)post;
    memcpy(result, "<tt>", 4);
    memcpy(result + 4, text, size);
    memcpy(result + 4 + size, "</tt>", 5);
    return 4 + size + 5;
}

static size_t fail(const char *role, const char *text, size_t size, const limits_post *post, char *result)
{
    (void)role;
    (void)text;
    (void)size;
    (void)post;
    memcpy(result, "no post 42", 10);
    return 0;
}

/* volatile: the compiler must not know what is called. */
static role_function volatile functions[] = {tt, fail};

/* `count` calls through a pointer; what the last one returned. `result` has room for size + 9 bytes. */
size_t limits_call(long count, int which, const char *text, size_t size, char *result)
{
    limits_post post = {42, "Joe"};
    size_t written = 0;

    for (; count > 0; count--) {
        written = functions[which]("tt", text, size, &post, result);
        __asm__ volatile("" ::: "memory");
    }
    return written;
}

/* `count` copies into memory that is there already. */
void limits_copy(long count, char *to, const char *from, size_t size)
{
    for (; count > 0; count--) {
        memcpy(to, from, size);
        __asm__ volatile("" ::: "memory");
    }
}

/* `count` copies, each into new memory, as a result that is handed out needs it. Returns 0, or -1 without memory. */
int limits_copy_new(long count, const char *from, size_t size)
{
    for (; count > 0; count--) {
        char *to = malloc(size);
        if (to == NULL)
            return -1;
        memcpy(to, from, size);
        __asm__ volatile("" : : "r"(to) : "memory");
        free(to);
    }
    return 0;
}
