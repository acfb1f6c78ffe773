"""PE: Windows; PE32 and PE32+, DLLs and executables.

Structures and numbers are those of Microsoft's "PE Format". Everything but the headers is found through RVAs,
addresses relative to where the image is loaded, which the sections map to the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from loader.errors import ImageError
from loader.image import traces
from loader.image.cursor import MAX_SYMBOLS, Cursor, decode
from loader.image.image import File, Image, Machine
from loader.image.sniff import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

CPUS: Final = {
    0x14C: ("i386", 32),
    0x1C0: ("arm", 32),
    0x1C4: ("arm", 32),
    0x200: ("ia64", 64),
    0x5064: ("riscv64", 64),
    0x8664: ("x86_64", 64),
    0xAA64: ("aarch64", 64),
}
IS_DLL: Final = 0x2000
MAY_EXECUTE, MAY_WRITE = 0x2000_0000, 0x8000_0000
EXPORT, IMPORT, DEBUG = 0, 1, 6  # numbers of data directories
CODEVIEW: Final = 2
EFI: Final = range(10, 14)  # subsystems
#: Windows loads at most 96 sections.
MAX_SECTIONS: Final = 96


class Section(NamedTuple):
    """A section header; `size` is what the file holds of it."""

    name: str
    address: int
    size: int
    offset: int
    flags: int


def read_pe(file: File) -> Image:
    """The facts of a PE file. Raises ImageError."""
    return _Pe(file).image()


class _Pe:
    """One file being read."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.cursor = cursor = Cursor(file.path, file.data)
        (start,) = cursor.unpack("<I", 0x3C, "the DOS header")
        if cursor.find(b"PE\0\0", start, 4) != start:
            raise ImageError(
                "is not a shared library", path=file.path, expected=EXPECTED, found="a program for DOS"
            )
        header = cursor.unpack("<HHIIIHH", start + 4, "the PE header")
        self.number, count, _, self.symbols, self.symbol_count, size, self.flags = header
        optional = cursor.window(start + 24, size, "optional header")
        (magic,) = optional.unpack("<H", 0, "the optional header")
        if magic not in (0x10B, 0x20B):
            raise cursor.damaged("is damaged", expected="an optional header of PE32 or PE32+", found=f"{magic:#x}")
        self.bits = 64 if magic == 0x20B else 32
        self.headers_size: int = optional.unpack("<I", 60, "the size of the headers")[0]
        self.version: tuple[int, ...] = optional.unpack("<HH", 48, "the least version")
        self.subsystem: int = optional.unpack("<H", 68, "the subsystem")[0]
        at = 108 if self.bits == 64 else 92
        (directories,) = optional.unpack("<I", at, "the number of directories")
        rows = optional.table("<II", at + 4, min(directories, 16), "directories")
        self.directories: list[tuple[int, ...]] = list(rows)
        self.sections = list(self._sections(start + 24 + size, count))

    def image(self) -> Image:
        """Everything, put together."""
        soname, exports, data_exports = self._exports()
        needed, imports = self._imports()
        cpu, _ = CPUS.get(self.number, (f"machine {self.number:#x}", 0))
        go_version = self._go_version()
        system = "efi" if self.subsystem in EFI else "windows"
        return Image(
            file=self.file,
            machine=Machine(format="pe", system=system, machine=cpu, bits=self.bits, endian="little"),
            kind="shared library" if self.flags & IS_DLL else "executable",
            exports=exports,
            data_exports=data_exports,
            imports=imports,
            needed=needed,
            soname=soname,
            libc=_libc(needed),
            minimum_system=".".join(map(str, self.version)),
            go=go_version is not None or not traces.GO_SYMBOLS.isdisjoint(exports),
            go_version=go_version or None,
            compilers=self._compilers(),
            sanitizer=traces.sanitizer(needed, (*imports, *exports)),
            build_id=self._build_id(),
            debug=any(section.name in (".debug_info", ".zdebug_info") for section in self.sections),
        )

    # ---- headers -------------------------------------------------------------------------------------

    def _sections(self, offset: int, count: int) -> Iterator[Section]:
        """The sections, whose bytes must be there."""
        if count > MAX_SECTIONS:
            raise self.cursor.damaged(
                "is damaged", expected=f"at most {MAX_SECTIONS} sections", found=f"{count:,}"
            )
        for row in self.cursor.table("<8s6I2HI", offset, count, "sections"):
            name, memory, address, size, place, _, _, _, _, flags = row
            place &= ~0x1FF  # as Windows does
            if size:
                self.cursor.check(place, size, "a section")
            # Bytes past the size in memory are padding; size in memory is 0 in files of some old linkers.
            yield Section(self._section_name(name), address, min(size, memory or size), place, flags)

    def _section_name(self, name: bytes) -> str:
        """The name, or, after a slash, its place in the string table behind the COFF symbols (MinGW)."""
        name = name.rstrip(b"\0")
        if name[:1] == b"/" and name[1:].isdigit() and self.symbols:
            at = self.symbols + self.symbol_count * 18 + int(name[1:])
            try:
                return self.cursor.name(at, self.cursor.size, "a section's name")
            except ImageError:  # not needed for loading
                return decode(name)
        return decode(name)

    def _at(self, rva: int, what: str) -> tuple[Cursor, Section]:
        """The bytes from an RVA to the end of its section."""
        for section in self.sections:
            skip = rva - section.address
            if 0 <= skip < section.size:
                return self.cursor.window(section.offset + skip, section.size - skip, "section"), section
        if rva < self.headers_size:
            headers = Section("headers", 0, min(self.headers_size, self.cursor.size), 0, 0)
            return self.cursor.window(rva, headers.size - rva, "headers"), headers
        raise self.cursor.damaged("is damaged", expected=f"{what} in a section", found=f"the RVA {rva:#x}")
