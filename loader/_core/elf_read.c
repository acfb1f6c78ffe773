/* elf_read.c: reads the ELF files that nearly all plugins are. See elf_read.h.
 *
 * The rules are those of loader/image/elf*.py, which say where they are from; tests/fuzz/image_fuzz.py compares
 * the two on every mutant. Where this one is stricter, the file goes to the other reader.
 */
#include "elf_read.h"

#include <string.h>

/* The machine that this code runs on, as a file says it. 0 (EM_NONE): no file is for it. */
#if defined(__linux__) && defined(__x86_64__) && !defined(__ILP32__)
#  define EM_HERE 62u
#elif defined(__linux__) && defined(__aarch64__) && defined(__LP64__) && defined(__AARCH64EL__)
#  define EM_HERE 183u
#else
#  define EM_HERE 0u
#endif

enum { EHDR_SIZE = 64, PHDR_SIZE = 56, SHDR_SIZE = 64, DYN_SIZE = 16, SYM_SIZE = 24 };
enum { MAX_SEGMENTS = 64, MAX_SECTIONS = 8192, MAX_ENTRIES = 8192, MAX_SYMBOLS = 1000000, MAX_NAME = 1 << 20 };
enum { MAX_COMMENT = 4096, MAX_BUILD_ID = 64, MAX_OWNER = 16 };
enum { ET_DYN = 3, PT_LOAD = 1, PT_DYNAMIC = 2, PT_NOTE = 4, PT_GNU_STACK = 0x6474E551, PF_X = 1 };
enum { STB_GLOBAL = 1, STB_WEAK = 2, STB_GNU_UNIQUE = 10, STV_INTERNAL = 1, STV_HIDDEN = 2 };
enum { STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON = 5, STT_TLS, STT_GNU_IFUNC = 10 };
enum { SHN_UNDEF = 0, SHN_ABS = 0xFFF1, VERSION_HIDDEN = 0x8001 };
enum { DF_TEXTREL = 4, DF_STATIC_TLS = 0x10, DF_1_NOOPEN = 0x40, DF_1_PIE = 0x8000000 };
enum { NT_GNU_BUILD_ID = 3 };

/* The dynamic entries that are asked for, each with its value; a tag that repeats has its last one. */
struct entry {
    uint64_t value;
    bool there;
};

struct reader {
    struct elf_bytes file;
    struct elf_bytes headers; /* program headers */
    struct elf_bytes dynamic; /* entries before DT_NULL */
    struct entry strtab, strsz, symtab, syment, gnu_hash, versym, verdef, verneed, verneednum;
    struct entry soname, rpath, runpath, textrel, flags, flags_1;
    struct elf_bytes strings;
    uint64_t room; /* bytes of names that may still be asked for: they may share theirs */
    elf_take *take;
    void *context;
};

/* ---- Bytes ------------------------------------------------------------------------------------------- */

static uint16_t u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t u32(const unsigned char *at)
{
    return u16(at) | (uint32_t)u16(at + 2) << 16;
}

static uint64_t u64(const unsigned char *at)
{
    return u32(at) | (uint64_t)u32(at + 4) << 32;
}

/* `size` bytes at `offset` of `whole`. False: they do not lie inside. */
static bool part(struct elf_bytes whole, uint64_t offset, uint64_t size, struct elf_bytes *found)
{
    if (offset > whole.size || size > whole.size - offset)
        return false;
    found->at = whole.at + offset;
    found->size = (size_t)size;
    return true;
}

static bool is(struct elf_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.at, text, bytes.size) == 0;
}

static bool begins(struct elf_bytes bytes, const char *text)
{
    return bytes.size >= strlen(text) && memcmp(bytes.at, text, strlen(text)) == 0;
}

/* The same with a NUL behind it. */
static bool is_called(struct elf_bytes bytes, const char *text)
{
    return bytes.size > strlen(text) && memcmp(bytes.at, text, strlen(text) + 1) == 0;
}

static bool holds(struct elf_bytes bytes, const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i + size <= bytes.size; i++)
        if (memcmp(bytes.at + i, text, size) == 0)
            return true;
    return false;
}

