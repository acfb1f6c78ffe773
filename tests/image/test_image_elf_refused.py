"""ELF files with one wrong number each: refused, and the message says which."""

from __future__ import annotations

import struct

import pytest
from tree import CORPUS

from loader.errors import ImageError
from loader.image import read_bytes

HEADER_FIELDS = [
    (4, "B", 3, "class 3"),
    (5, "B", 0, "byte order 0"),
    (16, "<H", 4, "a core dump"),
    (32, "<Q", 1 << 40, "program headers"),
    (32, "<Q", (1 << 64) - 1, "program headers"),
    (54, "<H", 55, "55 bytes"),
    (56, "<H", 0, "nothing to load"),
    (60, "<H", 0xFFFF, "section headers"),
]


@pytest.mark.parametrize(("offset", "layout", "value", "said"), HEADER_FIELDS)
def test_one_wrong_header_field_is_named(offset: int, layout: str, value: int, said: str) -> None:
    """Each field of the header alone is enough to refuse the file, and the message says which."""
    data = bytearray((CORPUS / "elf64").read_bytes())
    struct.pack_into(layout, data, offset, value)
    with pytest.raises(ImageError, match=said):
        read_bytes(bytes(data), path="plugin.so")


DYNAMIC_FIELDS = [
    (5, 0x7FFF_0000, "string table in a loaded segment"),  # DT_STRTAB
    (10, 1 << 50, "string table"),  # DT_STRSZ
    (10, 0, "NUL"),
    (6, 0x7FFF_0000, "symbol table in a loaded segment"),  # DT_SYMTAB
    (11, 23, "symbols of 24 bytes"),  # DT_SYMENT
    (1, 1 << 40, "NUL"),  # DT_NEEDED
    (0x6FFFFEF5, 0x7FFF_0000, "hash table in a loaded segment"),  # DT_GNU_HASH
    (0x6FFFFFFE, 0x7FFF_0000, "needed versions in a loaded segment"),  # DT_VERNEED
]


@pytest.mark.parametrize(("tag", "value", "said"), DYNAMIC_FIELDS)
def test_one_wrong_dynamic_entry_is_named(tag: int, value: int, said: str) -> None:
    """The dynamic table's addresses and sizes are not believed."""
    data = bytearray((CORPUS / "elf64").read_bytes())
    (start,) = struct.unpack_from("<Q", data, 32)
    headers = [struct.unpack_from("<IIQQQQQQ", data, start + 56 * i) for i in range(data[56])]
    at = next(row[2] for row in headers if row[0] == 2)
    while struct.unpack_from("<q", data, at)[0] != tag:
        at += 16
    struct.pack_into("<Q", data, at + 8, value)
    with pytest.raises(ImageError, match=said):
        read_bytes(bytes(data), path="plugin.so")


def test_overlapping_segments_are_refused() -> None:
    """An address with two contents would let what is checked differ from what is mapped."""
    data = bytearray((CORPUS / "elf64").read_bytes())
    (start,) = struct.unpack_from("<Q", data, 32)
    loads = [at for at in range(start, start + 56 * data[56], 56) if data[at : at + 4] == b"\1\0\0\0"]
    struct.pack_into("<Q", data, loads[1] + 16, 0)
    with pytest.raises(ImageError, match="overlap"):
        read_bytes(bytes(data), path="plugin.so")


def test_a_table_of_one_long_name_a_thousand_times_is_refused() -> None:
    """Symbols may share a name's bytes, so a small file could ask for gigabytes of names."""
    name = b"x" * 100_000 + b"\0"
    count = 20_000
    body = b"\0" + name
    head, strings = 64 + 2 * 56, 0x1000
    symbols = strings + len(body) + (-len(body) % 8)
    hashes = symbols + 24 * count
    dynamic = hashes + 8
    entries = [(5, strings), (10, len(body)), (6, symbols), (11, 24), (4, hashes), (0, 0)]
    table = b"".join(struct.pack("<qQ", *entry) for entry in entries)
    size = dynamic + len(table)
    data = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    data += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    data += struct.pack("<IIQQQQQQ", 2, 4, dynamic, dynamic, dynamic, len(table), len(table), 8)
    assert len(data) == head
    data = data.ljust(strings, b"\0") + body
    data = data.ljust(symbols, b"\0") + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 1, 0) * count
    data += struct.pack("<II", 1, count) + table
    with pytest.raises(ImageError, match="names about as long as the file"):
        read_bytes(data, path="plugin.so")
