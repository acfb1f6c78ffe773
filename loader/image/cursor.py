"""The one way to read a file's bytes: each read is checked against the end first.

The readers of all formats go through here, so that one screen of code answers for the rule "no read past the
end, whatever the file says". Offsets and sizes that come from a file are never trusted: a range that does not
lie inside becomes an ImageError, nothing is allocated by a length before it was checked, and the loops of the
readers are bounded by the constants below.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from loader.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Symbols, exports or imports that one file may have. libLLVM has about 40,000.
MAX_SYMBOLS: Final = 1_000_000
#: Bytes of one name. Mangled C++ names of 30,000 bytes exist.
MAX_NAME: Final = 1 << 20
#: Entries of tables that describe the file rather than its symbols: segments, libraries, versions, notes.
MAX_ENTRIES: Final = 8_192


class Cursor:
    """A window on bytes, with offsets relative to the window.

    Args:
        path: the file's name, for messages.
        data: the whole file, borrowed.
        start, size: the window in it (a segment, a slice of a universal Mach-O file); all of it by default.
        whole: what the window is, for messages.
    """

    __slots__ = ("data", "path", "room", "size", "start", "whole")

    def __init__(
        self, path: str, data: bytes, *, start: int = 0, size: int | None = None, whole: str = "file"
    ) -> None:
        self.path = path
        self.whole = whole
        self.data = data
        self.start = start
        self.size = len(data) - start if size is None else size
        # Names may share their bytes, so a small file could ask for terabytes of them. Real files stay
        # below twice their size.
        self.room = 4 * self.size + MAX_NAME

    def window(self, offset: int, size: int, whole: str) -> Cursor:
        """A window inside this one, called `whole`."""
        self.check(offset, size, f"a {whole}")
        return Cursor(self.path, self.data, start=self.start + offset, size=size, whole=whole)

    def check(self, offset: int, size: int, what: str) -> None:
        """Raises ImageError unless `size` bytes at `offset` lie inside the window."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise self.cut_off(offset, size, what)

    def unpack(self, layout: str, offset: int, what: str) -> tuple[Any, ...]:
        """The values of a struct layout at `offset`."""
        self.check(offset, struct.calcsize(layout), what)
        return struct.unpack_from(layout, self.data, self.start + offset)

    def table(self, layout: str, offset: int, count: int, what: str) -> Iterator[tuple[Any, ...]]:
        """`count` entries of one struct layout, one after the other."""
        if count > MAX_SYMBOLS:
            raise self.too_many(what, count)
        return struct.iter_unpack(layout, self.view(offset, count * struct.calcsize(layout), what))

    def view(self, offset: int, size: int, what: str) -> memoryview:
        """`size` bytes at `offset`, without a copy."""
        self.check(offset, size, what)
        begin = self.start + offset
        return memoryview(self.data)[begin : begin + size]

    def take(self, offset: int, size: int, what: str) -> bytes:
        """`size` bytes at `offset`, copied."""
        self.check(offset, size, what)
        begin = self.start + offset
        return self.data[begin : begin + size]

    def find(self, wanted: bytes, offset: int, size: int) -> int:
        """Offset of the first `wanted` inside `size` bytes at `offset` (cut at the window's end), or -1."""
        end = self.start + min(max(offset + size, 0), self.size)
        found = self.data.find(wanted, self.start + max(offset, 0), end)
        return found - self.start if found >= 0 else -1

    def name(self, offset: int, end: int, what: str) -> str:
        """The NUL-terminated name at `offset`; its NUL stands before `end`."""
        end = min(end, self.size)
        if not 0 <= offset < end:
            raise self.cut_off(offset, 1, what)
        begin = self.start + offset
        stop = self.data.find(0, begin, min(self.start + end, begin + MAX_NAME))
        if stop < 0:
            raise self.damaged("is damaged", expected=f"a NUL at the end of {what}", found="none")
        self.spend(stop - begin)
        return decode(self.data[begin:stop])

    def spend(self, size: int) -> None:
        """Counts bytes of names, and refuses files that ask for more than could be honest."""
        self.room -= size
        if self.room < 0:
            raise self.damaged("is damaged", expected="names about as long as the file", found="longer ones")

    def cut_off(self, offset: int, size: int, what: str) -> ImageError:
        """The error for a range that is not inside: a part of the file is missing, or a number is wrong."""
        return ImageError(
            "is cut off or damaged",
            path=self.path,
            expected=f"{what} at bytes {self.start + offset:,} to {self.start + offset + size:,}",
            found=f"the end of the {self.whole} at byte {self.start + self.size:,}",
            cure="Copy or build the file again",
        )

    def too_many(self, what: str, count: int) -> ImageError:
        """The error for a count that no real file has."""
        return self.damaged("is damaged", expected=f"at most {MAX_SYMBOLS:,} {what}", found=f"{count:,}")

    def damaged(self, what: str, *, expected: str, found: str) -> ImageError:
        """The error for contents that make no sense."""
        return ImageError(
            what,
            path=self.path,
            expected=expected,
            found=found,
            cure="The file is damaged or was not made by a linker: copy or build it again",
        )


class Names:
    """A string table: names at offsets, each ended by NUL.

    Kept apart from Cursor.name for speed: a library has thousands of names in one table, which is nearly
    always ASCII and then is decoded once as a whole.
    """

    __slots__ = ("cursor", "table", "text")

    def __init__(self, cursor: Cursor, offset: int, size: int, what: str) -> None:
        self.cursor = cursor
        self.table = cursor.take(offset, size, what)
        self.text = self.table.decode("ascii") if self.table.isascii() else None

    def at(self, offset: int) -> str:
        """The name at `offset` of the table."""
        return self.all((offset,))[0]

    def all(self, offsets: Iterable[int]) -> list[str]:
        """The names at these offsets."""
        table, text, left = self.table, self.text, self.cursor.room
        find = table.find
        names = []
        for offset in offsets:
            end = find(0, offset, offset + MAX_NAME)
            if end < 0:
                raise self.cursor.damaged(
                    "is damaged",
                    expected=f"a name ended by NUL in a string table of {len(table):,} bytes",
                    found=f"none at its byte {offset:,}",
                )
            left -= end - offset
            if left < 0:
                self.cursor.spend(self.cursor.room + 1)
            names.append(text[offset:end] if text is not None else decode(table[offset:end]))
        self.cursor.room = left
        return names


def decode(name: bytes) -> str:
    r"""A name of the file as text.

    Names are UTF-8 by custom only. Other bytes become \xNN: such a text can be printed, logged and written as
    JSON, which one with surrogates cannot, and no name that a contract asks for holds a backslash.
    """
    return name.decode("utf-8", "backslashreplace")
