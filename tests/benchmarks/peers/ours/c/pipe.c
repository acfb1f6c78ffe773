/* pipe.c: the plugin of system pipe, a process with length-prefixed frames on standard input and output:
 * one byte kind, four bytes size (little endian), the bytes. R request (role NUL id NUL author NUL text), A answer,
 * E error, C callback, T the title that the host answers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_all(char *to, size_t size)
{
    while (size > 0) {
        ssize_t got = read(0, to, size);
        if (got <= 0)
            return -1;
        to += got;
        size -= (size_t)got;
    }
    return 0;
}

static int write_all(const char *from, size_t size)
{
    while (size > 0) {
        ssize_t put = write(1, from, size);
        if (put <= 0)
            return -1;
        from += put;
        size -= (size_t)put;
    }
    return 0;
}

static int read_frame(char **buffer, uint32_t *size)
{
    char head[5];

    if (read_all(head, sizeof head) != 0)
        return -1;
    memcpy(size, head + 1, 4);
    *buffer = realloc(*buffer, (size_t)*size + 1);
    if (*buffer == NULL || read_all(*buffer, *size) != 0)
        return -1;
    (*buffer)[*size] = 0;
    return 0;
}

/* `buffer` has five bytes of room before the payload. */
static int write_frame(char kind, char *buffer, uint32_t size)
{
    buffer[0] = kind;
    memcpy(buffer + 1, &size, 4);
    return write_all(buffer, 5 + (size_t)size);
}

int main(void)
{
    char *request = NULL, *answer = NULL;
    uint32_t size;

    while (read_frame(&request, &size) == 0) {
        const char *role = request;
        const char *id = role + strlen(role) + 1;
        const char *author = id + strlen(id) + 1;
        const char *text = author + strlen(author) + 1;
        size_t text_size = size - (size_t)(text - request);

        answer = realloc(answer, text_size + 64);
        if (answer == NULL)
            return 1;
        if (strcmp(role, "tt") == 0) {
            memcpy(answer + 5, "<tt>", 4);
            memcpy(answer + 9, text, text_size);
            memcpy(answer + 9 + text_size, "</tt>", 5);
            if (write_frame('A', answer, (uint32_t)text_size + 9) != 0)
                return 1;
        } else if (strcmp(role, "fail") == 0) {
            int length = sprintf(answer + 5, "no post %.20s", id);
            if (write_frame('E', answer, (uint32_t)length) != 0)
                return 1;
        } else {
            char *title = NULL;
            uint32_t title_size = 0;

            for (long left = strtol(text, NULL, 10); left > 0; left--)
                if (write_frame('C', answer, 0) != 0 || read_frame(&title, &title_size) != 0)
                    return 1;
            if (title_size > 32)
                return 1;
            if (title_size != 0)
                memcpy(answer + 5, title, title_size);
            free(title);
            if (write_frame('A', answer, title_size) != 0)
                return 1;
        }
    }
    return 0;
}
