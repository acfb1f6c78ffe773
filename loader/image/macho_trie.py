"""The export trie of a Mach-O file: a prefix tree of names, as dyld walks it.

A node is: the size of what is said of the name that ends here (uleb128; 0 if none does); what is said (flags,
then an address or what is re-exported); the number of children (a byte); and for each child its further
characters, ended by NUL, and its offset in the trie (uleb128).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loader.image.cursor import MAX_NAME, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.image.cursor import Cursor

#: Parts of a symbol's flags (EXPORT_SYMBOL_FLAGS_...).
KIND: Final = 0x3
THREAD_LOCAL: Final = 0x1
REEXPORT: Final = 0x8


def read_trie(trie: Cursor) -> Iterator[tuple[str, int, int]]:
    """Name, flags and address (0 if it is re-exported) of each export. Raises ImageError."""
    seen = {0}  # each node belongs to one name; one met again would make the walk endless
    waiting = [(0, b"")]
    while waiting:
        at, prefix = waiting.pop()
        size, at = _uleb(trie, at)
        if size:
            flags, place = _uleb(trie, at)
            address = 0 if flags & REEXPORT else _uleb(trie, place)[0]
            yield decode(prefix), flags, address
        at += size
        (children,) = trie.unpack("B", at, "a node of the export trie")
        at += 1
        for _ in range(children):
            end = trie.find(b"\0", at, MAX_NAME)
            if end < 0:
                raise trie.damaged("is damaged", expected="a name ended by NUL in the export trie", found="none")
            name = prefix + trie.take(at, end - at, "a name in the export trie")
            trie.spend(len(name))
            child, at = _uleb(trie, end + 1)
            if child in seen:
                raise trie.damaged("is damaged", expected="an export trie that is a tree", found="a node met twice")
            seen.add(child)
            waiting.append((child, name))


def _uleb(trie: Cursor, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number of up to 64 bits, and where it ends."""
    value = shift = 0
    while True:
        (byte,) = trie.unpack("B", at, "a number in the export trie")
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise trie.damaged("is damaged", expected="a number of at most 64 bits", found="a longer one")
