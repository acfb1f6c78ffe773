"""What compilers and runtimes leave behind in every format: Go, rustc, sanitizers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from loader.image.cursor import Cursor, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Begins the section .go.buildinfo (Go's debug/buildinfo), on a boundary of 16 bytes.
GO_MAGIC: Final = b"\xff Go buildinf:"
#: Exported by every shared library that cgo made, unless a version script hides them.
GO_SYMBOLS: Final = frozenset({"crosscall2", "_cgo_topofstack", "_cgo_panic"})
#: What shows a sanitizer: a part of its run-time library's name, and the call that instrumented code makes.
#: (Code that is not instrumented may refer weakly to others, such as __asan_poison_memory_region.)
SANITIZERS: Final = (
    ("address", "asan", "__asan_init"),
    ("hwaddress", "hwasan", "__hwasan_init"),
    ("thread", "tsan", "__tsan_init"),
    ("memory", "msan", "__msan_init"),
    ("leak", "lsan", "__lsan_init"),
    ("undefined", "ubsan", "__ubsan_handle_"),
)
#: How paths in Rust's precompiled library begin, what follows, and the letters of a commit's name.
RUST_SOURCES: Final = b"/rustc/"
RUST_BUILD: Final = re.compile(rb"([0-9a-f]{40}|[0-9]+\.[0-9]+\.[0-9]+)/")
COMMIT: Final = 40
SANITIZER_CALLS: Final = tuple(call for _, _, call in SANITIZERS)


def _find(cursor: Cursor, wanted: bytes, ranges: Iterable[tuple[int, int]]) -> int:
    """Offset of the first `wanted` in ranges (offset, size) of the file, or -1.

    Ranges of a damaged file may cover the same bytes again and again: no more than its size is searched.
    """
    left = cursor.size
    for offset, size in ranges:
        found = cursor.find(wanted, offset, min(size, left))
        if found >= 0:
            return found
        left -= size
        if left <= 0:
            break
    return -1


def go_version(cursor: Cursor, ranges: Iterable[tuple[int, int]]) -> str | None:
    """Version in the Go build information inside ranges (offset, size); "" if it is older than Go 1.18.

    None if there is none.
    """
    at = _find(cursor, GO_MAGIC, ranges)
    if at < 0:
        return None
    head = cursor.take(at, min(64, cursor.size - at), "Go build information")
    # Byte 15 bit 1: the version follows as length (a varint; versions are short) and text.
    if len(head) < 33 or not head[15] & 2 or head[32] > 0x7F:
        return ""
    version = decode(head[33 : 33 + head[32]])
    return version if version.startswith(("go", "devel")) else ""


def rustc(cursor: Cursor, ranges: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """The compiler, if ranges hold a path of Rust's own sources, as messages of panics have it.

    Such a path is /rustc/COMMIT/library/...: the compiler is named by its commit, as short as in what
    `rustc --version` prints, or by a version where a distribution put that in its place.
    """
    at = _find(cursor, RUST_SOURCES, ranges)
    if at < 0:
        return ()
    at += len(RUST_SOURCES)
    found = RUST_BUILD.match(cursor.take(at, min(48, cursor.size - at), "a path of Rust's sources"))
    if found is None:
        return ("rustc",)
    build = found[1].decode("ascii")
    return (f"rustc ({build[:9]})" if len(build) == COMMIT else f"rustc version {build}",)


def sanitizer(needed: Iterable[str], symbols: Iterable[str]) -> str | None:
    """The sanitizer that the code was built with.

    Args:
        needed: names of needed libraries: libasan.so.8, libclang_rt.asan-x86_64.so, ...
        symbols: names of imports, then exports (of a run time linked statically).
    """
    libraries = [name for name in needed if "san" in name]
    calls = {name for name in symbols if name.startswith(SANITIZER_CALLS)}
    if not libraries and not calls:
        return None
    for name, library, call in SANITIZERS:
        if any(f"lib{library}." in text or f"rt.{library}" in text for text in libraries):
            return name
        if any(text.startswith(call) for text in calls):
            return name
    return None


def texts(data: bytes) -> Iterator[str]:
    """The different texts of a section .comment, which are separated by NUL."""
    for text in dict.fromkeys(data.split(b"\0")):
        if text:
            yield decode(text)
