"""TrustedImage -> Library: the file's code is in this process, from the very bytes that were checked.

Those bytes are copied to where nobody can change them (sealed.py) and that is what dlopen maps: whatever
happens to the file meanwhile, replaced, rewritten or cut off, what runs is what was checked, and a mapping
cannot be cut off under us (SIGBUS). It also makes a rebuilt plugin at the same path a new library, where
dlopen would return the old one. The libraries that it brings along are copied too (see trust/members.py), and the
copies name each other by path (pinned.py): the dynamic linker opens them, in its own order, cycles included.

A library is its bytes and what comes along with it. It is opened once a process: two hosts that load the same bytes
with the same libraries share it, as two dlopen calls would, and a Go runtime is not started twice. The same plugin
beside other libraries is another one. Nothing is ever unmapped (see library.c).

Debuggers and crash reports: `mappings` says which addresses belong to which file, and docs/security.md how
gdb finds it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from sys import audit
from typing import TYPE_CHECKING, Any

from loader._core._call import Owner
from loader._core._ffi import ffi, lib
from loader.errors import ForkError, LibraryError
from loader.image.loaded import conflicts, note_brought
from loader.image.sanitizer import BUILD_WITHOUT, RULE, lacks_runtime
from loader.library.refusal import explain
from loader.library.sealed import open_checked, open_together
from loader.lock import Lock
from loader.trust import asks_nothing
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from loader._core._call import Services
    from loader.image import Image
    from loader.trust import TrustedImage
    from loader.trust.members import Resolved

__all__ = ["Library", "Mapping", "go_runtimes", "mappings", "open_library", "owner_of"]

#: Around all that opens a library: two threads must not start the same one twice. Constructors, signal handlers and
#: audit hooks may come back on the thread that is inside; see loader/lock.py.
_lock = Lock()
_opened: dict[str, Library] = {}
_copies: dict[str, bytes] = {}  # paths of those that came along with a plugin, or brought others, by the same keys
_opening: list[str] = []  # what is being opened, by the same keys, outermost first

# cffi reads a type's name, and makes a function of the C side, at first use: now, not on every process's first load.
_OPENED, _native_symbol = ffi.typeof("library_opened *"), lib.library_symbol
_OPENED_FIELDS = _OPENED.item.fields  # the same
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
    image, resolved = trusted.candidate.image, trusted.resolved
    strict = not asks_nothing(trusted.policy)
    audit("loader.open", image.path, image.digest)
    if resolved is not None:
        _check_libraries(resolved)
    warnings: list[str] = []
    outer = 0
    again = _lock.inside()
    try:
        other = None if again else _lock.acquire(f"loads {image.path}")
        if other is not None:
            raise LibraryError(
                "waits for another thread, which does not come to an end",
                path=image.path,
                found=f"it {other}",
                cure="Look what its constructors, a signal handler, audit hook or lock of the application wait for",
            )
        # In a forked child the list may be that of a thread which only the parent has.
        outer = len(_opening) if again else 0
        del _opening[outer:]
        known = _known(image.digest) if resolved is None else None
        if resolved is not None:
            known = _open_resolved(resolved, owner, warnings, one_go=one_go, strict=strict)
        elif known is None:
            if image.go:
                _look_for_go(image, warnings, refuse=one_go)
            known = _open(image, owner, image.digest, strict=strict)
    finally:
        if again:
            del _opening[outer:]
        else:  # what is left in the list is taken out by who comes next
            try:  # noqa: SIM105 - one step of C: see Lock
                _lock.leave()
            except RuntimeError:  # it was not inside
                pass
    if warnings:  # now: a log handler may load a plugin, or wait for a thread that does
        import logging  # noqa: PLC0415 - slow to import, and seldom wanted here

        for warning in warnings:
            logging.getLogger("loader.library").warning("%s", warning)
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


def _look_for_go(image: Image, warnings: list[str], *, refuse: bool) -> None:
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


def _claim(image: Image, *keys: str) -> None:
    """Says that these are being opened now, or raises LibraryError: this very thread is at it already."""
    if any(key in _opening for key in keys):
        raise LibraryError(
            "is being opened by this very thread, and is loaded once more by what runs meanwhile",
            path=image.path,
            cure="Load it from elsewhere than its own constructors, a signal handler, __del__ or audit hook",
        )
    _opening.extend(keys)


def _check_libraries(resolved: Resolved) -> None:
    """What is asked of the libraries that come along, before any of them is opened."""
    for each in (*resolved.sealed, *resolved.by_path):
        if each.sanitizer is not None and lacks_runtime(each):  # of plugins themselves the handshake says it
            what, expected = RULE
            found = f"-fsanitize={each.sanitizer}"
            raise LibraryError(what, path=each.path, expected=expected, found=found, cure=BUILD_WITHOUT)
        audit("loader.open", each.path, each.digest)


def _open(
    image: Image, owner: Owner, key: str, neighbours: tuple[Library, ...] = (), *, strict: bool
) -> Library:
    _claim(image, key)
    opened = ffi.new(_OPENED)
    # Its bytes have done their work, and if they are many they go; few are not worth the time.
    facts = image if image.size < _MANY else image.without_bytes()
    library = _opened[key] = Library(facts, opened, neighbours)  # now: once it is loaded, memory must not run out
    try:
        path, refusal = open_checked(image, owner, opened, strict=strict)
    finally:
        if not opened.open:
            del _opened[key]
    if refusal is not None:
        raise explain(image, refusal)
    if image.soname:  # by which the linker would find it for somebody else
        note_brought(os.fsdecode(path), (image.soname,), image.digest)
    return library


# ---- What comes along --------------------------------------------------------------------------------------


def _open_resolved(
    resolved: Resolved, owner: Owner, warnings: list[str], *, one_go: bool, strict: bool
) -> Library:
    """The library of a plugin and what it brings along: the one that is open, or a new one."""
    from loader.library.identity import identities  # noqa: PLC0415 - most plugins come alone

    image = resolved.closure.image
    keys = identities(resolved)
    known = _known(keys[image.path])
    if known is not None:
        return known
    for each in (image, *resolved.sealed):
        if each.go and _known(keys[each.path]) is None:
            _look_for_go(each, warnings, refuse=one_go)
    if image.machine.format == "pe":
        return _open_in_turn(resolved, owner, keys, strict=strict)
    together = resolved.sealed or resolved.pinned
    if together:
        library = _open_together(resolved, owner, keys, strict=strict)
    else:
        library = _open(image, owner, keys[image.path], strict=strict)
    for each in resolved.by_path:
        note_brought(each.path, (each.path, each.soname), each.digest)
    return library


def _open_together(resolved: Resolved, owner: Owner, keys: dict[str, str], *, strict: bool) -> Library:
    """Opens copies that name each other."""
    from loader.library.pinned import pinned, targets  # noqa: PLC0415 - as above

    image = resolved.closure.image
    known = {each.path: _known(keys[each.path]) for each in resolved.sealed}
    there = {path: copy for path, each in known.items() if each is not None and (copy := _copy_of(each, keys[path]))}
    _claim(image, *(keys[each.path] for each in (image, *resolved.sealed) if each.path not in there))
    copies = {ffi.new(_OPENED): each for each in (image, *resolved.sealed) if each.path not in there}
    made = {each.path: Library(each.without_bytes(), opened) for opened, each in copies.items()}
    along = tuple(made.get(path) or each for path, each in known.items())
    neighbours = tuple(each for each in along if each is not None)
    library = made[image.path] = replace(made[image.path], neighbours=neighbours)
    _opened.update((keys[path], each) for path, each in made.items())
    try:
        paths = open_together(
            copies, owner, lambda each, paths: pinned(each, targets(resolved, each, paths)), there, strict=strict
        )
    finally:
        for path, each in made.items():
            if not each.opened.open:
                del _opened[keys[path]]
    if isinstance(paths, str):
        raise explain(image, paths)
    for path, each in made.items():
        _copies[keys[path]] = paths[path]
        note_brought(os.fsdecode(paths[path]), (path, each.image.soname), each.image.digest)
    return library


def _copy_of(library: Library, key: str) -> bytes:
    """The path of a library's copy; empty if it is not known."""
    path: bytes = _copies.get(key) or ffi.string(library.opened.path)
    return path


def _open_in_turn(resolved: Resolved, owner: Owner, keys: dict[str, str], *, strict: bool) -> Library:
    """For Windows, which finds a DLL among those that are loaded by its file's name: what needs none comes first."""
    image = resolved.closure.image
    along = []
    for each in reversed(resolved.sealed):
        name = os.path.basename(each.path).lower()
        if conflicts(name, digest=each.digest):
            raise LibraryError(
                f"needs {os.path.basename(each.path)} from beside it, but another library of that name is loaded",
                path=image.path,
                expected=f"{each.path}, SHA-256 {each.digest}",
                found="one with other contents",
                cure="Give the library a name of its own, or link it into the plugin",
            )
        along.append(_known(keys[each.path]) or _open(each, owner_of(each), keys[each.path], strict=strict))
        note_brought(each.path, (name,), each.digest)
    return _open(image, owner, keys[image.path], tuple(along), strict=strict)
