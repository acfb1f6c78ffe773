"""Where the dynamic linker of this machine looks for a library that an ELF file needs, in its order.

glibc (ld.so(8)): a name with a slash is a path; else DT_RPATH of the file, if it has no DT_RUNPATH, and of what
needed it; LD_LIBRARY_PATH as it was when the process started; DT_RUNPATH; the cache /etc/ld.so.cache; the default
folders; in each folder first its subfolders for better CPUs. musl: LD_LIBRARY_PATH, either of the two and those of
what needed it, its own folders. A file for another machine is passed over. closure.py puts the places together.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from loader.errors import ImageError
from loader.image.cursor import Cursor
from loader.image.image import File, Image, this_machine
from loader.image.linker import LIBRARY_PATH, glibc, here_is_musl, library_path, linker_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SearchPath",
    "cached_folders",
    "default_folders",
    "expand",
    "find_library",
    "handed_down",
    "lies_beside",
    "look",
    "places",
]

CACHE: Final = "/etc/ld.so.cache"
CACHE_MAGIC: Final = b"glibc-ld.so.cache1.1"
STANDARD: Final = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_MUSL: Final = ("/lib", "/usr/local/lib", "/usr/lib")
_TOKEN: Final = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
#: Subfolders for better CPUs that glibc before 2.37 looked into; there are no others on the CPUs named.
_OLD_SUBFOLDERS: Final = ("tls", "x86_64", "haswell", "xeon_phi", "avx512_1", "aarch64", "atomics")
_HEAD: Final = 64


@dataclass(frozen=True, slots=True)
class SearchPath:
    """A path or folder where a library is looked for.

    `beside`: it is named relative to the file that needs the library. `doubt`: why nobody can say in advance what is
    found there, or None.
    """

    path: str
    beside: bool = False
    doubt: str | None = None


def find_library(name: str, image: Image, *, inherited: tuple[SearchPath, ...] = ()) -> str | None:
    """The file that would be loaded for `name`, needed by `image`; None if there is none."""
    for place in places(name, image, inherited):
        if look(place.path, image) in ("fits", "broken"):
            return place.path
    return None


def places(name: str, image: Image, inherited: tuple[SearchPath, ...]) -> Iterator[SearchPath]:
    """The paths that are tried for a needed name whose tokens are replaced already, in order.

    Args:
        image: the ELF file that needs it; its search paths and folder count.
        inherited: what the files that needed `image` hand down.
    """
    if "/" in name:
        yield _from_here(name, f"the library {name}")
        return
    for folder in _folders(image, inherited):
        for sub in _subfolders(folder.path):
            place = os.path.join(folder.path, sub, name)
            yield SearchPath(place, folder.beside, folder.doubt if sub != "?" else _NO_ANSWER)
    defaults = default_folders()
    for path in () if here_is_musl() else _best_first(_cached(CACHE).get(name, [])):
        if not (image.no_default_folders and os.path.dirname(path) in defaults):
            yield SearchPath(path)
    for each in () if image.no_default_folders else defaults:
        yield from (SearchPath(os.path.join(each, sub, name)) for sub in _subfolders(each))


def handed_down(image: Image, inherited: tuple[SearchPath, ...]) -> tuple[SearchPath, ...]:
    """The folders that serve what `image` needs, and what that needs in turn: its DT_RPATH, and what it inherits."""
    own = image.rpath if not image.runpath else image.runpath if here_is_musl() else ()
    return (*_expanded(own, image), *inherited)


def expand(text: str, image: Image) -> SearchPath:
    """A folder or needed name with the tokens replaced that the linker replaces: $ORIGIN, $LIB, $PLATFORM."""
    beside, doubt = False, None

    def value(match: re.Match[str]) -> str:
        nonlocal beside, doubt
        name = match[1] or match[2]
        if name == "ORIGIN":
            beside = True
            return os.path.dirname(image.path)  # links not replaced: as the dynamic linker does it
        facts = None if here_is_musl() else linker_facts()
        if facts is None:
            doubt = f"{match[0]} in {text!r}, which only the dynamic linker knows"
            return match[0]
        return facts.lib if name == "LIB" else facts.platform

    replaced = _TOKEN.sub(value, text) if "$" in text else text
    if "$" in replaced and doubt is None:
        doubt = f"a token in {text!r} that is not $ORIGIN, $LIB or $PLATFORM"
    if "\\" in text:  # stands for a byte that is not UTF-8, as likely as for itself
        doubt = f"{text!r}, which may not be UTF-8"
    return SearchPath(replaced, beside, doubt)


def default_folders() -> tuple[str, ...]:
    """The folders that the linker looks into for every library."""
    return _musl_folders() if here_is_musl() else (*_multiarch(), *STANDARD)


def cached_folders() -> frozenset[str]:
    """The folders of libraries in the linker's cache: those of /etc/ld.so.conf, as ldconfig found them."""
    return frozenset(os.path.dirname(path) for paths in _cached(CACHE).values() for path in paths)


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


