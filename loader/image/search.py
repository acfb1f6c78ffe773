"""Where the dynamic linker of this machine would find a library that an ELF file needs.

The order is that of ld.so(8): a name with a slash is a path; else DT_RPATH, if there is no DT_RUNPATH, of the
file and of what needed it; LD_LIBRARY_PATH; DT_RUNPATH; the cache /etc/ld.so.cache; the standard folders. A
file for another machine is passed over. Nothing is loaded.
"""

from __future__ import annotations

import glob
import os
from functools import cache
from typing import TYPE_CHECKING, Final

from loader.errors import ImageError
from loader.image.cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.image.image import Image

CACHE: Final = "/etc/ld.so.cache"
CACHE_MAGIC: Final = b"glibc-ld.so.cache1.1"
STANDARD: Final = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


def find_library(name: str, image: Image, *, inherited: tuple[str, ...] = ()) -> str | None:
    """The file that would be loaded for `name`, needed by `image`; None if there is none.

    Args:
        name: as DT_NEEDED has it.
        image: an ELF file; its machine, search paths and folder count.
        inherited: folders of the DT_RPATH of the files that needed `image`.
    """
    if "/" in name:
        return name if _fits(name, image) else None
    for folder in _folders(image, inherited):
        path = os.path.join(folder, name)
        if _fits(path, image):
            return path
    for path in _cached(CACHE).get(name, ()):
        if _fits(path, image):
            return path
    for folder in (*STANDARD, *_multiarch()):
        path = os.path.join(folder, name)
        if _fits(path, image):
            return path
    return None


def rpath_of(image: Image, inherited: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The DT_RPATH folders that `image` hands down to what it needs."""
    return inherited if image.runpath else (*_expanded(image.rpath, image), *inherited)


def lies_beside(name: str, image: Image) -> bool:
    """Whether what a file for another system needs is in a place that the file itself names.

    For PE that is its own folder, where letters' case does not count; for Mach-O `@loader_path`, also in an
    rpath. `@executable_path` and absolute paths are places on that other machine.
    """
    folder = os.path.dirname(image.path)
    if image.machine.format == "elf":
        return find_library(name, image) is not None
    if image.machine.format == "pe":
        try:
            return name.lower() in map(str.lower, os.listdir(folder))
        except OSError:
            return False
    head, _, rest = name.partition("/")
    for place in image.rpath if head == "@rpath" else (head,):
        first, _, below = place.partition("/")
        if first == "@loader_path" and os.path.isfile(os.path.join(folder, below, rest)):
            return True
    return False


def _folders(image: Image, inherited: tuple[str, ...]) -> Iterator[str]:
    yield from () if image.runpath else rpath_of(image, inherited)
    yield from (folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder)
    yield from _expanded(image.runpath, image)


def _expanded(folders: tuple[str, ...], image: Image) -> Iterator[str]:
    """With $ORIGIN replaced. $LIB and $PLATFORM differ between systems: folders with them are left out."""
    origin = os.path.dirname(image.path)
    for folder in folders:
        expanded = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
        if expanded and "$" not in expanded:
            yield expanded


def _fits(path: str, image: Image) -> bool:
    """Whether there is an ELF file of the same class, byte order and CPU."""
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except (OSError, ValueError):
        return False
    ours = image.data[:20]
    return head[:4] == b"\x7fELF" and head[4:6] == ours[4:6] and head[18:20] == ours[18:20]


@cache
def _multiarch() -> tuple[str, ...]:
    """Debian's folders, one an architecture; glibc there has its own compiled in."""
    return tuple(sorted(glob.glob("/lib/*-linux-*") + glob.glob("/usr/lib/*-linux-*")))


@cache
def _cached(path: str) -> dict[str, list[str]]:
    """Paths by name from the cache, in its order, those for every CPU of a kind first.

    The cache is written by ldconfig, in the machine's own byte order. One that is absent or makes no sense is
    empty: musl has none.
    """
    found: dict[str, list[tuple[bool, str]]] = {}
    try:
        with open(path, "rb") as file:
            data = file.read()
        start = data.find(CACHE_MAGIC)  # an older table may stand before it
        if start < 0:
            return {}
        cursor = Cursor(path, data, start=start)
        (count,) = cursor.unpack("=I", 20, "the number of libraries")
        for _, key, value, _, special in cursor.table("=iIIIQ", 48, count, "libraries"):
            name = cursor.name(key, cursor.size, "a library's name")
            entry = (special != 0, cursor.name(value, cursor.size, "a library's path"))
            found.setdefault(name, []).append(entry)
    except (OSError, ImageError):
        return {}
    return {
        name: [path for _, path in sorted(entries, key=lambda entry: entry[0])]
        for name, entries in found.items()
    }
