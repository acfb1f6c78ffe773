"""PE: Windows; PE32 and PE32+, DLLs and executables.

Structures and numbers are those of Microsoft's "PE Format". Everything but the headers is found through RVAs,
addresses relative to where the image is loaded, which the sections map to the file.
"""

from __future__ import annotations

from bisect import bisect_right
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


class PeSection(NamedTuple):
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
            raise ImageError("is not a shared library", path=file.path, expected=EXPECTED, found="a program for DOS")
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
        self.starts = [section.address for section in self.sections]

    def image(self) -> Image:
        """Everything, put together."""
        soname, exports, data_exports = self._exports()
        needed, imports = self._imports()
        cpu, _ = CPUS.get(self.number, (f"machine {self.number:#x}", 0))
        go = self._go_build(exports)
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
            go=go is not None or not traces.GO_SYMBOLS.isdisjoint(exports),
            go_version=go and go.version,
            go_build_mode=go and go.mode,
            compilers=self._compilers(),
            sanitizer=traces.sanitizer(needed, (*imports, *exports)),
            build_id=self._build_id(),
            debug=any(section.name in (".debug_info", ".zdebug_info") for section in self.sections),
        )

    # ---- headers -------------------------------------------------------------------------------------

    def _sections(self, offset: int, count: int) -> Iterator[PeSection]:
        """The sections, whose bytes must be there."""
        if count > MAX_SECTIONS:
            raise self.cursor.damaged("is damaged", expected=f"at most {MAX_SECTIONS} sections", found=f"{count:,}")
        end = 0
        for row in self.cursor.table("<8s6I2HI", offset, count, "sections"):
            name, memory, address, size, place, _, _, _, _, flags = row
            place &= ~0x1FF  # as Windows does
            if size:
                self.cursor.check(place, size, "a section")
            if address < end:
                raise self.cursor.damaged(
                    "has sections that overlap or are out of order",
                    expected=f"a section from RVA {end:#x} on",
                    found=f"one at {address:#x}",
                )
            # Bytes past the size in memory are padding; size in memory is 0 in files of some old linkers.
            end = address + min(size, memory or size)
            yield PeSection(self._section_name(name), address, end - address, place, flags)

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

    def _section(self, rva: int) -> PeSection | None:
        """The section that holds the byte at an RVA in the file."""
        at = bisect_right(self.starts, rva) - 1
        if at >= 0 and rva - self.starts[at] < self.sections[at].size:
            return self.sections[at]
        return None

    def _place(self, rva: int, what: str) -> tuple[int, int]:
        """Where the byte at an RVA is in the file, and where its section ends there."""
        section = self._section(rva)
        if section is not None:
            return section.offset + rva - section.address, section.offset + section.size
        if rva < self.headers_size:
            return rva, min(self.headers_size, self.cursor.size)
        raise self.cursor.damaged("is damaged", expected=f"{what} in a section", found=f"the RVA {rva:#x}")

    def _at(self, rva: int, what: str) -> Cursor:
        """The bytes from an RVA to the end of its section."""
        offset, end = self._place(rva, what)
        return self.cursor.window(offset, end - offset, "section")

    def _name(self, rva: int, what: str) -> str:
        offset, end = self._place(rva, what)
        return self.cursor.name(offset, end, what)

    def _directory(self, number: int) -> tuple[int, int]:
        """RVA and size of a data directory; zeros if it is absent."""
        if number >= len(self.directories):
            return 0, 0
        rva, size = self.directories[number]
        return rva, size

    # ---- exports and imports -------------------------------------------------------------------------

    def _exports(self) -> tuple[str | None, frozenset[str], frozenset[str]]:
        """The library's name for itself, its exports by name, and those that are data.

        Exports by number only have no name that GetProcAddress could be asked for.
        """
        rva, size = self._directory(EXPORT)
        if not rva:
            return None, frozenset(), frozenset()
        fields = self._at(rva, "the export table").unpack("<10I", 0, "the export table")
        name, _, count, named, functions, names, ordinals = fields[3:]
        soname = self._name(name, "the library's name") if name else None
        if not named:
            return soname, frozenset(), frozenset()
        if max(count, named) > MAX_SYMBOLS:
            raise self.cursor.too_many("exports", max(count, named))
        addresses = [row[0] for row in self._at(functions, "exports").table("<I", 0, count, "exports")]
        numbers = self._at(ordinals, "numbers of exports").table("<H", 0, named, "numbers of exports")
        exports: set[str] = set()
        data: set[str] = set()
        for (at,), (number,) in zip(self._at(names, "names").table("<I", 0, named, "names"), numbers, strict=True):
            if number >= count or not addresses[number]:
                continue
            name = self._name(at, "an export's name")
            exports.add(name)
            # An address inside the export table is a text: the export is another library's.
            if not rva <= addresses[number] < rva + size and not self._is_code(addresses[number]):
                data.add(name)
        return soname, frozenset(exports), frozenset(data)

    def _is_code(self, rva: int) -> bool:
        section = self._section(rva)
        return section is not None and bool(section.flags & MAY_EXECUTE)

    def _imports(self) -> tuple[tuple[str, ...], frozenset[str]]:
        """Libraries that are loaded with this one, in order, and the names looked up in them.

        Delay-loaded libraries are left out: they are needed when they are first called, if ever.
        """
        rva, _ = self._directory(IMPORT)
        if not rva:
            return (), frozenset()
        table = self._at(rva, "the import table")
        needed: list[str] = []
        imports: set[str] = set()
        # Each name has an entry of its own in the file; tables that share entries are not made by linkers.
        left = self.cursor.size // (self.bits // 8)
        at = 0
        while True:
            lookup, _, _, name, addresses = table.unpack("<5I", at, "the import table")
            if not name or not (lookup or addresses):
                return tuple(needed), frozenset(imports)
            needed.append(self._name(name, "a needed library"))
            found = self._imported(lookup or addresses, left)
            left -= len(found) + 1
            imports.update(name for name in found if name)
            at += 20

    def _imported(self, rva: int, limit: int) -> list[str]:
        """The names in one import lookup table; "" for imports by number."""
        table = self._at(rva, "imported names")
        width, layout = self.bits // 8, "<Q" if self.bits == 64 else "<I"
        by_number = 1 << (self.bits - 1)
        found: list[str] = []
        while len(found) <= limit:
            (entry,) = table.unpack(layout, len(found) * width, "an imported name")
            if not entry:
                return found
            found.append("" if entry & by_number else self._name((entry & 0x7FFF_FFFF) + 2, "an imported name"))
        raise self.cursor.damaged("is damaged", expected="import tables that end", found="more names than fit")

    # ---- traces --------------------------------------------------------------------------------------

    def _build_id(self) -> str | None:
        """GUID and age of the debug information (PDB), as symbol servers name it."""
        rva, size = self._directory(DEBUG)
        try:
            rows = self._at(rva, "debug entries").table("<IIHHIIII", 0, min(size // 28, 16), "debug entries")
            for _, _, _, _, kind, _, _, place in rows:
                if kind == CODEVIEW and self.cursor.take(place, 4, "debug entry") == b"RSDS":
                    first, second, third, rest, age = self.cursor.unpack("<IHH8sI", place + 4, "debug entry")
                    return f"{first:08x}{second:04x}{third:04x}{rest.hex()}{age:x}"
        except ImageError:  # not needed for loading
            pass
        return None

    def _go_build(self, exports: frozenset[str]) -> traces.GoBuild | None:
        """See traces.go_build. The build information stands in a section that may be written to."""
        places = (
            (section.offset, section.size)
            for section in self.sections
            if section.flags & MAY_WRITE and not section.flags & MAY_EXECUTE
        )
        return traces.go_build(self.cursor, places, exports)

    def _compilers(self) -> tuple[str, ...]:
        """Only rustc leaves a trace, the path of its library's sources in messages of panics."""
        places = ((each.offset, each.size) for each in self.sections if each.name == ".rdata")
        return traces.rustc(self.cursor, places)


def _libc(needed: tuple[str, ...]) -> str | None:
    """The C library: Windows has an old and a new one."""
    names = [name.lower() for name in needed]
    if any(name.startswith(("api-ms-win-crt-", "ucrtbase")) for name in names):
        return "ucrt"
    return "msvcrt" if "msvcrt.dll" in names else None