/* ---- Segments ---------------------------------------------------------------------------------------- */

/* The file's bytes from an address to the end of its segment. */
static bool bytes_at(const struct reader *r, uint64_t address, struct elf_bytes *found)
{
    for (size_t i = 0; i < r->headers.size; i += PHDR_SIZE) {
        const unsigned char *header = r->headers.at + i;
        uint64_t begin = u64(header + 16), size = u64(header + 32);

        if (u32(header) == PT_LOAD && address >= begin && address - begin < size)
            return part(r->file, u64(header + 8) + (address - begin), size - (address - begin), found);
    }
    return false;
}

/* Checks the segments, and finds the dynamic table's. */
static bool read_segments(struct reader *r, struct elf_facts *facts, uint64_t *dynamic, uint64_t *dynamic_size)
{
    uint64_t end = 0;
    bool has_dynamic = false;

    facts->executable_stack = true; /* without a header that says no */
    for (size_t i = 0; i < r->headers.size; i += PHDR_SIZE) {
        const unsigned char *header = r->headers.at + i;
        uint64_t address = u64(header + 16), size = u64(header + 32);
        struct elf_bytes segment;

        switch (u32(header)) {
        case PT_LOAD:
            if (!part(r->file, u64(header + 8), size, &segment) || address < end || address > UINT64_MAX - size)
                return false;
            end = address + size;
            break;
        case PT_DYNAMIC:
            has_dynamic = true;
            *dynamic = address;
            *dynamic_size = size;
            break;
        case PT_GNU_STACK:
            facts->executable_stack = (u32(header + 4) & PF_X) != 0;
            break;
        default:
            break;
        }
    }
    return end != 0 && has_dynamic;
}

/* ---- Notes ------------------------------------------------------------------------------------------- */

static bool read_note(struct elf_facts *facts, struct elf_bytes owner, uint32_t kind, struct elf_bytes contents)
{
    while (owner.size > 0 && owner.at[owner.size - 1] == 0)
        owner.size--;
    if (is(owner, "GNU")) {
        if (kind == NT_GNU_BUILD_ID) {
            facts->build_id = contents;
            if (facts->build_id.size > MAX_BUILD_ID)
                facts->build_id.size = MAX_BUILD_ID;
        }
        return true;
    }
    return !is(owner, "Go") && !is(owner, "Android") && !holds(owner, "BSD"); /* which decide what the file is */
}

static bool read_notes(const struct reader *r, struct elf_facts *facts)
{
    size_t left = MAX_ENTRIES;

    for (size_t i = 0; i < r->headers.size; i += PHDR_SIZE) {
        const unsigned char *header = r->headers.at + i;
        uint64_t align = u64(header + 48) == 8 ? 8 : 4, at = 0;
        struct elf_bytes notes, head, owner, contents;

        if (u32(header) != PT_NOTE || !part(r->file, u64(header + 8), u64(header + 32), &notes))
            continue;
        while (part(notes, at, 12, &head)) {
            uint64_t name = u32(head.at), size = u32(head.at + 4);
            uint64_t begin = at + (12 + name + align - 1) / align * align;

            if (left-- == 0)
                return false;
            if (!part(notes, begin, size, &contents) ||
                !part(notes, at + 12, name < MAX_OWNER ? name : MAX_OWNER, &owner))
                break;
            if (!read_note(facts, owner, u32(head.at + 8), contents))
                return false;
            at = begin + (size + align - 1) / align * align;
        }
    }
    return true;
}

/* ---- Sections ---------------------------------------------------------------------------------------- */

