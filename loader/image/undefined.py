"""Symbols that a file needs and nobody has: the dynamic linker refuses it (RTLD_NOW) before any of its code runs.

A reference is bound to the first definition in the program and its libraries, then in the file and those loaded with
it. Versions are not compared here: needs.py looks for each of them in the library that is to have it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from loader.image.elf_symbols import read_bindings
from loader.image.elf_tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.image.image import File, Image

__all__ = ["undefined"]


def undefined(image: Image, others: Iterable[Image]) -> list[str]:
    """Names that an ELF file needs, weak ones not counted, and neither it nor one of `others` has; in order.

    Raises ImageError for a name that is not in one of the files.
    """
    defined, wanted = read_bindings(Tables(image.file))
    missing = wanted - defined
    for other in others:
        if not missing:
            break
        missing -= _defined(other.file)
    return sorted(missing)


@lru_cache(maxsize=32)
def _defined(file: File) -> frozenset[str]:
    """Of a library; most files need the same ones."""
    return read_bindings(Tables(file))[0]
