/* elf_names.c: the names of an ELF file, of libraries, symbols and versions, by its dynamic table. See elf_read.h.
 *
 * The rules are those of loader/image/elf_symbols.py.
 */
#include "elf/elf_reader.h"

enum { SYM_SIZE = 24, MAX_SYMBOLS = 1000000 };
enum { STB_GLOBAL = 1, STB_WEAK = 2, STB_GNU_UNIQUE = 10, STV_INTERNAL = 1, STV_HIDDEN = 2 };
enum { STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON = 5, STT_TLS, STT_GNU_IFUNC = 10 };
enum { SHN_UNDEF = 0, SHN_ABS = 0xFFF1, VERSION_HIDDEN = 0x8001 };

/* ---- Names ------------------------------------------------------------------------------------------- */

/* Hands over the name at an offset of the string table, which is spent `times` times. */
static enum elf_answer give(struct elf_reader *r, enum elf_name kind, uint64_t offset, unsigned times)
{
    struct elf_bytes name;
    const unsigned char *end;

    if (!part(r->strings, offset, 1, &name))
        return ELF_OTHER;
    name.size = r->strings.size - (size_t)offset < ELF_MAX_NAME ? r->strings.size - (size_t)offset : ELF_MAX_NAME;
    end = memchr(name.at, 0, name.size);
    if (end == NULL)
        return ELF_OTHER;
    name.size = (size_t)(end - name.at);
    if (r->room < (uint64_t)times * name.size)
        return ELF_OTHER;
    r->room -= (uint64_t)times * name.size;
    if (kind == ELF_NEEDED && (is(name, "libc.so.7") || begins(name, "libgo.so") || holds(name, "san")))
        return ELF_OTHER; /* FreeBSD, gccgo and sanitizers */
    return r->take(r->context, kind, name);
}

static enum elf_answer give_entry(struct elf_reader *r, enum elf_name kind, const struct elf_entry *entry)
{
    return entry->there ? give(r, kind, entry->value, 1) : ELF_READ;
}

static enum elf_answer give_needed(struct elf_reader *r)
{
    enum elf_answer answer = ELF_READ;

    for (size_t i = 0; answer == ELF_READ && i < r->dynamic.size; i += ELF_DYN_SIZE)
        if (u64(r->dynamic.at + i) == 1)
            answer = give(r, ELF_NEEDED, u64(r->dynamic.at + i + 8), 1);
    return answer;
}

/* ---- Symbols ----------------------------------------------------------------------------------------- */

/* Index of the first symbol that can be found, and the number of symbols, which only the end of the hash table's
 * last chain tells. */
static bool count_symbols(const struct elf_reader *r, uint64_t *first, uint64_t *count)
{
    struct elf_bytes table, head, buckets, chain;
    uint64_t blooms, last = 0;

    if (!r->gnu_hash.there || !elf_bytes_at(r, r->gnu_hash.value, &table) || !part(table, 0, 16, &head))
        return false;
    *first = u32(head.at + 4);
    blooms = u32(head.at + 8);
    if (u32(head.at) > MAX_SYMBOLS || !part(table, 16 + 8 * blooms, 4 * (uint64_t)u32(head.at), &buckets))
        return false;
    for (size_t i = 0; i < buckets.size; i += 4)
        if (u32(buckets.at + i) > last)
            last = u32(buckets.at + i);
    if (last < *first || last > MAX_SYMBOLS)
        return false;
    for (*count = last;;) {
        uint64_t offset = 16 + 8 * blooms + buckets.size + 4 * (*count - *first);

        if (*count >= MAX_SYMBOLS || !part(table, offset, 4, &chain))
            return false;
        ++*count;
        if (u32(chain.at) & 1)
            return true;
    }
}

