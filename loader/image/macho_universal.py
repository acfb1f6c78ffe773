"""Universal ("fat") Mach-O files: several files in one, each for a CPU; and the CPUs' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from loader.image.sniff import is_universal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.image.cursor import Cursor

CPUS: Final = {
    7: "i386",
    12: "arm",
    18: "ppc",
    0x0100_0007: "x86_64",
    0x0100_000C: "aarch64",
    0x0100_0012: "ppc64",
    0x0200_000C: "arm64_32",
}
CPU_ARM64, SUBTYPE_ARM64E = 0x0100_000C, 2


class Slice(NamedTuple):
    """One file in a universal file."""

    cpu: str
    offset: int
    size: int


def cpu_name(kind: int, subtype: int) -> str:
    """The CPU of a type and subtype."""
    if kind == CPU_ARM64 and subtype & 0xFF_FFFF == SUBTYPE_ARM64E:
        return "arm64e"
    return CPUS.get(kind, f"machine {kind}")


def read_slices(cursor: Cursor) -> Iterator[Slice]:
    """The slices of a universal file, whose headers are big-endian on every machine."""
    if not is_universal(cursor.data):
        return
    _, count = cursor.unpack(">II", 0, "the universal header")
    layout = ">IIQQII" if cursor.data[3] == 0xBF else ">IIIII"
    if count == 0:
        raise cursor.damaged("is damaged", expected="slices in the universal file", found="none")
    for kind, subtype, offset, size, *_ in cursor.table(layout, 8, count, "slices"):
        cpu = cpu_name(kind, subtype)
        cursor.check(offset, size, f"the slice for {cpu}")
        yield Slice(cpu, offset, size)