def look(path: str, image: Image) -> str:
    """What the linker makes of a path: "fits", "absent", "other" (for another machine: it looks on) or "broken":
    it gives up.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return "absent"
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        head = os.read(descriptor, _HEAD) if regular else b""
    except OSError:
        return "broken"
    finally:
        os.close(descriptor)
    ours = image.data[:_HEAD]
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return "broken"
    if head[4] != ours[4]:
        return "other"
    if head[5] != ours[5]:
        return "broken"
    return "fits" if head[18:20] == ours[18:20] else "other"


# ---- Folders -----------------------------------------------------------------------------------------------

_NO_ANSWER: Final = "a subfolder for better CPUs, whose order only the dynamic linker knows"


def _folders(image: Image, inherited: tuple[SearchPath, ...]) -> Iterator[SearchPath]:
    if not image.runpath and not here_is_musl():
        yield from handed_down(image, inherited)
    for folder in library_path():
        place = SearchPath(folder) if here_is_musl() else expand(folder, _program())
        if place.doubt:
            yield replace(place, doubt=f"{LIBRARY_PATH} has {place.doubt}")
        else:
            yield _from_here(place.path, LIBRARY_PATH)
    if here_is_musl():
        yield from handed_down(image, inherited)
    else:
        yield from _expanded(image.runpath, image)


def _expanded(folders: tuple[str, ...], image: Image) -> Iterator[SearchPath]:
    """With tokens replaced. musl ignores all of them for a token that it does not know."""
    if here_is_musl() and any("$" in re.sub(r"\$(ORIGIN|\{ORIGIN\})", "", folder) for folder in folders):
        return
    for folder in folders:
        place = expand(folder, image)
        yield place if place.doubt else _from_here(place.path, f"{folder!r}", beside=place.beside)


def _from_here(path: str, what: str, *, beside: bool = False) -> SearchPath:
    """A path; one that is relative begins at the current folder, whichever that is when it is asked for."""
    if os.path.isabs(path):
        return SearchPath(path, beside)
    where = os.path.join(os.getcwd(), path)
    return SearchPath(where, beside, f"{what} in the current folder, whichever that is")


def _subfolders(folder: str) -> tuple[str, ...]:
    """A folder's subfolders for better CPUs, best first, and last "" for itself; "?" for one that nobody knows."""
    if here_is_musl():
        return ("",)
    old = _OLD_SUBFOLDERS if glibc() < (2, 37) else ()
    if not any(os.path.isdir(os.path.join(folder, name)) for name in ("glibc-hwcaps", *old)):
        return ("",)
    facts = linker_facts()
    return ("?", "") if facts is None else facts.subfolders


@cache
def _program() -> Image:
    """This process's program, as far as its place goes: $ORIGIN of LD_LIBRARY_PATH."""
    file = File(os.path.realpath("/proc/self/exe"), b"", "", 0)
    return Image(file=file, machine=this_machine(), kind="executable", exports=frozenset())


@cache
def _multiarch() -> tuple[str, ...]:
    """Debian's folders, one an architecture; glibc there has its own compiled in."""
    return tuple(sorted(glob.glob("/lib/*-linux-*") + glob.glob("/usr/lib/*-linux-*")))


@cache
def _musl_folders() -> tuple[str, ...]:
    for path in glob.glob("/etc/ld-musl-*.path"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return tuple(folder for folder in re.split("[:\n]", file.read()) if folder)
        except OSError:
            break
    return _MUSL


@cache
def _cached(path: str) -> dict[str, list[str]]:
    """Paths by name from the cache, in its order.

    The cache is written by ldconfig, in the machine's own byte order. One that is absent or makes no sense is
    empty: musl has none.
    """
    found: dict[str, list[str]] = {}
    try:
        with open(path, "rb") as file:
            data = file.read()
        start = data.find(CACHE_MAGIC)  # an older table may stand before it
        if start < 0:
            return {}
        cursor = Cursor(path, data, start=start)
        (count,) = cursor.unpack("=I", 20, "the number of libraries")
        for _, key, value, _, _ in cursor.table("=iIIIQ", 48, count, "libraries"):
            name = cursor.name(key, cursor.size, "a library's name")
            found.setdefault(name, []).append(cursor.name(value, cursor.size, "a library's path"))
    except (OSError, ImageError):
        return {}
    return found


def _best_first(paths: list[str]) -> list[str]:
    """Those for better CPUs that the linker would take, best first, and then the others."""
    if not any("/glibc-hwcaps/" in path for path in paths):
        return paths
    plain = [path for path in paths if "/glibc-hwcaps/" not in path]
    facts = linker_facts()
    order = [] if facts is None else [sub for sub in facts.subfolders if sub.startswith("glibc-hwcaps/")]
    better = [path for sub in order for path in paths if os.path.dirname(path).endswith("/" + sub)]
    return [*better, *plain]
