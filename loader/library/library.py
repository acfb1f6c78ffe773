"""TrustedImage -> Library: the file's code is in this process, from the very bytes that were checked.

Those bytes are copied to where nobody can change them (sealed.py) and that is what dlopen maps: whatever
happens to the file meanwhile, replaced, rewritten or cut off, what runs is what was checked, and a mapping
cannot be cut off under us (SIGBUS). It also makes a rebuilt plugin at the same path a new library, where
dlopen would return the old one. Libraries that lie beside the plugin go the same way first, under the same
policy.

A library is opened once a process for each content: two hosts that load the same bytes share it, as two
dlopen calls would, and a Go runtime is not started twice. Nothing is ever unmapped (see library.c).

Debuggers and crash reports: `mappings` says which addresses belong to which file, and docs/security.md how
gdb finds it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loader._core._call import Owner
from loader._core._ffi import ffi, lib
from loader.errors import ForkError, LibraryError
from loader.library.neighbours import neighbours_of
from loader.library.sealed import open_checked
from loader.trust import NAMED, check_image, check_place
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from loader._core._call import Services
    from loader.image import Image
    from loader.library.neighbours import Neighbour
    from loader.trust import Policy, TrustedImage

__all__ = ["Library", "Mapping", "go_runtimes", "mappings", "open_library", "owner_of"]

_lock = threading.Lock()
_opened: dict[str, Library] = {}
if hasattr(
    os, "register_at_fork"
):  # a child must not inherit the lock held by a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

# cffi reads a type's name, and makes a function of the C side, at first use: now, not on every process's first load.
_OPENED, _native_symbol = ffi.typeof("library_opened *"), lib.library_symbol
_OPENED_FIELDS = _OPENED.item.fields  # the same
_MANY = 1 << 18  # bytes of a file


@dataclass(frozen=True, slots=True)
class Library:
    """An opened shared library. Valid as long as the process.

    `image` is what was checked, mostly without its bytes; `opened` is the C side's (a cffi ``library_opened *``);
    `neighbours` are the libraries from beside it that were opened for it.
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
    by_file = {library.file: library for library in list(_opened.values())}
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


def go_runtimes() -> list[Library]:
    """The libraries opened here that have a Go runtime each, oldest first."""
    return [library for library in list(_opened.values()) if library.image.go]


def owner_of(
    image: Image, name: str | None = None, services: Services | None = None, max_output: int | None = None
) -> Owner:
    """A file's plugin as the C side knows it, from its constructors on.

    `name`: if not the file's. `services`: what is lent to it. `max_output`: the most bytes that one call may write.
    """
    file = image.file
    return Owner(name or plugin_name(file.path), file.path, services, max_output, not image.go, file.digest)


def open_library(
    trusted: TrustedImage, owner: Owner, *, one_go: bool = False, forked: bool = False
) -> Library:
    """Maps a trusted file's bytes and runs its constructors.

    `owner`: whose they are, in crash reports; see owner_of. `one_go`: refuse a second Go runtime in this process;
    otherwise a warning is logged. `forked`: return a library with a Go runtime that was started before the fork,
    which must not be called.

    Raises:
        LibraryError: the system could not load it; the message says what is missing.
        TrustError: the policy does not allow a library that lies beside it and that it needs.
        ForkError: it has a Go runtime, which was started before this process was forked.
    """
    image = trusted.candidate.image
    with _lock:  # constructors run inside: two threads must not start the same library twice
        known = _known(image.digest)
        if known is None:
            if image.go:
                _look_for_go(image, refuse=one_go)
            known = _open(image, owner, trusted.policy, strict=trusted.checks != NAMED, needed_by=())
        else:
            _check_again(known, trusted.policy)
        if image.go and known.inherited and not forked:
            raise ForkError(
                "has a runtime of its own, which was started before this process was forked",
                path=image.path,
                cure="Start workers with multiprocessing's spawn or forkserver, or load it after the fork",
            )
        return known


def _known(digest: str) -> Library | None:
    """The library of these bytes, if it is open: one that was refused may still be there after a Ctrl-C."""
    known = _opened.get(digest)
    return known if known is not None and known.opened.open else None


def _look_for_go(image: Image, *, refuse: bool) -> None:
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
    import logging  # noqa: PLC0415 - slow to import, and seldom wanted here

    logging.getLogger("loader.library").warning(
        "%s is the second Go runtime in this process, beside that of %s. Go does not support several "
        "c-shared libraries in one process: it may work, crash or hang (golang/go#65050, #18976). %s.",
        image.path, others[0].image.path, cure,
    )  # fmt: skip


