"""TrustedImage -> Library: the file's code is in this process, from the very bytes that were checked.

On Linux those bytes go into a sealed memory file (memfd) and that is what dlopen maps: whatever happens to
the file meanwhile, replaced, rewritten or cut off, what runs is what was checked, and a mapping cannot be cut
off under us (SIGBUS). It also makes a rebuilt plugin at the same path a new library, where dlopen would return
the old one. Elsewhere the path itself is opened.

A library is opened once a process for each content: two hosts that load the same bytes share it, as two
dlopen calls would, and a Go runtime is not started twice. Nothing is ever unmapped (see library.c).
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loader._core._ffi import ffi, lib
from loader.errors import ForkError, LibraryError

if TYPE_CHECKING:
    from loader.image import Image
    from loader.trust import TrustedImage

__all__ = ["Library", "open_library"]

_lock = threading.Lock()
_opened: dict[str, Library] = {}
if hasattr(os, "register_at_fork"):  # a child must not inherit the lock held by a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

#: Descriptors that dlopen was given as /proc/self/fd/N. It knows a library by that path as well: should the
#: application close them all, as daemons do, a new file under an old number would be taken for the old library.
_numbers: set[int] = set()

_ERROR_SIZE = 1024
_MFD_EXEC = 0x10  # Linux 6.3: without it, vm.memfd_noexec may make the file one that cannot be mapped to run


@dataclass(frozen=True, slots=True)
class Library:
    """An opened shared library. Valid as long as the process.

    `image` is what was checked; `handle` is the system's (a cffi ``void *``); `process` is the id of the one that
    opened it, which may be this one's parent.
    """

    image: Image
    handle: Any = field(repr=False, compare=False)
    process: int = field(default_factory=os.getpid, repr=False, compare=False)

    def address(self, symbol: str) -> int | None:
        """Where an exported symbol is, or None."""
        found = lib.library_symbol(self.handle, symbol.encode())
        return int(ffi.cast("uintptr_t", found)) or None


def open_library(trusted: TrustedImage) -> Library:
    """Maps a trusted file's bytes and runs its constructors.

    Raises:
        LibraryError: the system could not load it; the message says what is missing.
        ForkError: it has a Go runtime, which was started before this process was forked.
    """
    image = trusted.candidate.image
    with _lock:  # constructors run inside: two threads must not start the same library twice
        known = _opened.get(image.digest)
        if known is None:
            known = _opened[image.digest] = Library(image, _open(image))
        elif image.go and known.process != os.getpid():
            raise ForkError(
                "has a runtime of its own, which was started before this process was forked",
                path=image.path,
                cure="Start workers with multiprocessing's spawn or forkserver, or load it after the fork only",
            )
        return known


def _open(image: Image) -> Any:
    for neighbour in _neighbours(image):
        _dlopen(neighbour, image)
    if not hasattr(os, "memfd_create"):
        return _dlopen(image.path, image)
    sealed = _sealed_copy(image)
    try:
        handle = _dlopen(f"/proc/self/fd/{sealed}", image)
    except LibraryError:
        os.close(sealed)
        raise
    # The descriptor stays open for life: dlopen also knows a library by device and inode.
    _numbers.add(sealed)
    return handle


def _dlopen(path: str, image: Image) -> Any:
    error = ffi.new("char[]", _ERROR_SIZE)
    handle = lib.library_open(os.fsencode(path), error, _ERROR_SIZE)
    if handle == ffi.NULL:
        raise _explain(image, os.fsdecode(ffi.string(error)).replace(path, image.path))
    return handle


def _sealed_copy(image: Image) -> int | None:
    import fcntl  # noqa: PLC0415 - not there on Windows

    name = os.fsencode(os.path.basename(image.path))[:200]  # the system takes 249 bytes
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        try:
            descriptor = os.memfd_create(name, flags | _MFD_EXEC)
        except OSError:  # a kernel before 6.3 does not know the flag
            descriptor = os.memfd_create(name, flags)
    except OSError as error:
        raise LibraryError(
            "no memory file for its checked copy",
            path=image.path,
            found=str(error),
            cure="Raise the limits on memory and open files",
        ) from error
    try:
        rest = memoryview(image.data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        if descriptor in _numbers:
            used, descriptor = descriptor, fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(_numbers) + 1)
            os.close(used)
    except OSError as error:
        os.close(descriptor)
        raise LibraryError("its checked copy could not be sealed", path=image.path, found=str(error)) from error
    return descriptor


def _neighbours(image: Image) -> list[str]:
    """Libraries that it needs from folders named relative to itself.

    A copy in memory has no folder, so ``$ORIGIN`` would be /proc/self/fd. They are opened first, by their
    paths; the dynamic linker then finds them by their sonames.
    """
    folder = os.path.dirname(image.path)
    found = []
    for entry in image.runpath or image.rpath:
        if "ORIGIN" not in entry:
            continue
        place = entry.replace("${ORIGIN}", folder).replace("$ORIGIN", folder)
        for name in image.needed:
            path = os.path.join(place, name)
            if os.path.isfile(path):
                found.append(path)
    return found


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
            cure="Link the plugin with the library that defines it; -Wl,--no-undefined finds this when building",
        )
    if "version `" in text and "not found" in text:
        return LibraryError(
            "needs a newer system library than this machine has",
            path=image.path,
            found=text,
            cure="Build it on an older system, or update this one",
        )
    return LibraryError("could not be loaded", path=image.path, found=text)
