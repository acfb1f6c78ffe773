/* elf_read.c: reads the ELF files that nearly all plugins are; their names are read by elf_names.c. See elf_read.h.
 *
 * The rules are those of loader/image/elf*.py, which say where they are from; tests/fuzz/image_fuzz.py compares
 * the two on every mutant. Where this one is stricter, the file goes to the other reader.
 */
#include "elf/elf_reader.h"

/* The machine that this code runs on, as a file says it. 0 (EM_NONE): no file is for it. */
#if defined(__linux__) && defined(__x86_64__) && !defined(__ILP32__)
#  define EM_HERE 62u
#elif defined(__linux__) && defined(__aarch64__) && defined(__LP64__) && defined(__AARCH64EL__)
#  define EM_HERE 183u
#else
#  define EM_HERE 0u
#endif

enum { EHDR_SIZE = 64, SHDR_SIZE = 64, MAX_SEGMENTS = 64, MAX_SECTIONS = 8192 };
enum { MAX_COMMENT = 4096, MAX_BUILD_ID = 64, MAX_OWNER = 16 };
enum { ET_DYN = 3, PT_DYNAMIC = 2, PT_NOTE = 4, PT_GNU_STACK = 0x6474E551, PF_X = 1 };
enum { DF_TEXTREL = 4, DF_STATIC_TLS = 0x10, DF_1_NOOPEN = 0x40, DF_1_NODEFLIB = 0x800, DF_1_PIE = 0x8000000 };
enum { NT_GNU_BUILD_ID = 3 };

/* ---- Segments ---------------------------------------------------------------------------------------- */

/* Checks the segments, and finds the dynamic table's. */
static bool read_segments(struct elf_reader *r, struct elf_facts *facts, uint64_t *dynamic, uint64_t *dynamic_size)
{
    uint64_t end = 0;
    bool has_dynamic = false;

    facts->executable_stack = true; /* without a header that says no */
    for (size_t i = 0; i < r->headers.size; i += ELF_PHDR_SIZE) {
        const unsigned char *header = r->headers.at + i;
        uint64_t address = u64(header + 16), size = u64(header + 32);
        struct elf_bytes segment;

        switch (u32(header)) {
        case ELF_PT_LOAD:
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

static bool read_notes(const struct elf_reader *r, struct elf_facts *facts)
{
    size_t left = ELF_MAX_ENTRIES;

    for (size_t i = 0; i < r->headers.size; i += ELF_PHDR_SIZE) {
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
static bool read_sections(const struct elf_reader *r, struct elf_facts *facts)
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

static struct elf_entry *entry_of(struct elf_reader *r, uint64_t tag)
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
    case 0x7FFFFFFD: /* DT_AUXILIARY, DT_FILTER: Python reads those */
    case 0x7FFFFFFF: return &r->filter;
    default: return NULL;
    }
}

static bool read_dynamic(struct elf_reader *r, uint64_t address, uint64_t size)
{
    struct elf_bytes table, after;

    if (!elf_bytes_at(r, address, &table))
        return false;
    if (size < table.size)
        table.size = (size_t)size;
    if (table.size > (size_t)ELF_MAX_ENTRIES * ELF_DYN_SIZE)
        table.size = (size_t)ELF_MAX_ENTRIES * ELF_DYN_SIZE;
    for (size_t i = 0; i + ELF_DYN_SIZE <= table.size; i += ELF_DYN_SIZE) {
        uint64_t tag = u64(table.at + i);
        struct elf_entry *entry = entry_of(r, tag);

        if (tag == 0) {
            r->dynamic = (struct elf_bytes){table.at, i};
            if (!r->strtab.there || !elf_bytes_at(r, r->strtab.value, &after) ||
                !part(after, 0, r->strsz.value, &r->strings))
                return false;
            r->room = 4 * (uint64_t)after.size + ELF_MAX_NAME;
            return true;
        }
        if (entry != NULL)
            *entry = (struct elf_entry){u64(table.at + i + 8), true};
    }
    return false;
}

/* ---- The file ---------------------------------------------------------------------------------------- */

static bool is_for_here(struct elf_bytes file)
{
    static const unsigned char magic[7] = {0x7F, 'E', 'L', 'F', 2, 1, 1};

    return file.size >= EHDR_SIZE && memcmp(file.at, magic, sizeof magic) == 0 &&
           (file.at[7] == 0 || file.at[7] == 3) && u16(file.at + 16) == ET_DYN && EM_HERE != 0 &&
           u16(file.at + 18) == EM_HERE && u16(file.at + 54) == ELF_PHDR_SIZE && u16(file.at + 56) <= MAX_SEGMENTS;
}

enum elf_answer elf_read(struct elf_bytes file, struct elf_facts *facts, elf_take *take, void *context)
{
    struct elf_reader r = {.file = file, .take = take, .context = context};
    uint64_t dynamic = 0, dynamic_size = 0;

    *facts = (struct elf_facts){.debug = false};
    if (!is_for_here(file) ||
        !part(file, u64(file.at + 32), (uint64_t)u16(file.at + 56) * ELF_PHDR_SIZE, &r.headers) ||
        !read_segments(&r, facts, &dynamic, &dynamic_size) || !read_dynamic(&r, dynamic, dynamic_size) ||
        r.verdef.there || (r.flags_1.value & (DF_1_NOOPEN | DF_1_NODEFLIB | DF_1_PIE)) != 0 || r.filter.there || !read_notes(&r, facts) ||
        !read_sections(&r, facts))
        return ELF_OTHER;
    facts->text_relocations = r.textrel.there || (r.flags.value & DF_TEXTREL) != 0;
    facts->static_tls = (r.flags.value & DF_STATIC_TLS) != 0;
    return elf_give_names(&r);
}
