"""Symbols of an ELF file, as dlsym sees them, and the symbol versions that it asks of others.

The rules are those of glibc's elf/dl-lookup.c: what is found is a defined global, weak or unique symbol that
is not hidden, in its default version. How many symbols there are is told by the hash tables alone.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from loader.image.cursor import MAX_ENTRIES, MAX_SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.image.elf_tables import Tables

DT_HASH, DT_STRTAB, DT_SYMTAB, DT_SYMENT, DT_GNU_HASH = 4, 5, 6, 11, 0x6FFFFEF5
DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE = 1, 2, 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 5, 6, 10
STV_INTERNAL, STV_HIDDEN = 1, 2

#: S/390 and Alpha: the two psABIs that made the words of DT_HASH 64 bits wide.
WIDE_HASH = frozenset({22, 0x9026})

BINDINGS = frozenset({STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE})
TYPES = frozenset({STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC})
DATA_TYPES = frozenset({STT_OBJECT, STT_COMMON, STT_TLS})
#: Values of st_info that dlsym takes: binding in the upper half, type in the lower.
FINDABLE = frozenset(binding << 4 | kind for binding in BINDINGS for kind in TYPES)


class Symbols(NamedTuple):
    """Names of symbols."""

    exports: frozenset[str]
    data_exports: frozenset[str]
    imports: frozenset[str]


def read_symbols(elf: Tables) -> Symbols:
    """Exports and imports. No symbol table or no hash table: none, as for dlsym."""
    first, count, rows = _symbols(elf)
    hidden = _hidden(elf, count)
    exports: list[int] = []
    data_exports: list[int] = []
    imports: list[int] = []
    for index, (name, info, other, section, value) in enumerate(rows):
        if info not in FINDABLE:
            continue
        if section == SHN_UNDEF:
            if name:
                imports.append(name)
        elif (
            index >= first
            and index not in hidden
            and other & 3 not in (STV_INTERNAL, STV_HIDDEN)
            and (value or section == SHN_ABS or info & 15 == STT_TLS)
        ):
            exports.append(name)
            if info & 15 in DATA_TYPES:
                data_exports.append(name)
    names = elf.names
    return Symbols(*(frozenset(names.all(offsets)) for offsets in (exports, data_exports, imports)))


def read_bindings(elf: Tables) -> tuple[frozenset[str], frozenset[str]]:
    """Names that references of other files may be bound to, in whatever version; and names that must be bound
    when the file is loaded: undefined ones that are not weak.
    """
    first, _, rows = _symbols(elf)
    defined: list[int] = []
    wanted: list[int] = []
    for index, (name, info, other, section, _) in enumerate(rows):
        if info not in FINDABLE:
            continue
        if section == SHN_UNDEF:
            if name and info >> 4 != STB_WEAK:
                wanted.append(name)
        elif index >= first and other & 3 not in (STV_INTERNAL, STV_HIDDEN):
            defined.append(name)
    return frozenset(elf.names.all(defined)), frozenset(elf.names.all(wanted))


def _symbols(elf: Tables) -> tuple[int, int, Iterable[tuple[int, ...]]]:
    """Index of the first symbol that can be found, the number of symbols, and each as (name, info, other,
    section, value).
    """
    if DT_SYMTAB not in elf.dynamic:
        return 0, 0, ()
    first, count = _gnu_hash(elf) if DT_GNU_HASH in elf.dynamic else _hash(elf)
    entry = struct.calcsize(elf.layout.symbol)
    if elf.dynamic.get(DT_SYMENT, entry) != entry:
        raise elf.cursor.damaged(
            "is damaged", expected=f"symbols of {entry} bytes", found=f"{elf.dynamic[DT_SYMENT]} bytes"
        )
    table = elf.at(elf.dynamic[DT_SYMTAB], "the symbol table")
    rows: Iterable[tuple[int, ...]] = table.table(elf.layout.symbol, 0, count, "symbols")
    if elf.bits == 32:
        rows = ((name, info, other, section, value) for name, value, info, other, section in rows)
    return first, count, rows


def _gnu_hash(elf: Tables) -> tuple[int, int]:
    """Index of the first symbol that can be found, and the number of symbols, from DT_GNU_HASH.

    The table has no count: the last symbol is the end of the chain that the highest bucket begins.
    """
    table, word = elf.at(elf.dynamic[DT_GNU_HASH], "the hash table"), elf.layout.word
    buckets, first, blooms, _ = table.unpack(elf.order + "IIII", 0, "the hash table")
    offset = 16 + blooms * struct.calcsize(elf.layout.bloom_word)
    (last,) = max(table.table(word, offset, buckets, "hash buckets"), default=(0,))
    if last < first:  # nothing is exported, and how much is imported is not said
        return first, _imported(elf)
    offset += 4 * buckets + 4 * (_checked(elf, last) - first)
    room = min((table.size - offset) // 4, MAX_SYMBOLS)
    for count, (value,) in enumerate(table.table(word, offset, room, "hash chains"), start=last + 1):
        if value & 1:
            return first, _checked(elf, count)
    raise table.damaged("is damaged", expected="a hash table with an end", found="none")


def _imported(elf: Tables) -> int:
    """The number of symbols of a library without exports: the strings stand right behind them, by custom."""
    size = elf.dynamic[DT_STRTAB] - elf.dynamic[DT_SYMTAB] if DT_STRTAB in elf.dynamic else 0
    count, rest = divmod(size, struct.calcsize(elf.layout.symbol))
    return count if rest == 0 and 0 < count < MAX_ENTRIES else 0


def _hash(elf: Tables) -> tuple[int, int]:
    """The same from DT_HASH, whose second word is the number of symbols."""
    if DT_HASH not in elf.dynamic:
        return 0, 0
    table = elf.at(elf.dynamic[DT_HASH], "the hash table")
    word = elf.order + ("Q" if elf.bits == 64 and elf.number in WIDE_HASH else "I")
    _, count = table.unpack(word + word[1], 0, "the hash table")
    return 1, _checked(elf, count)


def _checked(elf: Tables, count: int) -> int:
    if count > MAX_SYMBOLS:
        raise elf.cursor.too_many("symbols", count)
    return count


def _hidden(elf: Tables, count: int) -> frozenset[int]:
    """Indices of symbols of an old version (name@VERSION, not name@@VERSION), which dlsym passes over."""
    if count == 0 or DT_VERSYM not in elf.dynamic:
        return frozenset()
    table = elf.at(elf.dynamic[DT_VERSYM], "versions of symbols")
    layout, what = elf.order + "H", "versions of symbols"
    if max(table.table(layout, 0, count, what)) <= (0x8001,):  # as in nearly every file
        return frozenset()
    rows = enumerate(table.table(layout, 0, count, what))
    return frozenset([index for index, (version,) in rows if version > 0x8001])


def read_versions(elf: Tables) -> dict[str, tuple[str, ...]]:
    """Symbol versions that are asked of each library, in the file's order."""
    wanted: dict[str, list[str]] = {}
    if DT_VERNEED not in elf.dynamic:
        return {}
    table, offset = elf.at(elf.dynamic[DT_VERNEED], "needed versions"), 0
    left = MAX_ENTRIES  # the tables are linked lists, which could share entries or meet themselves
    for _ in range(min(elf.dynamic.get(DT_VERNEEDNUM, 0), MAX_ENTRIES)):
        _, names, library, auxiliary, following = table.unpack(elf.order + "HHIII", offset, "needed versions")
        versions = wanted.setdefault(elf.names.at(library), [])
        at = offset + auxiliary
        left -= names
        if left < 0:
            raise table.damaged("is damaged", expected=f"at most {MAX_ENTRIES:,} versions", found="more")
        for _ in range(names):
            _, _, _, name, step = table.unpack(elf.order + "IHHII", at, "needed versions")
            versions.append(elf.names.at(name))
            if step == 0:
                break
            at += step
        if following == 0:
            break
        offset += following
    return {library: tuple(versions) for library, versions in wanted.items()}


def read_definitions(elf: Tables) -> frozenset[str]:
    """Symbol versions that are defined, the library's own name (the base version) among them."""
    if DT_VERDEF not in elf.dynamic:
        return frozenset()
    table, offset = elf.at(elf.dynamic[DT_VERDEF], "defined versions"), 0
    names: list[int] = []
    for _ in range(min(elf.dynamic.get(DT_VERDEFNUM, 0), MAX_ENTRIES)):
        _, _, _, count, _, auxiliary, following = table.unpack(elf.order + "HHHHIII", offset, "defined versions")
        if count:  # the first name is the version, the others are those that it came from
            names.append(table.unpack(elf.order + "I", offset + auxiliary, "defined versions")[0])
        if following == 0:
            break
        offset += following
    return frozenset(elf.names.all(names))
