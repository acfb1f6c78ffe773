/* elf_read.h: what a load asks of an ELF file, read from its bytes: the files that nearly all plugins are.
 *
 * Meant are shared libraries for the machine that this was compiled for, with 64 bits, little-endian, for Linux,
 * with section headers, a GNU hash table, no versions of their own, no Go runtime and no sanitizer. Of such a file
 * it says what the reader in Python (loader/image/elf.py) says. Whatever is not such a file, is damaged or merely
 * odd is left to that one, which knows all the rules and has the words for what is wrong: nothing is refused here.
 *
 * Nothing of Python in it, so that tests/fuzz can run it alone. Every read is through `part`, which checks it.
 */
#ifndef LOADER_ELF_READ_H
#define LOADER_ELF_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the file; `at` is NULL if there are none of the kind. */
struct elf_bytes {
    const unsigned char *at;
    size_t size;
};

/* Whose name it is. */
enum elf_name {
    ELF_NEEDED,      /* a library that is loaded with this one */
    ELF_SONAME,
    ELF_RPATH,
    ELF_RUNPATH,
    ELF_EXPORT,      /* what dlsym finds, code */
    ELF_DATA_EXPORT, /* the same, data */
    ELF_IMPORT,      /* what the dynamic linker looks up elsewhere */
    ELF_WANTED_FROM, /* a library of which the versions that follow are asked */
    ELF_WANTED       /* a version of its symbols */
};

struct elf_facts {
    struct elf_bytes build_id, comment; /* the section .comment: texts with a NUL between them, all ASCII */
    bool debug, executable_stack, text_relocations, static_tls;
};

enum elf_answer {
    ELF_FAILED = -1, /* `take` did; what it said is all that counts */
    ELF_OTHER,       /* not such a file: the other reader is to be asked */
    ELF_READ
};

/* Takes one name, not NUL-terminated and of any bytes but NUL; borrowed from the file. */
typedef enum elf_answer elf_take(void *context, enum elf_name kind, struct elf_bytes name);

/* Reads `file`, whose bytes must not change meanwhile, and hands all names to `take`. `facts` is whole only after
 * ELF_READ. */
enum elf_answer elf_read(struct elf_bytes file, struct elf_facts *facts, elf_take *take, void *context);

#endif /* LOADER_ELF_READ_H */
