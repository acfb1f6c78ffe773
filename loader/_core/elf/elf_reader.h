/* elf_reader.h: what the two halves of the C reader of ELF share: a file being read, and its bytes. See elf_read.h. */
#ifndef LOADER_ELF_READER_H
#define LOADER_ELF_READER_H

#include "elf/elf_read.h"

#include <string.h>

enum { ELF_DYN_SIZE = 16, ELF_PHDR_SIZE = 56, ELF_PT_LOAD = 1, ELF_MAX_ENTRIES = 8192, ELF_MAX_NAME = 1 << 20 };

/* The dynamic entries that are asked for, each with its value; a tag that repeats has its last one. */
struct elf_entry {
    uint64_t value;
    bool there;
};

struct elf_reader {
    struct elf_bytes file;
    struct elf_bytes headers; /* program headers */
    struct elf_bytes dynamic; /* entries before DT_NULL */
    struct elf_entry strtab, strsz, symtab, syment, gnu_hash, versym, verdef, verneed, verneednum;
    struct elf_entry soname, rpath, runpath, textrel, flags, flags_1, filter;
    struct elf_bytes strings;
    uint64_t room; /* bytes of names that may still be asked for: they may share theirs */
    elf_take *take;
    void *context;
};

/* Hands over all names that the dynamic table leads to: elf_names.c. */
enum elf_answer elf_give_names(struct elf_reader *r);

/* ---- Bytes ------------------------------------------------------------------------------------------- */

static inline uint16_t u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t u32(const unsigned char *at)
{
    return u16(at) | (uint32_t)u16(at + 2) << 16;
}

static inline uint64_t u64(const unsigned char *at)
{
    return u32(at) | (uint64_t)u32(at + 4) << 32;
}

/* `size` bytes at `offset` of `whole`. False: they do not lie inside. */
static inline bool part(struct elf_bytes whole, uint64_t offset, uint64_t size, struct elf_bytes *found)
{
    if (offset > whole.size || size > whole.size - offset)
        return false;
    found->at = whole.at + offset;
    found->size = (size_t)size;
    return true;
}

static inline bool is(struct elf_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.at, text, bytes.size) == 0;
}

static inline bool begins(struct elf_bytes bytes, const char *text)
{
    return bytes.size >= strlen(text) && memcmp(bytes.at, text, strlen(text)) == 0;
}

/* The same with a NUL behind it. */
static inline bool is_called(struct elf_bytes bytes, const char *text)
{
    return bytes.size > strlen(text) && memcmp(bytes.at, text, strlen(text) + 1) == 0;
}

static inline bool holds(struct elf_bytes bytes, const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i + size <= bytes.size; i++)
        if (memcmp(bytes.at + i, text, size) == 0)
            return true;
    return false;
}

/* The file's bytes from an address to the end of its segment. */
static inline bool elf_bytes_at(const struct elf_reader *r, uint64_t address, struct elf_bytes *found)
{
    for (size_t i = 0; i < r->headers.size; i += ELF_PHDR_SIZE) {
        const unsigned char *header = r->headers.at + i;
        uint64_t begin = u64(header + 16), size = u64(header + 32);

        if (u32(header) == ELF_PT_LOAD && address >= begin && address - begin < size)
            return part(r->file, u64(header + 8) + (address - begin), size - (address - begin), found);
    }
    return false;
}

#endif /* LOADER_ELF_READER_H */
