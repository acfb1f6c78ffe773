"""The tables of an ELF file that the dynamic linker goes by: header, segments, dynamic table, strings.

They are read from where the dynamic linker reads them: from the segments, through addresses, never through
section headers, which it ignores and which may be stripped or lie (ELF specification, "Program Loading and
Dynamic Linking").
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from loader.errors import ImageError
from loader.image.cursor import MAX_ENTRIES, Cursor, Names, decode
from loader.image.image import File, Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

MACHINES: Final = {
    2: "sparc",
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    43: "sparc64",
    50: "ia64",
    62: "x86_64",
    183: "aarch64",
    243: "riscv",
    258: "loongarch64",
    0x9026: "alpha",
}

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_TLS, PT_GNU_STACK = 1, 2, 4, 7, 0x6474E551
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_AUXILIARY, DT_FILTER = 0, 1, 5, 10, 0x7FFFFFFD, 0x7FFFFFFF


class Segment(NamedTuple):
    """A program header: `size` bytes of the file become `memory` bytes."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int
    memory: int
    align: int


class ElfSection(NamedTuple):
    """A section header, as far as it is of interest. Not checked: its bytes may lie outside the file."""

    offset: int
    size: int


class ElfLayout(NamedTuple):
    """struct formats of one class (32 or 64 `bits`) in one byte `order` ("<" or ">"), without the members that
    nobody asks for.

    segment: the members of Segment; in 32 bits the flags are the last but one.
    section: offset of the name, offset, size. symbol: offset of the name, info, other, section, value; in 32
    bits the value is the second.
    """

    bits: int
    order: str
    header: str
    segment: str
    section: str
    dynamic: str
    symbol: str
    word: str
    bloom_word: str


def _layout(bits: int, order: str) -> ElfLayout:
    wide = bits == 64
    return ElfLayout(
        bits=bits,
        order=order,
        header=order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        segment=order + ("IIQQ8xQQQ" if wide else "III4xIIII"),
        section=order + ("I20xQQ24x" if wide else "I12xII16x"),
        dynamic=order + ("qQ" if wide else "iI"),
        symbol=order + ("IBBHQ8x" if wide else "II4xBBH"),
        word=order + "I",
        bloom_word=order + ("Q" if wide else "I"),
    )


#: By the bytes EI_CLASS and EI_DATA.
LAYOUTS: Final = {
    b"\1\1": _layout(32, "<"),
    b"\1\2": _layout(32, ">"),
    b"\2\1": _layout(64, "<"),
    b"\2\2": _layout(64, ">"),
}


@lru_cache(64)  # what a file may say has no end
def _machine(number: int, bits: int, order: str, system: str) -> Machine:
    name = MACHINES.get(number, f"machine {number}")
    if name == "riscv" or (name == "mips" and bits == 64):
        name = f"{name}{bits}"
    if name == "ppc64" and order == "<":
        name = "ppc64le"
    endian = "little" if order == "<" else "big"
    return Machine(format="elf", system=system, machine=name, bits=bits, endian=endian)