def _check_again(library: Library, policy: Policy) -> None:
    """Its neighbours are here already; another policy may not allow them."""
    for neighbour in library.neighbours:
        check_image(neighbour.image, policy)
        _check_again(neighbour, policy)


def _open(
    image: Image, owner: Owner, policy: Policy, *, strict: bool, needed_by: tuple[str, ...]
) -> Library:
    neighbours = []
    for neighbour in neighbours_of(image, strict=strict):
        if not neighbour.beside:
            check_place(neighbour.image, policy)  # the linker opens it by its path
        elif neighbour.image.digest not in needed_by:  # libraries may need each other
            here = (*needed_by, image.digest)
            neighbours.append(_open_neighbour(image, neighbour, policy, strict=strict, needed_by=here))
    opened = ffi.new(_OPENED)
    # Its bytes have done their work, and if they are many they go; few are not worth the time. Those of a neighbour
    # stay: they may be judged once more, by another plugin's policy.
    facts = image if needed_by or image.size < _MANY else image.without_bytes()
    library, digest = Library(facts, opened, tuple(neighbours)), image.digest
    _opened[digest] = library  # now: once it is loaded, memory must not run out before it is known
    try:
        refusal = open_checked(image, owner, opened)
    finally:
        if not opened.open:
            del _opened[digest]
    if refusal is not None:
        raise _explain(image, refusal)
    return library


def _open_neighbour(
    image: Image, neighbour: Neighbour, policy: Policy, *, strict: bool, needed_by: tuple[str, ...]
) -> Library:
    """Opens a library for the one that needs it: the dynamic linker will find it among those loaded, by its
    soname.
    """
    check_image(neighbour.image, policy)
    name = _known_as(neighbour.image)
    if image.machine.format != "pe" and name != neighbour.name:
        raise LibraryError(
            f"needs {neighbour.name} from beside it, which does not say that this is its name",
            path=image.path,
            expected=f"soname {neighbour.name} in {neighbour.image.path}",
            found=f"soname {neighbour.image.soname}" if neighbour.image.soname else "no soname",
            cure=f"Link that library with -Wl,-soname,{neighbour.name}",
        )
    for other in _opened.values():
        if _known_as(other.image) == name and other.image.digest != neighbour.image.digest:
            raise LibraryError(
                f"needs {neighbour.name} from beside it, but another library of that name is loaded",
                path=image.path,
                expected=f"{neighbour.image.path}, SHA-256 {neighbour.image.digest}",
                found=f"{other.image.path}, SHA-256 {other.image.digest}",
                cure="Give the library a name of its own, or link it into the plugin",
            )
    known = _known(neighbour.image.digest)
    if known is not None:
        _check_again(known, policy)
        # The same bytes; but it is the way to this file that policies ask for.
        return replace(known, image=neighbour.image)
    owner = owner_of(neighbour.image)
    return _open(neighbour.image, owner, policy, strict=strict, needed_by=needed_by)


def _known_as(image: Image) -> str | None:
    """The name by which the dynamic linker finds a library among those loaded."""
    return os.path.basename(image.path).lower() if image.machine.format == "pe" else image.soname


def _explain(image: Image, text: str) -> LibraryError:
    """The dynamic linker's text, with who needs what and what to do."""
    if "cannot open shared object file" in text:
        missing = text.split(":", 1)[0]
        return LibraryError(
            f"needs the library {missing}, which is not found",
            path=image.path,
            found=text,
            cure=f"Install {missing}, or put it beside the plugin and link with -Wl,-rpath,'$ORIGIN'",
        )
    if "undefined symbol" in text:
        return LibraryError(
            "needs a symbol that no library has",
            path=image.path,
            found=text,
            cure="Link it with the library that defines the symbol; -Wl,--no-undefined tells when building",
        )
    if "version `" in text and "not found" in text:
        return LibraryError(
            "needs a newer system library than this machine has",
            path=image.path,
            found=text,
            cure="Build it on an older system, or update this one",
        )
    for code, what, cure in _WINDOWS:
        if text.startswith(f"Windows error {code}"):
            return LibraryError(what, path=image.path, expected=_needs(image), found=text, cure=cure)
    return LibraryError("could not be loaded", path=image.path, found=text)


#: Windows does not say which library or function it looked for in vain.
_WINDOWS = (
    (126, "needs a library that is not found", "Put the one that is missing beside the plugin, or install it"),
    (127, "needs a function that a library does not have", "Update that library, or build against an older one"),
    (1114, "its own code failed when it was loaded", "Ask its author: a constructor or DllMain gave up"),
)


def _needs(image: Image) -> str:
    return f"what it needs: {', '.join(image.needed) or 'no library'}"
