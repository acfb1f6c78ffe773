/* plain.c: the plugin as a C library without a framework would have it, for ctypes and cffi: it returns memory of
 * its own, which the host frees. The post goes along as its id and author. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct plain_post {
    int64_t id;
    const char *author;
} plain_post;

typedef const char *(*plain_title)(int64_t id);

/* A new NUL-terminated string, or NULL without memory. Free it with plain_free. */
char *plain_process_role(const char *role, const char *text, size_t size, const plain_post *post)
{
    char *result = malloc(size + 10);

    (void)role;
    (void)post;
    if (result == NULL)
        return NULL;
    memcpy(result, "<tt>", 4);
    memcpy(result + 4, text, size);
    memcpy(result + 4 + size, "</tt>", 6);
    return result;
}

void plain_free(char *result)
{
    free(result);
}

/* Fails: NULL, with the reason in *error, which is static. */
char *plain_fail(const char *role, const char *text, size_t size, const plain_post *post, const char **error)
{
    (void)role;
    (void)text;
    (void)size;
    (void)post;
    *error = "no post 42";
    return NULL;
}

/* Asks the host `count` times for a title; what it said last. */
const char *plain_call_back(long count, plain_title title)
{
    const char *last = "";

    for (; count > 0; count--)
        last = title(42);
    return last;
}
