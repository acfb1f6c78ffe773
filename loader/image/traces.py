"""What compilers and runtimes leave behind in every format: Go, rustc, sanitizers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from loader.image.cursor import Cursor, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Begins the section .go.buildinfo (Go's debug/buildinfo), on a boundary of 16 bytes.
GO_MAGIC: Final = b"\xff Go buildinf:"
#: Exported by every shared library that cgo made, unless a version script hides them.
GO_SYMBOLS: Final = frozenset({"crosscall2", "_cgo_topofstack", "_cgo_panic"})
#: Most bytes of Go's build information that are read, and its line with the build mode.
GO_MAX: Final = 1 << 20
GO_MODE: Final = re.compile(rb"^build\t-buildmode=([a-z-]{1,20})$", re.MULTILINE)
#: Exports of what takes part in Go's own plugins (before Go 1.20 the first dot stood for the colon), and of those
#: files that have a package main: Go 1.21 and later, and earlier.
GO_HASHES: Final = frozenset({"go:link.pkghash.runtime", "go.link.pkghash.runtime"})
GO_MAIN: Final = frozenset({"go:main.inittasks", "main..inittask"})
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


class GoBuild(NamedTuple):
    """How Go built a file, as the file says it; each None where it does not."""

    version: str | None
    mode: str | None


def go_build(cursor: Cursor, ranges: Iterable[tuple[int, int]], exports: frozenset[str]) -> GoBuild | None:
    """The Go build information inside ranges (offset, size); None if there is none.

    It says the version since Go 1.18, and the build mode if `go build` linked the file: build systems that call
    Go's linker themselves leave that out. Then the exports tell what was built to be opened by a program in Go.
    """
    at = _find(cursor, GO_MAGIC, ranges)
    if at < 0:
        return None
    # The text is between two marks of 16 bytes, as lines; byte 15 bit 1: it and the version follow.
    data = cursor.take(at, min(GO_MAX, cursor.size - at), "Go build information")
    version = settings = b""
    if len(data) >= 33 and data[15] & 2:
        version, rest = _go_text(data, 32)
        settings, _ = _go_text(data, rest)
    mode = GO_MODE.search(settings)
    text = decode(version)
    return GoBuild(
        text if text.startswith(("go", "devel")) else None,
        decode(mode[1]) if mode else "plugin" if _is_go_plugin(exports) else None,
    )


def _go_text(data: bytes, at: int) -> tuple[bytes, int]:
    """A text behind its length (a varint of at most 3 bytes: more is not worth reading), and where it ends."""
    length = shift = 0
    for byte in data[at : at + 3]:
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return data[at : at + length], at + length
    return b"", len(data)


def _is_go_plugin(exports: frozenset[str]) -> bool:
    """Whether exports are those of -buildmode=plugin: all of Go's packages, with a hash for each, but no package
    main, which is called by the plugin's path there. (A library that opens such plugins itself has the hashes too.)
    """
    return not GO_HASHES.isdisjoint(exports) and GO_MAIN.isdisjoint(exports)


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
