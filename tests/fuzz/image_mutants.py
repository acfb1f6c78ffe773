"""Damage to plugin files, for image_fuzz.py: bits, cuts, fields, blocks, halves of two files.

Fields are where the readers themselves read numbers: reading a file once with a watched Cursor tells all of them,
in every format, and what lies in them (fields_of).
"""

from __future__ import annotations

import contextlib
import random
import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from loader.errors import ImageError
from loader.image import read_bytes
from loader.image.cursor import Cursor

__all__ = [
    "KINDS",
    "Mutant",
    "copy_field",
    "cut",
    "edit_field",
    "edit_number",
    "flip_bits",
    "mutants",
    "shift",
    "splice",
]

#: Numbers that go wrong in sums, products and comparisons.
EDGES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, (1 << 63) - 1)
LARGEST = (1 << 64) - 1
#: Entries of one table of which all fields are told.
TOLD = 64
CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Field(NamedTuple):
    """A number of the file, as a reader read it."""

    offset: int
    layout: str  # of struct, with the byte order


# ---- Where the fields are ----------------------------------------------------------------------------------


def _fields(layout: str, offset: int) -> list[Field]:
    """The integers of a struct layout at `offset`."""
    order = layout[0] if layout[0] in "<>=!@" else "="
    found = []
    for times, code in re.findall(r"(\d*)([a-zA-Z])", layout):
        if code in "sx":
            offset += int(times or 1)
            continue
        size = struct.calcsize(order + code)
        for _ in range(int(times or 1)):
            found.append(Field(offset, order + CODES[size]))
            offset += size
    return found


class _Watch:
    """While it is entered, notes what every Cursor unpacks."""

    def __init__(self) -> None:
        self.fields: dict[Field, None] = {}

    def __enter__(self) -> _Watch:
        self._real = real_unpack, real_table = Cursor.unpack, Cursor.table

        def unpack(cursor: Cursor, layout: str, offset: int, what: str) -> Any:
            self.fields.update(dict.fromkeys(_fields(layout, cursor.start + offset)))
            return real_unpack(cursor, layout, offset, what)

        def table(cursor: Cursor, layout: str, offset: int, count: int, what: str) -> Any:
            size = struct.calcsize(layout)
            for number in range(min(count, TOLD)):
                self.fields.update(dict.fromkeys(_fields(layout, cursor.start + offset + number * size)))
            return real_table(cursor, layout, offset, count, what)

        Cursor.unpack, Cursor.table = unpack, table  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Cursor.unpack, Cursor.table = self._real  # type: ignore[method-assign]


@lru_cache(maxsize=512)
def fields_of(data: bytes) -> tuple[Field, ...]:
    """Each number that was read before the file was read or refused."""
    with _Watch() as watch, contextlib.suppress(ImageError):
        read_bytes(data, path="seed")
    return tuple(field for field in watch.fields if field.offset + struct.calcsize(field.layout) <= len(data))


# ---- Kinds of damage ---------------------------------------------------------------------------------------


