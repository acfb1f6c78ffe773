"""ELF: Linux, Android and the BSDs; 32 and 64 bits, both byte orders."""

from __future__ import annotations

from itertools import chain
from typing import Final, NamedTuple

from loader.image.cursor import MAX_ENTRIES
from loader.image.elf_symbols import read_definitions, read_symbols, read_versions
from loader.image.elf_tables import ET_EXEC, PT_GNU_STACK, PT_NOTE, ElfSection, Tables
from loader.image.image import File, Image
from loader.image.traces import GO_SYMBOLS, GoBuild, go_build, sanitizer, texts

DT_SONAME, DT_RPATH, DT_TEXTREL, DT_RUNPATH, DT_FLAGS, DT_FLAGS_1 = 14, 15, 22, 29, 30, 0x6FFFFFFB
DF_TEXTREL, DF_STATIC_TLS = 0x4, 0x10
DF_1_NOOPEN, DF_1_NODEFLIB, DF_1_PIE = 0x40, 0x800, 0x0800_0000
PF_X = 1
NT_GNU_BUILD_ID, NT_GO_BUILD_ID = 3, 4

#: The byte EI_OSABI. 0 says nothing: Linux, unless a note names another system.
SYSTEMS: Final = {0: "linux", 2: "netbsd", 3: "linux", 6: "sunos", 9: "freebsd", 12: "openbsd"}
SYSTEM_NOTES: Final = {
    b"Android": "android",
    b"FreeBSD": "freebsd",
    b"NetBSD": "netbsd",
    b"OpenBSD": "openbsd",
}
#: Sections that tell something, with the NUL that ends the name.
SECTIONS: Final = (b".go.buildinfo\0", b".gopclntab\0", b".comment\0", b".debug_info\0", b".zdebug_info\0")
#: Compilers' texts that are read; a longer section is cut.
MAX_COMMENT: Final = 4096


class Notes(NamedTuple):
    """What the loaded notes say."""

    system: str
    build_id: str | None
    go: bool


def read_elf(file: File) -> Image:
    """The facts of an ELF file. Raises ImageError."""
    elf = Tables(file)
    needed = tuple(elf.names.all(elf.needed))
    symbols = read_symbols(elf)
    notes = _notes(elf)
    if "libc.so.7" in needed:  # FreeBSD's, whose libraries need not say more
        notes = notes._replace(system="freebsd")
    sections = elf.sections(SECTIONS)
    go = _go_build(elf, sections, symbols.exports)
    sections = sections or {}
    flags, flags_1 = elf.dynamic.get(DT_FLAGS, 0), elf.dynamic.get(DT_FLAGS_1, 0)
    return Image(
        file=file,
        machine=elf.machine(notes.system),
        kind="executable" if elf.type == ET_EXEC or flags_1 & DF_1_PIE else "shared library",
        exports=symbols.exports,
        data_exports=symbols.data_exports,
        imports=symbols.imports,
        needed=needed,
        auxiliaries=tuple(elf.names.all(elf.auxiliaries)),
        filters=tuple(elf.names.all(elf.filters)),
        soname=elf.text(DT_SONAME),
        rpath=_folders(elf.text(DT_RPATH)),
        runpath=_folders(elf.text(DT_RUNPATH)),
        no_default_folders=bool(flags_1 & DF_1_NODEFLIB),
        versions=read_versions(elf),
        defines=read_definitions(elf),
        libc=libc_of(needed, notes.system),
        go=notes.go or go is not None or ".gopclntab" in sections or _has_go(symbols.exports, needed),
        go_version=go and go.version,
        go_build_mode=go and go.mode,
        compilers=_compilers(elf, sections),
        sanitizer=sanitizer(needed, chain(symbols.imports, symbols.exports)),
        build_id=notes.build_id,
        debug=".debug_info" in sections or ".zdebug_info" in sections,
        executable_stack=_executable_stack(elf),
        text_relocations=DT_TEXTREL in elf.dynamic or bool(flags & DF_TEXTREL),
        static_tls=bool(flags & DF_STATIC_TLS),
        no_dlopen=bool(flags_1 & DF_1_NOOPEN),
    )


