"""Checked bytes -> opened by the dynamic linker, from where nobody can change them.

On Linux that is a memory file, named after the plugin and sealed: not to be written to, cut off or unsealed, by
anybody; _core/library/library_sealed.c makes it and opens it in one step. Elsewhere a copy in a folder that only
this user can enter, made for this process and removed at its end; on Windows, which keeps what is mapped, at the
start of a later process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from loader._core._call import loading
from loader._core._ffi import ffi, lib
from loader.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader._core._call import Owner
    from loader.image import Image

__all__ = ["open_checked", "open_together"]

_folder: str | None = None
_open_for_life: list[int] = []
_open, _open_sealed = lib.library_open, lib.library_open_sealed  # made now; see library.py
_MEMORY = hasattr(os, "memfd_create")
_LIMITS = "Raise the limits on memory and open files; vm.memfd_noexec must be below 2"
#: By library_opened.step: what is said, and the cure.
_FAILURES = {
    1: ("no memory file for its checked copy", _LIMITS),
    2: ("its checked copy could not be sealed", None),
    3: ("cannot be opened from memory", "Mount /proc"),
}
_LONG = (1 << 64) - 1  # numbers of files may be longer, on Windows
_PREFIX = "native-plugins-"
_IN_USE = "in-use"


def open_checked(image: Image, owner: Owner, opened: Any) -> str | None:
    """Opens a copy of an image's bytes, and fills `opened`, a new cffi ``library_opened *``.

    `owner` stands in crash reports: constructors may crash as well as functions. Returns what the dynamic linker said
    if it refused, with the file's own path in it. Raises LibraryError if there could be no copy.
    """
    path = None
    if _MEMORY:
        data = image.data
        error = loading(owner, _open_sealed, os.fsencode(image.path), data, len(data), opened)
        if error:
            raise _failure(image, opened, error)
    else:
        path = _private(image)
        _write(image, path, image.data, opened)
        loading(owner, _open, path, opened)
    if opened.open:
        return None
    said, path = ffi.string(opened.error), path or ffi.string(opened.path)
    return os.fsdecode(said.replace(path, os.fsencode(image.path)))


def _failure(image: Image, opened: Any, error: int) -> LibraryError:
    what, cure = _FAILURES[opened.step]
    return LibraryError(what, path=image.path, found=os.strerror(error), cure=cure)


def open_together(
    copies: dict[Any, Image],
    owner: Owner,
    contents: Callable[[Image, dict[str, bytes]], bytes],
    known: dict[str, bytes],
) -> str | dict[str, bytes]:
    """Opens the first of several libraries, which need each other: the dynamic linker opens the others for it.

    Args:
        copies: a new cffi ``library_opened *`` for each, the first one for the plugin; all are filled.
        owner: stands in crash reports.
        contents: makes the bytes of a copy, given the paths of all copies by the paths of their files.
        known: paths of copies that are open already.

    Returns the paths of the copies by the paths of their files, or what the dynamic linker said if it refused. Raises
    LibraryError if there could be no copy.
    """
    paths = dict(known)
    reserved = []
    try:
        for opened, image in copies.items():
            if _MEMORY:
                error = lib.library_reserve(os.fsencode(image.path), opened)
                if error:
                    raise _failure(image, opened, error)
                reserved.append(opened)
                paths[image.path] = ffi.string(opened.path)
            else:
                paths[image.path] = _private(image)
        for opened, image in copies.items():
            data = contents(image, paths)
            if not _MEMORY:
                _write(image, paths[image.path], data, opened)
            elif error := lib.library_seal(data, len(data), opened):
                raise _failure(image, opened, error)
        first, *others = copies.items()
        loading(owner, _open, paths[first[1].path], first[0])
        if not first[0].open:
            said = os.fsdecode(ffi.string(first[0].error))
            for image in copies.values():
                said = said.replace(os.fsdecode(paths[image.path]), image.path)
            return said
        for opened, image in others:  # the linker has opened them: this only gets their handles
            _open(paths[image.path], opened)
        return paths
    finally:
        for opened in reserved:
            lib.library_settle(opened)


def _private(image: Image) -> bytes:
    """A new path for a private copy of an image, in a folder of its own."""
    global _folder  # noqa: PLW0603 - one folder a process
    if _folder is None or not os.path.isdir(_folder):
        _folder = _own_folder()
    try:
        folder = os.path.join(_folder, image.digest)
        while os.path.exists(folder):  # a try that the linker refused: Windows may still hold its file
            folder += "+"
        os.mkdir(folder, 0o700)
        return os.fsencode(os.path.join(folder, os.path.basename(image.path)))
    except OSError as error:
        raise _not_written(image, error) from error


def _not_written(image: Image, error: OSError) -> LibraryError:
    return LibraryError("its checked copy could not be written", path=image.path, found=str(error))


def _write(image: Image, path: bytes, data: bytes, opened: Any) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        with open(os.open(path, flags, 0o700), "wb") as file:
            file.write(data)
        status = os.stat(path)
    except OSError as error:
        raise _not_written(image, error) from error
    opened.device, opened.inode = status.st_dev & _LONG, status.st_ino & _LONG


def _own_folder() -> str:
    """A new folder for this process's copies. On Windows also removes those of processes that are gone: there a
    file that is open cannot be removed, which tells that its process still is.
    """
    import shutil  # noqa: PLC0415 - not wanted on Linux
    import tempfile  # noqa: PLC0415 - as above, and slow to import

    folder = tempfile.mkdtemp(prefix=_PREFIX)
    if os.name != "nt":
        import atexit  # noqa: PLC0415

        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    import glob  # noqa: PLC0415

    _open_for_life.append(os.open(os.path.join(folder, _IN_USE), os.O_WRONLY | os.O_CREAT))
    for other in glob.glob(os.path.join(glob.escape(os.path.dirname(folder)), _PREFIX + "*")):
        try:
            os.unlink(os.path.join(other, _IN_USE))
        except OSError:
            continue
        shutil.rmtree(other, ignore_errors=True)
    return folder