static bool can_be_found(unsigned info)
{
    unsigned binding = info >> 4, type = info & 15;

    return (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           (type <= STT_FUNC || type == STT_COMMON || type == STT_TLS || type == STT_GNU_IFUNC);
}

/* Whether only instrumented code has such a name: __asan_init, __hwasan_init, __ubsan_handle_... */
static bool is_sanitizers(struct elf_bytes strings, uint64_t offset)
{
    struct elf_bytes name;

    return part(strings, offset, 9, &name) && begins(name, "__") &&
           (memcmp(name.at + 3, "san_", 4) == 0 || memcmp(name.at + 4, "san_", 4) == 0 ||
            memcmp(name.at + 5, "san_", 4) == 0);
}

static enum elf_answer give_symbols(struct elf_reader *r)
{
    struct elf_bytes table, symbols, versions = {NULL, 0};
    uint64_t first, count;
    enum elf_answer answer = ELF_READ;

    if (!count_symbols(r, &first, &count) || (r->syment.there && r->syment.value != SYM_SIZE) ||
        !r->symtab.there || !elf_bytes_at(r, r->symtab.value, &table) || !part(table, 0, count * SYM_SIZE, &symbols))
        return ELF_OTHER;
    if (r->versym.there && (!elf_bytes_at(r, r->versym.value, &table) || !part(table, 0, 2 * count, &versions)))
        return ELF_OTHER;
    for (uint64_t i = 0; answer == ELF_READ && i < count; i++) {
        const unsigned char *symbol = symbols.at + i * SYM_SIZE;
        uint32_t name = u32(symbol);
        unsigned info = symbol[4], type = info & 15, visibility = symbol[5] & 3, section = u16(symbol + 6);

        if (!can_be_found(info))
            continue;
        if (is_sanitizers(r->strings, name)) {
            answer = ELF_OTHER;
        } else if (section == SHN_UNDEF) {
            if (name != 0)
                answer = give(r, ELF_IMPORT, name, 1);
        } else if (i >= first && (versions.at == NULL || u16(versions.at + 2 * i) <= VERSION_HIDDEN) &&
                   visibility != STV_INTERNAL && visibility != STV_HIDDEN &&
                   (u64(symbol + 8) != 0 || section == SHN_ABS || type == STT_TLS)) {
            bool data = type == STT_OBJECT || type == STT_COMMON || type == STT_TLS;
            answer = give(r, data ? ELF_DATA_EXPORT : ELF_EXPORT, name, data ? 2 : 1);
        }
    }
    return answer;
}

/* ---- Versions ---------------------------------------------------------------------------------------- */

/* The symbol versions that are asked of other libraries: two linked lists, one in the other. */
static enum elf_answer give_versions(struct elf_reader *r)
{
    struct elf_bytes table, entry;
    uint64_t at = 0, libraries = r->verneednum.value, left = ELF_MAX_ENTRIES;
    enum elf_answer answer = ELF_READ;

    if (!r->verneed.there)
        return ELF_READ;
    if (libraries > ELF_MAX_ENTRIES || !elf_bytes_at(r, r->verneed.value, &table))
        return ELF_OTHER;
    for (uint64_t i = 0; answer == ELF_READ && i < libraries; i++) {
        uint64_t count, inner, following;

        if (!part(table, at, 16, &entry))
            return ELF_OTHER;
        count = u16(entry.at + 2);
        inner = at + u32(entry.at + 8);
        following = u32(entry.at + 12);
        if (count > left)
            return ELF_OTHER;
        left -= count;
        answer = give(r, ELF_WANTED_FROM, u32(entry.at + 4), 1);
        for (uint64_t k = 0; answer == ELF_READ && k < count; k++) {
            if (!part(table, inner, 16, &entry))
                return ELF_OTHER;
            answer = give(r, ELF_WANTED, u32(entry.at + 8), 1);
            if (u32(entry.at + 12) == 0)
                break;
            inner += u32(entry.at + 12);
        }
        if (following == 0)
            break;
        at += following;
    }
    return answer;
}

/* ---- All of them -------------------------------------------------------------------------------------- */

enum elf_answer elf_give_names(struct elf_reader *r)
{
    enum elf_answer answer = give_needed(r);

    if (answer == ELF_READ)
        answer = give_entry(r, ELF_SONAME, &r->soname);
    if (answer == ELF_READ)
        answer = give_entry(r, ELF_RPATH, &r->rpath);
    if (answer == ELF_READ)
        answer = give_entry(r, ELF_RUNPATH, &r->runpath);
    if (answer == ELF_READ)
        answer = give_symbols(r);
    if (answer == ELF_READ)
        answer = give_versions(r);
    return answer;
}
