"""Thread-local storage at a fixed place in each thread's block (DF_STATIC_TLS, the initial-exec model).

The block is made when the process starts. For what dlopen brings later, glibc keeps a little room, which all
such libraries share; musl keeps none. A library that finds too little is not loaded.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from loader.image.elf_tables import PT_TLS, Tables

if TYPE_CHECKING:
    from loader.image.image import Image

__all__ = ["static_tls_of", "static_tls_room"]

#: What glibc reckons for libraries, 3*192 + 4*144 (its elf/tst-tls-ie.c), and the tunable's default.
FIXED: Final = 1152
OPTIONAL: Final = 512
TUNABLE: Final = re.compile(r"glibc\.rtld\.optional_static_tls=(0x[0-9a-fA-F]+|[0-9]+)")


def static_tls_of(image: Image) -> int:
    """Bytes that an ELF file takes of the room; 0 for the C library, which was there from the start."""
    if not image.static_tls or (image.soname or "").startswith(("libc.", "ld-")):
        return 0
    return sum(segment.memory for segment in Tables(image.file).segments if segment.kind == PT_TLS)


def static_tls_room() -> int:
    """Bytes of it that a process with glibc has at the most, with the tunables of this process."""
    setting = TUNABLE.search(os.environ.get("GLIBC_TUNABLES", ""))
    return FIXED + (OPTIONAL if setting is None else int(setting[1], 0))