def flip_bits(chance: random.Random, data: bytes) -> bytes:
    """One to eight bits turned over, anywhere."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        mutant[chance.randrange(len(mutant))] ^= 1 << chance.randrange(8)
    return bytes(mutant)


def cut(chance: random.Random, data: bytes) -> bytes:
    """The end missing."""
    return data[: chance.randrange(len(data))]


def _put(chance: random.Random, mutant: bytearray, offset: int, layout: str) -> None:
    """Another number at `offset`: an edge, one near to the old one, or the size of the file."""
    (old,) = struct.unpack_from(layout, mutant, offset)
    size = len(mutant)
    new = chance.choice((*EDGES, LARGEST, size, size - 1, old + 1, old - 1, old * 2, old ^ 1 << 31, size - old))
    struct.pack_into(layout, mutant, offset, new & ((1 << 8 * struct.calcsize(layout)) - 1))


def edit_field(chance: random.Random, data: bytes, of: bytes | None = None) -> bytes:
    """One to four fields get another number, or that of another field. `of`: the file whose fields they are."""
    fields = fields_of(data if of is None else of)
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not fields:
            break
        offset, layout = chance.choice(fields)
        if offset + struct.calcsize(layout) > len(mutant):
            continue
        other, other_layout = chance.choice(fields)
        if chance.random() < 0.2 and other + struct.calcsize(other_layout) <= len(mutant):
            (number,) = struct.unpack_from(other_layout, mutant, other)
            struct.pack_into(layout, mutant, offset, number & ((1 << 8 * struct.calcsize(layout)) - 1))
        else:
            _put(chance, mutant, offset, layout)
    return bytes(mutant)


def edit_number(chance: random.Random, data: bytes) -> bytes:
    """One to four numbers of 2, 4 or 8 bytes replaced wherever they lie: aligned, most near the start."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        size, code = chance.choice(((2, "H"), (4, "I"), (8, "Q")))
        reach = min(len(mutant), chance.choice((64, 1024, 4096, len(mutant))))
        offset = chance.randrange(max(reach // size, 1)) * size
        if offset + size <= len(mutant):
            _put(chance, mutant, offset, chance.choice("<>") + code)
    return bytes(mutant)


def copy_field(chance: random.Random, data: bytes) -> bytes:
    """A number of the file written over another: offsets and counts that are plausible, but not there."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        size = chance.choice((4, 8))
        reach = min(len(mutant), chance.choice((1024, len(mutant))))
        source, target = (chance.randrange(max(reach // size, 1)) * size for _ in range(2))
        mutant[target : target + size] = mutant[source : source + size]
    return bytes(mutant)


def splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :]


def shift(chance: random.Random, data: bytes) -> bytes:
    """A block put in, taken out, or said twice."""
    at, size = chance.randrange(len(data)), chance.randint(1, 256)
    kind = chance.randrange(3)
    if kind == 0:
        return data[:at] + chance.randbytes(size) + data[at:]
    if kind == 1:
        return data[:at] + data[at + size :]
    return data[: at + size] + data[at:]


# ---- One after the other -----------------------------------------------------------------------------------

#: What a mutant may have been through; how often in 20.
KINDS = {
    "bits flipped": 4,
    "cut off": 2,
    "fields edited": 6,
    "numbers edited": 2,
    "numbers copied": 2,
    "blocks moved": 1,
    "spliced": 3,
}


class Mutant(NamedTuple):
    """A damaged file, the number of the file that it was, and what was done to it."""

    data: bytes
    file: int
    kinds: tuple[str, ...]


def damage(chance: random.Random, kind: str, data: bytes, file: bytes, corpus: Sequence[bytes]) -> bytes:
    """`data`, which was `file` at first, damaged in a way of KINDS. Never empty."""
    if kind == "spliced":
        damaged = splice(chance, data, chance.choice(corpus))
    elif kind == "fields edited":
        damaged = edit_field(chance, data, file)
    else:
        plain: dict[str, Callable[[random.Random, bytes], bytes]] = {
            "bits flipped": flip_bits,
            "cut off": cut,
            "numbers edited": edit_number,
            "numbers copied": copy_field,
            "blocks moved": shift,
        }
        damaged = plain[kind](chance, data)
    return damaged or b"\0"


def mutants(seed: int, corpus: Sequence[bytes]) -> Callable[[], Mutant]:
    """A function that gives one mutant after the other, the same ones for the same seed."""
    chance = random.Random(seed)
    names, weights = list(KINDS), list(KINDS.values())

    def following() -> Mutant:
        number = chance.randrange(len(corpus))
        data = corpus[number]
        kinds = tuple(chance.choices(names, weights, k=1 if chance.random() < 0.7 else 2))
        for kind in kinds:
            data = damage(chance, kind, data, corpus[number], corpus)
        return Mutant(data, number, kinds)

    return following
