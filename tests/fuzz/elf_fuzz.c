/* elf_fuzz.c: libFuzzer target of the C reader of plugin files, loader/_core/elf/elf_read.h.
 *
 * What it hands over must lie in the file and hold no NUL. The file has exactly the memory that it is said to have,
 * so that a sanitizer sees any step beyond. That it says what the reader in Python says is for image_fuzz.py.
 *
 *     clang -fsanitize=fuzzer,address,undefined -g -O1 -I loader/_core \
 *         tests/fuzz/elf_fuzz.c loader/_core/elf_{read,names}.c -o /tmp/elf_fuzz
 *     /tmp/elf_fuzz tests/fuzz/corpus/image
 */
#include "elf/elf_read.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void must_lie_in(struct elf_bytes file, struct elf_bytes bytes)
{
    if (bytes.at != NULL)
        must(bytes.at >= file.at && bytes.size <= file.size && (size_t)(bytes.at - file.at) <= file.size - bytes.size);
}

struct taken {
    struct elf_bytes file;
    size_t size; /* of all names */
};

static enum elf_answer take(void *context, enum elf_name kind, struct elf_bytes name)
{
    struct taken *taken = context;

    must(kind <= ELF_WANTED && name.at != NULL);
    must_lie_in(taken->file, name);
    must(name.size == 0 || memchr(name.at, 0, name.size) == NULL);
    taken->size += name.size;
    must(taken->size <= 4 * taken->file.size + (1 << 20));
    return ELF_READ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size); /* of just this size */
    struct taken taken = {{copy, size}, 0};
    struct elf_facts facts;

    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    if (elf_read(taken.file, &facts, take, &taken) == ELF_READ) {
        must_lie_in(taken.file, facts.build_id);
        must_lie_in(taken.file, facts.comment);
        must(facts.build_id.size <= 64 && facts.comment.size <= 4096);
    }
    free(copy);
    return 0;
}
