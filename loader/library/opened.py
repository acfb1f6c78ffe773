"""The libraries that are open in this process: which there are, where they are mapped, and how one is opened.

Whoever changes anything here holds the lock of library.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loader._core._call import Owner
from loader._core._ffi import ffi, lib
from loader.errors import LibraryError
from loader.image.loaded import note_brought
from loader.library.refusal import explain
from loader.library.sealed import open_checked
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from loader._core._call import Services
    from loader.image import Image

__all__ = [
    "OPENED",
    "Library",
    "Mapping",
    "claim",
    "go_runtimes",
    "known",
    "libraries",
    "look_for_go",
    "mapped_bytes",
    "mappings",
    "open_one",
    "opening",
    "owner_of",
]

#: By digest, and what comes along (identity.py).
libraries: dict[str, Library] = {}
#: What is being opened, by the same keys, outermost first.
opening: list[str] = []

# cffi reads a type's name, and makes a function of the C side, at first use: now, not on every process's first load.
OPENED, _native_symbol = ffi.typeof("library_opened *"), lib.library_symbol
_OPENED_FIELDS = OPENED.item.fields  # the same
_MANY = 1 << 18  # bytes of a file


@dataclass(frozen=True, slots=True)
class Library:
    """An opened shared library. Valid as long as the process.

    `image` is what was checked, mostly without its bytes; `opened` is the C side's (a cffi ``library_opened *``);
    `neighbours` are the libraries that were opened from copies for it.
    """

    image: Image
    opened: Any = field(repr=False, compare=False)
    neighbours: tuple[Library, ...] = field(default=(), repr=False, compare=False)

    @property
    def inherited(self) -> bool:
        """Opened before this process was forked, by its parent."""
        process: int = self.opened.process
        return process != os.getpid()

    @property
    def file(self) -> tuple[int, int]:
        """(device, inode) of the copy that is mapped."""
        return self.opened.device, self.opened.inode

    def address(self, symbol: str) -> int | None:
        """Where an exported symbol is, or None."""
        found: int = _native_symbol(self.opened, symbol.encode())
        return found or None


@dataclass(frozen=True, slots=True)
class Mapping:
    """Addresses from `begin` to before `end` are bytes of a library, from byte `offset` of its file on."""

    begin: int
    end: int
    offset: int
    library: Library

    @property
    def path(self) -> str:
        """The file that the library was loaded from."""
        return self.library.image.path


def mappings() -> list[Mapping]:
    """Which addresses of this process belong to which opened library, in order; empty where there is no
    /proc.
    """
    by_file = {library.file: library for library in list(libraries.values())}
    by_file.pop((0, 0), None)  # one whose copy is being made: what is mapped of no file has these
    found = []
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                addresses, _, offset, device, inode, *_ = line.split(maxsplit=5)
                major, minor = (int(number, 16) for number in device.split(":"))
                library = by_file.get((os.makedev(major, minor), int(inode)))
                if library is not None:
                    begin, end = (int(number, 16) for number in addresses.split("-"))
                    found.append(Mapping(begin, end, int(offset, 16), library))
    except FileNotFoundError:
        pass
    return found


def mapped_bytes() -> int:
    """How much of the address space plugins' libraries take; where there is no /proc, the sizes of their files."""
    found = sum(each.end - each.begin for each in mappings())
    return found or sum(library.image.size for library in list(libraries.values()))


def go_runtimes() -> list[Library]:
    """The libraries opened here that have a Go runtime each, oldest first."""
    return [library for library in list(libraries.values()) if library.image.go]


def owner_of(
    image: Image, name: str | None = None, services: Services | None = None, max_output: int | None = None
) -> Owner:
    """A file's plugin as the C side knows it, from its constructors on.

    `name`: if not the file's. `services`: what is lent to it. `max_output`: the most bytes that one call may write.
    """
    file = image.file
    return Owner(name or plugin_name(file.path), file.path, services, max_output, not image.go, file.digest)


def known(key: str) -> Library | None:
    """The library of this key, if it is open: one that was refused may still be there after a Ctrl-C."""
    library = libraries.get(key)
    return library if library is not None and library.opened.open else None


def look_for_go(image: Image, warnings: list[str], *, refuse: bool) -> None:
    """Says what upstream says of a second Go runtime."""
    others = go_runtimes()
    if not others:
        return
    cure = "Build all that is written in Go into one plugin, or load it in a process of its own"
    if refuse:
        raise LibraryError(
            "would be the second Go runtime here, which Go does not support (golang/go#65050, #18976)",
            path=image.path,
            found=f"the Go runtime of {others[0].image.path}",
            cure=cure,
        )
    warnings.append(
        f"{image.path} is the second Go runtime in this process, beside that of {others[0].image.path}. Go does not "
        "support several c-shared libraries in one process: it may work, crash or hang (golang/go#65050, #18976). "
        f"{cure}."
    )


def claim(image: Image, *keys: str) -> None:
    """Says that these are being opened now, or raises LibraryError: this very thread is at it already."""
    if any(key in opening for key in keys):
        raise LibraryError(
            "is being opened by this very thread, and is loaded once more by what runs meanwhile",
            path=image.path,
            cure="Load it from elsewhere than its own constructors, a signal handler, __del__ or audit hook",
        )
    opening.extend(keys)


def open_one(image: Image, owner: Owner, key: str, neighbours: tuple[Library, ...] = (), *, strict: bool) -> Library:
    """Opens a copy of an image, and enters it under `key`. `strict`: a policy asks for something.

    Raises what sealed.open_checked raises, and LibraryError if the dynamic linker refuses it.
    """
    claim(image, key)
    opened = ffi.new(OPENED)
    # Its bytes have done their work, and if they are many they go; few are not worth the time.
    facts = image if image.size < _MANY else image.without_bytes()
    library = libraries[key] = Library(facts, opened, neighbours)  # now: once it is loaded, memory must not run out
    try:
        path, refusal = open_checked(image, owner, opened, strict=strict)
    finally:
        if not opened.open:
            del libraries[key]
    if refusal is not None:
        raise explain(image, refusal)
    if image.soname:  # by which the linker would find it for somebody else
        note_brought(os.fsdecode(path), (image.soname,), image.digest)
    return library
