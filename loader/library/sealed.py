"""Checked bytes -> opened by the dynamic linker, from where nobody can change them.

On Linux that is a memory file, named after the plugin and sealed: not to be written to, cut off or unsealed, by
anybody; _core/library/library_sealed.c makes it and opens it in one step. Elsewhere, and where a sandbox forbids
memory files, a copy in a folder that only this user can enter, made for this process and removed at its end; on
Windows, which keeps what is mapped, at the start of a later process.

For development the file itself can be mapped, so that profilers find its symbols: _maps_files.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from loader._core._call import loading
from loader._core._ffi import ffi, lib
from loader.errors import LibraryError
from loader.image import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader._core._call import Owner
    from loader.image import Image

__all__ = ["MAP_FILES", "open_checked", "open_together"]

#: Environment variable; "1": a file that a policy asks nothing of is mapped itself, not a copy of it.
MAP_FILES: Final = "NATIVE_PLUGIN_LOADER_MAP_FILES"

_folder: str | None = None
_open_for_life: list[int] = []
_open, _open_sealed = lib.library_open, lib.library_open_sealed  # made now; see opened.py
_MEMORY = hasattr(os, "memfd_create")
#: By library_opened.step: what is said.
_FAILURES = {
    lib.LIBRARY_COPY: "no memory file for its checked copy (memfd_create)",
    lib.LIBRARY_SEAL: "its checked copy could not be written to a memory file",
    lib.LIBRARY_PATH: "its checked copy cannot be opened from memory, by its path in /proc",
    lib.LIBRARY_SIZE: "its checked copy would be larger than this process may write files",
}
_CURES = {
    errno.EMFILE: "Raise the limit on open files (ulimit -n), or close some",
    errno.ENFILE: "Raise the system's limit on open files (fs.file-max)",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f)",
    errno.ENOMEM: "Free memory, or raise the limit on it",
    errno.ENOSPC: "Free memory, or raise the limit on it",
    errno.EDQUOT: "Free memory, or raise the limit on it",
}
_LONG = (1 << 64) - 1  # numbers of files may be longer, on Windows
_PREFIX = "native-plugins-"
_IN_USE = "in-use"
#: Files that are mapped themselves, by device and inode: the digest of what was mapped.
_mapped: dict[tuple[int, int], str] = {}
#: How often a path was given to dlopen before.
_times: dict[str, int] = {}


def open_checked(image: Image, owner: Owner, opened: Any, *, strict: bool) -> tuple[bytes, str | None]:
    """Opens a copy of an image's bytes, and fills `opened`, a new cffi ``library_opened *``.

    `owner` stands in crash reports: constructors may crash as well as functions. `strict`: a policy asks for
    something. Returns the linker's path of it, and what the linker said if it refused, with the file's own path in
    it. Raises LibraryError if there could be no copy, TrustError if others could change it.
    """
    if MAP_FILES in os.environ and not strict and _maps_files(image, opened):
        path = _new_spelling(image.path)
        loading(owner, _open, path, opened)
        if opened.open:
            _mapped[opened.device, opened.inode] = image.digest
    elif not _MEMORY:
        path = _open_private(image, owner, opened, strict=strict, reason=None)
    else:
        data = image.data
        error = loading(owner, _open_sealed, os.fsencode(image.path), data, len(data), opened)
        if error:
            reason = _forbidden(image, opened, error)
            path = _open_private(image, owner, opened, strict=strict, reason=reason)
        else:
            path = ffi.string(opened.path)
    if opened.open:
        return path, None
    return path, os.fsdecode(ffi.string(opened.error).replace(path, os.fsencode(image.path)))


def open_together(
    copies: dict[Any, Image],
    owner: Owner,
    contents: Callable[[Image, dict[str, bytes]], bytes],
    known: dict[str, bytes],
    *,
    strict: bool,
) -> str | dict[str, bytes]:
    """Opens the first of several libraries, which need each other: the dynamic linker opens the others for it.

    Args:
        copies: a new cffi ``library_opened *`` for each, the first one for the plugin; all are filled.
        owner: stands in crash reports.
        contents: makes the bytes of a copy, given the paths of all copies by the paths of their files.
        known: paths of copies that are open already.
        strict: a policy asks for something.

    Returns the paths of the copies by the paths of their files, or what the dynamic linker said if it refused. Raises
    LibraryError if there could be no copy, TrustError if others could change one.
    """
    paths = dict(known)
    reserved = []
    reason = None
    try:
        for opened, image in copies.items():
            error = lib.library_reserve(os.fsencode(image.path), opened) if _MEMORY and reason is None else -1
            if error > 0:
                reason = _forbidden(image, opened, error)
            if error == 0:
                reserved.append(opened)
                paths[image.path] = ffi.string(opened.path)
            else:
                paths[image.path] = _private(image, reason)
        for opened, image in copies.items():
            data = contents(image, paths)
            if opened not in reserved:
                _write(image, paths[image.path], data, opened, strict=strict, reason=reason)
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


def _failure(image: Image, opened: Any, error: int) -> LibraryError:
    cure = _CURES.get(error)
    return LibraryError(_FAILURES[opened.step], path=image.path, found=os.strerror(error), cure=cure)


def _forbidden(image: Image, opened: Any, error: int) -> str:
    """Why there is no memory file, where a private copy may serve; raises LibraryError where a limit is the reason,
    which would hold for that too.
    """
    if error in _CURES:
        raise _failure(image, opened, error)
    return f"{_FAILURES[opened.step]}: {os.strerror(error)}"


def _maps_files(image: Image, opened: Any) -> bool:
    """Whether the file itself is to be mapped, which the user asks for; then notes in `opened` which file it is.

    Not one that was changed in place since it was mapped: dlopen would return what was there before.
    """
    if os.environ[MAP_FILES] != "1":
        return False
    try:
        status = os.stat(image.path)
    except OSError:
        return False
    file = status.st_dev & _LONG, status.st_ino & _LONG
    if status.st_size != image.size or _mapped.get(file, image.digest) != image.digest:
        return False
    opened.device, opened.inode = file
    return True


def _new_spelling(path: str) -> bytes:
    """The path as dlopen has not met it: it knows a library by its path too, whatever file is there by now."""
    folder, name = os.path.split(path)
    times = _times[path] = _times.get(path, -1) + 1
    return os.fsencode(os.path.join(folder, *["."] * times, name))


# ---- A copy in a folder of this user's ---------------------------------------------------------------------


def _open_private(image: Image, owner: Owner, opened: Any, *, strict: bool, reason: str | None) -> bytes:
    """Opens a private copy; its path. `reason`: why there is no memory file."""
    path = _private(image, reason)
    _write(image, path, image.data, opened, strict=strict, reason=reason)
    loading(owner, _open, path, opened)
    if reason is not None:  # on Linux: what is mapped needs no name
        with suppress(OSError):
            os.unlink(path)
            os.rmdir(os.path.dirname(path))
    if not opened.open and reason is not None and b"failed to map segment" in ffi.string(opened.error):
        raise LibraryError(
            "its checked copy could not be mapped, neither from memory nor from a folder",
            path=image.path,
            found=f"{os.fsdecode(ffi.string(opened.error))}; {reason}",
            cure="Allow memfd_create, or let TMPDIR name a folder that is not mounted noexec",
        )
    return path


def _private(image: Image, reason: str | None) -> bytes:
    """A new path for a private copy of an image, in a folder of its own."""
    global _folder  # noqa: PLW0603 - one folder a process
    try:
        if _folder is None or not os.path.isdir(_folder):
            _folder = _own_folder()
        folder = os.path.join(_folder, image.digest)
        while os.path.exists(folder):  # a try that the linker refused: Windows may still hold its file
            folder += "+"
        os.mkdir(folder, 0o700)
    except (OSError, ImportError) as error:  # no module can be imported after a chroot, for one
        raise _not_written(image, error, reason) from error
    return os.fsencode(os.path.join(folder, os.path.basename(image.path)))


def _not_written(image: Image, error: OSError | ImportError, reason: str | None) -> LibraryError:
    found = str(error) if reason is None else f"{error}; {reason}"
    cure = "Let TMPDIR name a folder that this user can write to"
    cure = _CURES.get(getattr(error, "errno", None) or 0, cure)
    return LibraryError("its checked copy could not be written", path=image.path, found=found, cure=cure)


def _write(image: Image, path: bytes, data: bytes, opened: Any, *, strict: bool, reason: str | None) -> None:
    """Writes the copy, and notes in `opened` which file it is."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        with open(os.open(path, flags, 0o700), "wb") as file:
            file.write(data)
        status = os.stat(path)
    except OSError as error:
        raise _not_written(image, error, reason) from error
    opened.device, opened.inode = status.st_dev & _LONG, status.st_ino & _LONG
    if strict and hasattr(os, "O_PATH"):  # elsewhere there is no way to see it; see permissions.py
        _judge(image, path, data)


def _judge(image: Image, path: bytes, data: bytes) -> None:
    """Where a policy asks for something, others must not be able to put another file in the copy's place."""
    from loader.trust.permissions import check_permissions  # noqa: PLC0415 - seldom wanted here

    copy = read_image(os.fsdecode(path), steps=True)
    check_permissions(image.path, copy.file.steps)
    if copy.data != data:
        raise LibraryError("its checked copy was changed", path=image.path, found=os.fsdecode(path))


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