/* What the sections tell. The dynamic linker does not look at them; a file without them is for the other reader. */
static bool read_sections(const struct reader *r, struct elf_facts *facts)
{
    const unsigned char *header = r->file.at;
    uint64_t count = u16(header + 60), own = u16(header + 62);
    struct elf_bytes table, names, name;

    if (u64(header + 40) == 0 || u16(header + 58) != SHDR_SIZE || own >= count || count > MAX_SECTIONS ||
        !part(r->file, u64(header + 40), count * SHDR_SIZE, &table))
        return false;
    own *= SHDR_SIZE;
    if (!part(r->file, u64(table.at + own + 24), u64(table.at + own + 32), &names) || names.size == 0 ||
        names.at[names.size - 1] != 0)
        return false;
    for (size_t i = 0; i < table.size; i += SHDR_SIZE) {
        uint64_t offset = u64(table.at + i + 24), size = u64(table.at + i + 32);

        if (u32(table.at + i) >= names.size)
            return false;
        name = (struct elf_bytes){names.at + u32(table.at + i), names.size - u32(table.at + i)};
        if (is_called(name, ".go.buildinfo") || is_called(name, ".gopclntab"))
            return false;
        if (is_called(name, ".debug_info") || is_called(name, ".zdebug_info"))
            facts->debug = true;
        if (is_called(name, ".comment")) {
            facts->comment = (struct elf_bytes){NULL, 0};
            if (offset < r->file.size) {
                uint64_t there = r->file.size - offset, most = size < MAX_COMMENT ? size : MAX_COMMENT;
                part(r->file, offset, most < there ? most : there, &facts->comment);
            }
        }
    }
    for (size_t i = 0; i < facts->comment.size; i++)
        if (facts->comment.at[i] >= 0x80)
            return false;
    return true;
}

/* ---- Dynamic table ----------------------------------------------------------------------------------- */

static struct entry *entry_of(struct reader *r, uint64_t tag)
{
    switch (tag) {
    case 5: return &r->strtab;
    case 6: return &r->symtab;
    case 10: return &r->strsz;
    case 11: return &r->syment;
    case 14: return &r->soname;
    case 15: return &r->rpath;
    case 22: return &r->textrel;
    case 29: return &r->runpath;
    case 30: return &r->flags;
    case 0x6FFFFEF5: return &r->gnu_hash;
    case 0x6FFFFFF0: return &r->versym;
    case 0x6FFFFFFB: return &r->flags_1;
    case 0x6FFFFFFC: return &r->verdef;
    case 0x6FFFFFFE: return &r->verneed;
    case 0x6FFFFFFF: return &r->verneednum;
    default: return NULL;
    }
}

static bool read_dynamic(struct reader *r, uint64_t address, uint64_t size)
{
    struct elf_bytes table, after;

    if (!bytes_at(r, address, &table))
        return false;
    if (size < table.size)
        table.size = (size_t)size;
    if (table.size > (size_t)MAX_ENTRIES * DYN_SIZE)
        table.size = (size_t)MAX_ENTRIES * DYN_SIZE;
    for (size_t i = 0; i + DYN_SIZE <= table.size; i += DYN_SIZE) {
        uint64_t tag = u64(table.at + i);
        struct entry *entry = entry_of(r, tag);

        if (tag == 0) {
            r->dynamic = (struct elf_bytes){table.at, i};
            if (!r->strtab.there || !bytes_at(r, r->strtab.value, &after) ||
                !part(after, 0, r->strsz.value, &r->strings))
                return false;
            r->room = 4 * (uint64_t)after.size + MAX_NAME;
            return true;
        }
        if (entry != NULL)
            *entry = (struct entry){u64(table.at + i + 8), true};
    }
    return false;
}

/* ---- Names ------------------------------------------------------------------------------------------- */

/* Hands over the name at an offset of the string table, which is spent `times` times. */
static enum elf_answer give(struct reader *r, enum elf_name kind, uint64_t offset, unsigned times)
{
    struct elf_bytes name;
    const unsigned char *end;

    if (!part(r->strings, offset, 1, &name))
        return ELF_OTHER;
    name.size = r->strings.size - (size_t)offset < MAX_NAME ? r->strings.size - (size_t)offset : MAX_NAME;
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

static enum elf_answer give_entry(struct reader *r, enum elf_name kind, const struct entry *entry)
{
    return entry->there ? give(r, kind, entry->value, 1) : ELF_READ;
}

static enum elf_answer give_needed(struct reader *r)
{
    enum elf_answer answer = ELF_READ;

