"""Mach-O: macOS and its kin; 32 and 64 bits, both byte orders, thin and universal ("fat") files.

Structures and numbers are those of Apple's <mach-o/loader.h>, <mach-o/fat.h> and <mach-o/nlist.h>. The symbol
of a C name begins with an underscore, which dlsym adds: exports and imports are given without it, and symbols
that have none are left out, since dlsym cannot find them.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from loader.errors import ImageError
from loader.image import traces
from loader.image.cursor import MAX_ENTRIES, Cursor, Names, decode
from loader.image.image import File, Image, Machine, this_machine
from loader.image.macho_trie import KIND, REEXPORT, THREAD_LOCAL, read_trie
from loader.image.macho_universal import cpu_name, read_slices

if TYPE_CHECKING:
    from collections.abc import Iterator

#: LC_BUILD_VERSION's platforms, and the older load commands that each say one.
PLATFORMS: Final = {1: "macos", 2: "ios", 3: "tvos", 4: "watchos", 6: "catalyst", 11: "visionos"}
VERSION_COMMANDS: Final = {0x24: "macos", 0x25: "ios", 0x2F: "tvos", 0x30: "watchos"}

MH_OBJECT, MH_EXECUTE, MH_CORE, MH_DYLIB, MH_BUNDLE, MH_DSYM = 1, 2, 4, 6, 8, 10
KINDS: Final = {MH_EXECUTE: "executable", MH_DYLIB: "shared library", MH_BUNDLE: "bundle"}
UNLOADABLE: Final = {
    MH_OBJECT: "an object file (.o)",
    MH_CORE: "a core dump",
    MH_DSYM: "debug information (.dSYM) of a library",
}
MH_ALLOW_STACK_EXECUTION = 0x2_0000
LC_SEGMENT, LC_SYMTAB, LC_SEGMENT_64, LC_UUID, LC_BUILD_VERSION = 0x1, 0x2, 0x19, 0x1B, 0x32
LC_ID_DYLIB, LC_RPATH, LC_DYLD_EXPORTS_TRIE = 0xD, 0x8000_001C, 0x8000_0033
DYLIBS: Final = {0xC, 0x20, 0x8000_0018, 0x8000_001F, 0x8000_0023}  # load, lazy, weak, re-export, upward
DYLD_INFO: Final = {0x22, 0x8000_0022}
N_STAB, N_PEXT, N_TYPE, N_EXT = 0xE0, 0x10, 0x0E, 0x01
N_UNDF, N_ABS, N_SECT = 0x0, 0x2, 0xE
HAS_CODE: Final = 0x8000_0400  # S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS


class MachoSection(NamedTuple):
    """A section header."""

    segment: str
    name: str
    address: int
    size: int
    offset: int
    code: bool


def read_macho(file: File) -> Image:
    """The facts of a Mach-O file; of a universal one, those of this machine's slice, or else of the first.

    Raises:
        ImageError: see read_image.
    """
    cursor = Cursor(file.path, file.data)
    slices = list(read_slices(cursor))
    if slices:
        here = this_machine().machine
        chosen = next((piece for piece in slices if piece.cpu == here), slices[0])
        cursor = cursor.window(chosen.offset, chosen.size, f"slice for {chosen.cpu}")
    return _MachO(file, cursor).image(tuple(piece.cpu for piece in slices))


class _MachO:
    """One thin file being read."""

    def __init__(self, file: File, cursor: Cursor) -> None:
        self.file = file
        self.cursor = cursor
        magic = cursor.take(0, 4, "the Mach-O header")
        known = {b"\xfe\xed\xfa\xce": (">", 32), b"\xce\xfa\xed\xfe": ("<", 32)}
        known |= {b"\xfe\xed\xfa\xcf": (">", 64), b"\xcf\xfa\xed\xfe": ("<", 64)}
        if magic not in known:
            raise cursor.damaged("is damaged", expected="a Mach-O header", found=f"the bytes {magic.hex(' ')}")
        self.order, self.bits = known[magic]
        header = cursor.unpack(self.order + "6I", 4, "the Mach-O header")
        kind, subtype, self.type, self.count, self.commands_size, self.flags = header
        self.cpu = cpu_name(kind, subtype)
        if self.type not in KINDS:
            raise ImageError(
                "is not a shared library",
                path=file.path,
                expected="a Mach-O shared library",
                found=UNLOADABLE.get(self.type, f"a Mach-O file of type {self.type}"),
                cure="Link it: cc -shared" if self.type == MH_OBJECT else "Name the linked library",
            )
        self.needed: list[str] = []
        self.rpath: list[str] = []
        self.sections: list[MachoSection] = []
        self.segments: set[str] = set()
        self.soname: str | None = None
        self.uuid: str | None = None
        self.base = 0  # address of this header, from which the trie counts
        self.trie: tuple[int, ...] = (0, 0)
        self.symbols: tuple[int, ...] = (0, 0, 0, 0)
        self.system = "macos"
        self.minimum_system: str | None = None
        for command, body in self._commands():
            self._command(command, body)

    def image(self, slices: tuple[str, ...]) -> Image:
        """Everything, put together."""
        exports, data_exports, imports = self._symbols()
        go = self._go_build(exports)
        endian = "little" if self.order == "<" else "big"
        return Image(
            file=self.file,
            machine=Machine(format="mach-o", system=self.system, machine=self.cpu, bits=self.bits, endian=endian),
            kind=KINDS[self.type],
            exports=exports,
            data_exports=data_exports,
            imports=imports,
            needed=tuple(self.needed),
            soname=self.soname,
            rpath=tuple(self.rpath),
            minimum_system=self.minimum_system,
            go=go is not None or not traces.GO_SYMBOLS.isdisjoint(exports),
            go_version=go and go.version,
            go_build_mode=go and go.mode,
            compilers=self._compilers(),
            sanitizer=traces.sanitizer(self.needed, (*imports, *exports)),
            build_id=self.uuid,
            debug="__DWARF" in self.segments,
            executable_stack=bool(self.flags & MH_ALLOW_STACK_EXECUTION),
            slices=slices,
        )

    # ---- load commands -------------------------------------------------------------------------------

    def _commands(self) -> Iterator[tuple[int, Cursor]]:
        """Each load command's number and bytes."""
        start = 32 if self.bits == 64 else 28
        commands = self.cursor.window(start, self.commands_size, "table of load commands")
        if self.count > MAX_ENTRIES:
            raise commands.too_many("load commands", self.count)
        at = 0
        for _ in range(self.count):
            command, size = commands.unpack(self.order + "II", at, "a load command")
            if size < 8:
                raise commands.damaged("is damaged", expected="a load command of 8 bytes or more", found=f"{size}")
            yield command, commands.window(at, size, "load command")
            at += size

    def _command(self, command: int, body: Cursor) -> None:
        """Takes from a load command what is of interest."""
        order = self.order
        if command in (LC_SEGMENT, LC_SEGMENT_64):
            self._segment(body)
        elif command in DYLIBS or command in (LC_ID_DYLIB, LC_RPATH):
            (at,) = body.unpack(order + "I", 8, "a name's place")
            name = self._text(body, at)
            if command == LC_ID_DYLIB:
                self.soname = name
            else:
                (self.rpath if command == LC_RPATH else self.needed).append(name)
        elif command == LC_SYMTAB:
            self.symbols = body.unpack(order + "4I", 8, "the symbol table's place")
        elif command in DYLD_INFO:
            self.trie = body.unpack(order + "II", 40, "the exports' place")
        elif command == LC_DYLD_EXPORTS_TRIE:
            self.trie = body.unpack(order + "II", 8, "the exports' place")
        elif command == LC_UUID:
            self.uuid = body.take(8, 16, "the UUID").hex()
        elif command == LC_BUILD_VERSION:
            platform, version = body.unpack(order + "II", 8, "the build version")
            self.system = PLATFORMS.get(platform, f"platform {platform}")
            self.minimum_system = _version(version)
        elif command in VERSION_COMMANDS:
            (version,) = body.unpack(order + "I", 8, "the least version")
            self.system, self.minimum_system = VERSION_COMMANDS[command], _version(version)

    def _text(self, body: Cursor, at: int) -> str:
        """A text in a load command, which its end may end instead of a NUL."""
        text = body.take(at, body.size - at, "a name")
        return decode(text.partition(b"\0")[0])

    def _segment(self, body: Cursor) -> None:
        """A segment, whose bytes must be there, and its sections."""
        wide = self.bits == 64
        layout = self.order + ("16sQQQQiiII" if wide else "16sIIIIiiII")
        name, address, _, offset, size, _, _, count, _ = body.unpack(layout, 8, "a segment")
        self.cursor.check(offset, size, "a segment")
        self.segments.add(_fixed(name))
        if offset == 0 and size:
            self.base = address
        section = self.order + ("16s16sQQ8I" if wide else "16s16sII7I")
        if count > MAX_ENTRIES:
            raise body.too_many("sections", count)
        for row in body.table(section, 8 + struct.calcsize(layout), count, "sections"):
            name, segment, address, size, offset, *_ = row
            flags = row[8]
            self.sections.append(
                MachoSection(_fixed(segment), _fixed(name), address, size, offset, bool(flags & HAS_CODE))
            )

    # ---- symbols -------------------------------------------------------------------------------------

    def _symbols(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Exports, those that are data, imports. The trie is what dyld looks into, if there is one."""
        offset, count, names_offset, names_size = self.symbols
        names = Names(self.cursor, names_offset, names_size, "the string table")
        layout = self.order + ("IBBHQ" if self.bits == 64 else "IBBHI")
        defined: list[tuple[int, bool]] = []
        undefined: list[int] = []
        for name, kind, section, _, value in self.cursor.table(layout, offset, count, "symbols"):
            if kind & N_STAB or not kind & N_EXT or kind & N_PEXT:
                continue
            if kind & N_TYPE in (N_SECT, N_ABS):
                defined.append((name, not self._is_code(section)))
            elif kind & N_TYPE == N_UNDF and value == 0:  # with a value: a common symbol of an object file
                undefined.append(name)
        imports = names.all(undefined)
        if self.trie[1]:
            exports = self._trie()
        else:
            exports = dict(zip(names.all(at for at, _ in defined), (data for _, data in defined), strict=True))
        found = {name[1:]: data for name, data in exports.items() if name.startswith("_")}
        return (
            frozenset(found),
            frozenset(name for name, data in found.items() if data),
            frozenset(name[1:] for name in imports if name.startswith("_")),
        )

    def _trie(self) -> dict[str, bool]:
        """Exported names, and whether each is data."""
        offset, size = self.trie
        places = sorted((section.address, section.address + section.size, section.code) for section in self.sections)
        starts = [begin for begin, _, _ in places]
        exports = {}
        for name, flags, address in read_trie(self.cursor.window(offset, size, "export trie")):
            at = bisect_right(starts, self.base + address) - 1
            in_code = at >= 0 and self.base + address < places[at][1] and places[at][2]
            exports[name] = flags & KIND == THREAD_LOCAL or not (flags & REEXPORT or in_code)
        return exports

    def _is_code(self, number: int) -> bool:
        """Whether the section of this number, which counts from 1, holds instructions."""
        return 1 <= number <= len(self.sections) and self.sections[number - 1].code

    # ---- traces --------------------------------------------------------------------------------------

    def _go_build(self, exports: frozenset[str]) -> traces.GoBuild | None:
        """See traces.go_build."""
        places = ((each.offset, each.size) for each in self.sections if each.name == "__go_buildinfo")
        return traces.go_build(self.cursor, places, exports)

    def _compilers(self) -> tuple[str, ...]:
        """Only rustc leaves a trace, the path of its library's sources in messages of panics."""
        constant = ("__const", "__cstring")
        return traces.rustc(
            self.cursor,
            (
                (each.offset, each.size)
                for each in self.sections
                if each.segment == "__TEXT" and each.name in constant
            ),
        )


def _fixed(name: bytes) -> str:
    """A name in a field of fixed size."""
    return decode(name.partition(b"\0")[0])


def _version(number: int) -> str:
    """X.Y from xxxx.yy.zz in nibbles."""
    return f"{number >> 16}.{number >> 8 & 0xFF}"