def read_links(file: File) -> Image:
    """Of an ELF file no more than what the dynamic linker finds other libraries by. Raises ImageError."""
    elf = Tables(file)
    return Image(
        file=file,
        machine=elf.machine(_notes(elf).system),
        kind="shared library",
        exports=frozenset(),
        needed=tuple(elf.names.all(elf.needed)),
        auxiliaries=tuple(elf.names.all(elf.auxiliaries)),
        filters=tuple(elf.names.all(elf.filters)),
        soname=elf.text(DT_SONAME),
        rpath=_folders(elf.text(DT_RPATH)),
        runpath=_folders(elf.text(DT_RUNPATH)),
        no_default_folders=bool(elf.dynamic.get(DT_FLAGS_1, 0) & DF_1_NODEFLIB),
    )


def _folders(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(":")) if text else ()


def _executable_stack(elf: Tables) -> bool:
    """PT_GNU_STACK says it; without one, kernel and glibc take the architecture's default: yes."""
    stacks = [segment for segment in elf.segments if segment.kind == PT_GNU_STACK]
    return not stacks or bool(stacks[-1].flags & PF_X)


def libc_of(needed: tuple[str, ...], system: str) -> str | None:
    """The C library, by the name under which each of them is linked."""
    for name in needed:
        if name.startswith("libc.so.6"):
            return "glibc"
        if name.startswith("libc.musl-"):
            return "musl"
        if name == "libc.so":
            return {"linux": "musl", "android": "bionic"}.get(system, "bsd")
        if name.startswith("libc.so."):
            return "bsd"
    return None


def _notes(elf: Tables) -> Notes:
    """System, build id and the mark of Go's linker, from the loaded notes.

    The dynamic linker does not look at these notes, so one that makes no sense only ends the reading.
    """
    system = SYSTEMS.get(elf.ident[7], f"system {elf.ident[7]}")
    build_id = None
    go = False
    left = MAX_ENTRIES
    for segment in elf.segments:
        if segment.kind != PT_NOTE or segment.offset + segment.size > elf.cursor.size:
            continue
        at, end = segment.offset, segment.offset + segment.size
        align = 8 if segment.align == 8 else 4
        while at + 12 <= end and left > 0:
            left -= 1
            name_size, size, kind = elf.cursor.unpack(elf.order + "III", at, "a note")
            contents = at + (12 + name_size + align - 1) // align * align
            if contents + size > end:
                break
            owner = elf.cursor.take(at + 12, min(name_size, 16), "a note").rstrip(b"\0")
            if owner == b"GNU" and kind == NT_GNU_BUILD_ID:
                build_id = elf.cursor.take(contents, min(size, 64), "a note").hex()
            elif owner == b"Go" and kind == NT_GO_BUILD_ID:
                go = True
            elif owner in SYSTEM_NOTES and system == "linux":
                system = SYSTEM_NOTES[owner]
            at = contents + (size + align - 1) // align * align
    return Notes(system, build_id, go)


def _has_go(exports: frozenset[str], needed: tuple[str, ...]) -> bool:
    """By cgo's exports or, for gccgo, the runtime's library."""
    return not GO_SYMBOLS.isdisjoint(exports) or any(name.startswith("libgo.so") for name in needed)


def _go_build(elf: Tables, sections: dict[str, ElfSection] | None, exports: frozenset[str]) -> GoBuild | None:
    """See traces.go_build. Without section headers the data segments are searched."""
    if sections is None:
        return go_build(elf.cursor, ((segment.offset, segment.size) for segment in elf.loads), exports)
    return go_build(elf.cursor, [sections[".go.buildinfo"]], exports) if ".go.buildinfo" in sections else None


def _compilers(elf: Tables, sections: dict[str, ElfSection]) -> tuple[str, ...]:
    if ".comment" not in sections:
        return ()
    offset, size = sections[".comment"]
    size = min(size, MAX_COMMENT, elf.cursor.size - offset)
    return tuple(texts(elf.cursor.take(offset, size, "comments"))) if size > 0 else ()