    for (size_t i = 0; answer == ELF_READ && i < r->dynamic.size; i += DYN_SIZE)
        if (u64(r->dynamic.at + i) == 1)
            answer = give(r, ELF_NEEDED, u64(r->dynamic.at + i + 8), 1);
    return answer;
}

/* ---- Symbols ----------------------------------------------------------------------------------------- */

/* Index of the first symbol that can be found, and the number of symbols, which only the end of the hash table's
 * last chain tells. */
static bool count_symbols(const struct reader *r, uint64_t *first, uint64_t *count)
{
    struct elf_bytes table, head, buckets, chain;
    uint64_t blooms, last = 0;

    if (!r->gnu_hash.there || !bytes_at(r, r->gnu_hash.value, &table) || !part(table, 0, 16, &head))
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

static enum elf_answer give_symbols(struct reader *r)
{
    struct elf_bytes table, symbols, versions = {NULL, 0};
    uint64_t first, count;
    enum elf_answer answer = ELF_READ;

    if (!count_symbols(r, &first, &count) || (r->syment.there && r->syment.value != SYM_SIZE) ||
        !r->symtab.there || !bytes_at(r, r->symtab.value, &table) || !part(table, 0, count * SYM_SIZE, &symbols))
        return ELF_OTHER;
    if (r->versym.there && (!bytes_at(r, r->versym.value, &table) || !part(table, 0, 2 * count, &versions)))
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
static enum elf_answer give_versions(struct reader *r)
{
    struct elf_bytes table, entry;
    uint64_t at = 0, libraries = r->verneednum.value, left = MAX_ENTRIES;
    enum elf_answer answer = ELF_READ;

    if (!r->verneed.there)
        return ELF_READ;
    if (libraries > MAX_ENTRIES || !bytes_at(r, r->verneed.value, &table))
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

/* ---- The file ---------------------------------------------------------------------------------------- */

static bool is_for_here(struct elf_bytes file)
{
    static const unsigned char magic[7] = {0x7F, 'E', 'L', 'F', 2, 1, 1};

    return file.size >= EHDR_SIZE && memcmp(file.at, magic, sizeof magic) == 0 &&
           (file.at[7] == 0 || file.at[7] == 3) && u16(file.at + 16) == ET_DYN && EM_HERE != 0 &&
           u16(file.at + 18) == EM_HERE && u16(file.at + 54) == PHDR_SIZE && u16(file.at + 56) <= MAX_SEGMENTS;
}

enum elf_answer elf_read(struct elf_bytes file, struct elf_facts *facts, elf_take *take, void *context)
{
    struct reader r = {.file = file, .take = take, .context = context};
    uint64_t dynamic = 0, dynamic_size = 0;
    enum elf_answer answer;

    *facts = (struct elf_facts){.debug = false};
    if (!is_for_here(file) ||
        !part(file, u64(file.at + 32), (uint64_t)u16(file.at + 56) * PHDR_SIZE, &r.headers) ||
        !read_segments(&r, facts, &dynamic, &dynamic_size) || !read_dynamic(&r, dynamic, dynamic_size) ||
        r.verdef.there || (r.flags_1.value & (DF_1_NOOPEN | DF_1_PIE)) != 0 || !read_notes(&r, facts) ||
        !read_sections(&r, facts))
        return ELF_OTHER;
    facts->text_relocations = r.textrel.there || (r.flags.value & DF_TEXTREL) != 0;
    facts->static_tls = (r.flags.value & DF_STATIC_TLS) != 0;
    answer = give_needed(&r);
    if (answer == ELF_READ)
        answer = give_entry(&r, ELF_SONAME, &r.soname);
    if (answer == ELF_READ)
        answer = give_entry(&r, ELF_RPATH, &r.rpath);
    if (answer == ELF_READ)
        answer = give_entry(&r, ELF_RUNPATH, &r.runpath);
    if (answer == ELF_READ)
        answer = give_symbols(&r);
    if (answer == ELF_READ)
        answer = give_versions(&r);
    return answer;
}
