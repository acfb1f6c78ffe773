"""A library's bytes with its needs pinned: each needed name replaced by the path of what was judged for it.

A copy runs from memory, where $ORIGIN means nothing, and two libraries of one name are one to the dynamic linker. So
where a plugin brings libraries along, the copies name each other by path: the linker searches for nothing that was
found here already, and each plugin gets its own. What is changed is the dynamic table (DT_NEEDED, DT_FILTER,
DT_AUXILIARY, DT_STRTAB, DT_STRSZ), the file names of needed versions, and the header; the longer names and the
program headers, one more than before, are put behind everything else, in a segment of their own. All that was there
stays where it was, so that debuggers and crash reports go by the file's own offsets.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from loader.errors import LibraryError
from loader.image.cursor import decode
from loader.image.elf_tables import (
    DT_AUXILIARY,
    DT_FILTER,
    DT_NEEDED,
    DT_NULL,
    DT_STRSZ,
    DT_STRTAB,
    PT_DYNAMIC,
    PT_LOAD,
    Tables,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.image import Image
    from loader.trust.members import Resolved

__all__ = ["pinned", "targets"]

PT_PHDR: Final = 6
DT_DEBUG: Final = 21  # means nothing in a library
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
_PAGE: Final = 4096
_READ: Final = 4
#: Program headers of 64 and 32 bits: struct format, and where flags, offset, address, sizes and alignment stand.
_HEADERS: Final = {64: "IIQQQQQQ", 32: "IIIIIIII"}


def targets(resolved: Resolved, image: Image, paths: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """What each needed name of a copy is replaced by; `paths`: of the copies, by the paths of their files."""
    found: dict[str, bytes | None] = {}
    for name, member, _ in resolved.closure.edges.get(image.path, ()):
        path = resolved.closure.image.path if member is None else member.path
        if member is not None and member.resident and "$" not in name:
            continue  # the linker has it, by this name
        if path is not None:
            found[name] = paths.get(path) or os.fsencode(path)
        elif member is not None and member.kind == "auxiliary":
            found[name] = None
    return found


def pinned(image: Image, targets: Mapping[str, bytes | None]) -> bytes:
    """The bytes of an ELF file that needs paths instead of names.

    Args:
        image: with its bytes, which were read before, so that they make sense.
        targets: the path for each needed name that is replaced; None for a DT_AUXILIARY that is taken away.

    Raises LibraryError for a file that cannot be changed in this way.
    """
    if not targets:
        return image.data
    try:
        return _Copy(image).with_needs(targets)
    except (struct.error, IndexError, ValueError) as error:
        raise _odd(image, str(error)) from error


def _odd(image: Image, found: str) -> LibraryError:
    return LibraryError(
        "brings libraries along, and its tables cannot be made to name them",
        path=image.path,
        found=found,
        cure="Link the libraries into the plugin, or link it anew without tools that pack or patch it",
    )


class _Copy:
    def __init__(self, image: Image) -> None:
        self._image = image
        self._elf = elf = Tables(image.file)
        self._data = bytearray(image.data)
        size = elf.dynamic[DT_STRSZ]
        at = self._offset(elf.dynamic[DT_STRTAB])
        self._old = bytes(self._data[at : at + size])
        self._strings = bytearray(self._old + b"\0")

    def with_needs(self, targets: Mapping[str, bytes | None]) -> bytes:
        places: dict[bytes, int] = {}
        for path in filter(None, targets.values()):
            places.setdefault(path, len(self._strings))
            if places[path] == len(self._strings):
                self._strings += path + b"\0"
        found = {name: None if path is None else places[path] for name, path in targets.items()}
        align = max([_PAGE, *(each.align for each in self._elf.loads)])
        address = _up(max(each.address + each.memory for each in self._elf.loads), align)
        self._data += bytes(_up(len(self._data), align) - len(self._data))
        begin = len(self._data)
        headers = self._headers(address, begin, align)
        strings = address + len(headers)
        self._change_versions(found)
        self._change_dynamic(found, strings)
        self._data += headers + self._strings
        self._change_header(begin, len(headers))
        return bytes(self._data)

    def _offset(self, address: int) -> int:
        for each in self._elf.loads:
            if 0 <= address - each.address < each.size:
                return each.offset + address - each.address
        raise ValueError(f"the address {address:#x} is in no segment")

    def _name(self, at: int) -> str:
        return decode(self._old[at : self._old.index(0, at)])

    def _headers(self, address: int, begin: int, align: int) -> bytes:
        """The program headers with one more, which holds themselves and the names."""
        elf = self._elf
        layout = elf.order + _HEADERS[elf.bits]
        size = struct.calcsize(layout)
        (table,) = struct.unpack_from(elf.layout.word if elf.bits == 32 else elf.order + "Q", self._data,
                                      28 if elf.bits == 32 else 32)  # fmt: skip
        rows = [list(row) for row in struct.iter_unpack(layout, self._data[table : table + size * len(elf.segments)])]
        whole = size * (len(rows) + 1)
        length = whole + len(self._strings)
        for row in rows:
            if row[0] == PT_PHDR:
                self._place(row, begin, address, whole)
        new = [PT_LOAD, _READ, 0, 0, 0, 0, 0, align] if elf.bits == 64 else [PT_LOAD, 0, 0, 0, 0, 0, _READ, align]
        self._place(new, begin, address, length)
        return b"".join(struct.pack(layout, *row) for row in [*rows, new])

    def _place(self, row: list[int], offset: int, address: int, size: int) -> None:
        first = 2 if self._elf.bits == 64 else 1
        row[first : first + 5] = [offset, address, address, size, size]

    def _change_header(self, begin: int, size: int) -> None:
        elf = self._elf
        count = size // struct.calcsize(elf.order + _HEADERS[elf.bits])
        wide = elf.bits == 64
        struct.pack_into(elf.order + ("Q" if wide else "I"), self._data, 32 if wide else 28, begin)
        struct.pack_into(elf.order + "H", self._data, 56 if wide else 44, count)

    def _change_dynamic(self, found: Mapping[str, int | None], strings: int) -> None:
        elf = self._elf
        layout = elf.layout.dynamic
        at = self._offset(next(each.address for each in reversed(elf.segments) if each.kind == PT_DYNAMIC))
        while True:
            tag, value = struct.unpack_from(layout, self._data, at)
            if tag == DT_NULL:
                return
            if tag in (DT_NEEDED, DT_FILTER, DT_AUXILIARY):
                name = self._name(value)
                if name in found:
                    new = found[name]
                    tag, value = (DT_DEBUG, 0) if new is None else (tag, new)
            elif tag == DT_STRTAB:
                value = strings
            elif tag == DT_STRSZ:
                value = len(self._strings)
            struct.pack_into(layout, self._data, at, tag, value)
            at += struct.calcsize(layout)

    def _change_versions(self, found: Mapping[str, int | None]) -> None:
        """Versions that are needed say of which library, by the name under which it is needed."""
        elf = self._elf
        if DT_VERNEED not in elf.dynamic:
            return
        at = self._offset(elf.dynamic[DT_VERNEED])
        for _ in range(elf.dynamic.get(DT_VERNEEDNUM, 0)):
            _, _, name, _, step = struct.unpack_from(elf.order + "HHIII", self._data, at)
            new = found.get(self._name(name))
            if new is not None:
                struct.pack_into(elf.order + "I", self._data, at + 4, new)
            if not step:
                return
            at += step


def _up(number: int, align: int) -> int:
    return -(-number // align) * align