class Tables:
    """One file's tables. Raises ImageError for what is not a loadable ELF file."""

    def __init__(self, file: File) -> None:
        self.path = file.path
        self.cursor = cursor = Cursor(file.path, file.data)
        self.ident = ident = cursor.take(0, 16, "the ELF identification")
        layout = LAYOUTS.get(ident[4:6])
        if layout is None:
            raise cursor.damaged(
                "has an ELF header that makes no sense",
                expected="class 1 or 2 and byte order 1 or 2",
                found=f"class {ident[4]} and byte order {ident[5]}",
            )
        self.layout = layout
        self.bits, self.order = layout.bits, layout.order
        (
            self.type, self.number, _, _, phoff, self.shoff, _, _, phentsize, phnum,
            self.shentsize, self.shnum, self.shstrndx,
        ) = cursor.unpack(layout.header, 16, "the ELF header")  # fmt: skip
        self._check_type()
        if phnum and phentsize != struct.calcsize(layout.segment):
            raise cursor.damaged(
                "has program headers of an unknown size",
                expected=f"{struct.calcsize(layout.segment)} bytes",
                found=f"{phentsize} bytes",
            )
        # Not needed for loading, but at the end of most files: what misses them lost its end on the way.
        if self.shoff:
            cursor.check(self.shoff, self.shnum * self.shentsize, "section headers")
        rows = cursor.table(layout.segment, phoff, min(phnum, MAX_ENTRIES), "program headers")
        if self.bits == 64:
            self.segments = list(map(Segment._make, rows))
        else:
            self.segments = [Segment(row[0], row[5], row[1], row[2], row[3], row[4], row[6]) for row in rows]
        self.loads = self._loads()
        self.needed: list[int] = []
        self.auxiliaries: list[int] = []
        self.filters: list[int] = []
        self.dynamic = self._dynamic()
        self.names = self._names()

    def machine(self, system: str) -> Machine:
        """Where the file can run."""
        return _machine(self.number, self.bits, self.order, system)

    def at(self, address: int, what: str) -> Cursor:
        """The file's bytes from an address to the end of its segment."""
        for segment in self.loads:
            skip = address - segment.address
            if 0 <= skip < segment.size:
                return self.cursor.window(segment.offset + skip, segment.size - skip, "segment")
        found = f"the address {address:#x}"
        raise self.cursor.damaged("is damaged", expected=f"{what} in a loaded segment", found=found)

    def text(self, tag: int) -> str | None:
        """The name that a dynamic entry gives, or None if there is no such entry."""
        return self.names.at(self.dynamic[tag]) if tag in self.dynamic else None

    def sections(self, wanted: Sequence[bytes]) -> dict[str, ElfSection] | None:
        """The section headers whose name is one of `wanted`, each with its NUL, by name.

        None if they are stripped or make no sense: nothing depends on them.
        """
        layout = self.layout.section
        if not self.shoff or self.shentsize != struct.calcsize(layout) or self.shstrndx >= self.shnum:
            return None
        rows = list(self.cursor.table(layout, self.shoff, min(self.shnum, MAX_ENTRIES), "section headers"))
        try:
            _, place, length = rows[self.shstrndx]
            names = self.cursor.take(place, length, "names of sections")
        except (ImageError, IndexError):
            return None
        if names.find(0, max(rows)[0]) < 0:  # a name that does not end
            return None
        there = tuple(name for name in wanted if name in names)
        return {
            decode(names[at : names.index(0, at)]): ElfSection(offset, size)
            for at, offset, size in rows
            if there and names.startswith(there, at)
        }

    def _check_type(self) -> None:
        """Refuses ELF files that are never loaded."""
        if self.type in (ET_EXEC, ET_DYN):
            return
        kinds = {ET_REL: "an object file (.o)", ET_CORE: "a core dump"}
        raise ImageError(
            "is not a shared library",
            path=self.path,
            expected="an ELF shared library",
            found=kinds.get(self.type, f"an ELF file of type {self.type}"),
            cure="Link it: cc -shared -fPIC" if self.type == ET_REL else "Name the file that the linker made",
        )

    def _loads(self) -> list[Segment]:
        """The segments that become memory, which must lie in the file."""
        loads = [segment for segment in self.segments if segment.kind == PT_LOAD]
        if not loads:
            raise self.cursor.damaged("has nothing to load", expected="a segment to load", found="none")
        end = 0
        for segment in loads:
            self.cursor.check(segment.offset, segment.size, "a segment to load")
            # What is read here must be what is mapped there, so no address may have two contents.
            if segment.address < end:
                raise self.cursor.damaged(
                    "has segments that overlap or are out of order",
                    expected=f"a segment from address {end:#x} on",
                    found=f"one at {segment.address:#x}",
                )
            end = segment.address + segment.size
        return loads

    def _dynamic(self) -> dict[int, int]:
        """The dynamic entries; where a tag repeats, the last one counts, as in glibc and musl."""
        segments = [segment for segment in self.segments if segment.kind == PT_DYNAMIC]
        if not segments:  # a static executable
            return {}
        table = self.at(segments[-1].address, "the dynamic table")
        count = min(table.size, segments[-1].size) // struct.calcsize(self.layout.dynamic)
        rows = list(table.table(self.layout.dynamic, 0, min(count, MAX_ENTRIES), "dynamic entries"))
        for end, (tag, value) in enumerate(rows):
            if tag == DT_NEEDED:
                self.needed.append(value)
            elif tag in (DT_AUXILIARY, DT_FILTER):
                (self.filters if tag == DT_FILTER else self.auxiliaries).append(value)
            elif tag == DT_NULL:
                return dict(rows[:end])
        found = f"none after {count:,} entries"
        raise self.cursor.damaged("is damaged", expected="an end of the dynamic table", found=found)

    def _names(self) -> Names:
        if DT_STRTAB not in self.dynamic:
            return Names(self.cursor, 0, 0, "the string table")
        table = self.at(self.dynamic[DT_STRTAB], "the string table")
        return Names(table, 0, self.dynamic.get(DT_STRSZ, 0), "the string table")
