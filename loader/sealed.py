"""Checked bytes -> a path that the dynamic linker opens and that nobody can change.

On Linux a memory file, named after the plugin and sealed: not to be written to, cut off or unsealed, by
anybody. Elsewhere a copy in a folder that only this user can enter, made for this process and removed at its
end; on Windows, which keeps what is mapped, at the start of a later process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from loader._core._ffi import ffi, lib
from loader.errors import LibraryError

if TYPE_CHECKING:
    from loader.image import Image

__all__ = ["Copy", "copy_of"]

#: Descriptors that dlopen was given as /proc/N/fd/N. It knows a library by that path as well: should the
#: application close them all, as daemons do, a new file under an old number would be taken for the old
#: library.
_numbers: set[int] = set()
_folder: str | None = None
_open_for_life: list[int] = []
_COPY, _native_seal = ffi.typeof("library_copy *"), lib.library_seal  # made now; see library.py
_COPY_FIELDS = _COPY.item.fields  # the same
_NO_DESCRIPTOR = (-1,)  # the first field's value
_LIMITS = "Raise the limits on memory and open files; vm.memfd_noexec must be below 2"
#: By library_copy.step: what is said, and the cure.
_FAILURES = {
    1: ("no memory file for its checked copy", _LIMITS),
    2: ("its checked copy could not be sealed", None),
    3: ("cannot be opened from memory", "Mount /proc"),
}
_PREFIX = "native-plugins-"
_IN_USE = "in-use"


class Copy(NamedTuple):
    """What dlopen is given: a path, the descriptor behind it (or None), and the (device, inode) that it maps."""

    path: bytes
    descriptor: int | None
    file: tuple[int, int]

    def keep(self) -> None:
        """It is opened next: the descriptor stays open for life, as dlopen also knows a library by device and
        inode.
        """
        if self.descriptor is not None:
            _numbers.add(self.descriptor)

    def drop(self) -> None:
        """It was refused."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            _numbers.discard(self.descriptor)


def copy_of(image: Image) -> Copy:
    """A copy of an image's bytes. Raises LibraryError."""
    if not hasattr(os, "memfd_create"):
        return _private(image)
    path, data, made = os.fsencode(image.path), image.data, ffi.new(_COPY, _NO_DESCRIPTOR)
    try:
        error = _native_seal(path, data, len(data), 0, made)
        if made.descriptor in _numbers:
            used, least = made.descriptor, max(_numbers) + 1
            made.descriptor = -1
            os.close(used)
            error = _native_seal(path, data, len(data), least, made)
        if error:
            what, cure = _FAILURES[made.step]
            raise LibraryError(what, path=image.path, found=os.strerror(error), cure=cure)
        return Copy(ffi.string(made.path), made.descriptor, (made.device, made.inode))
    except BaseException:
        if made.descriptor >= 0:
            os.close(made.descriptor)
        raise


def _private(image: Image) -> Copy:
    global _folder  # noqa: PLW0603 - one folder a process
    if _folder is None or not os.path.isdir(_folder):
        _folder = _own_folder()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        folder = os.path.join(_folder, image.digest)
        while os.path.exists(folder):  # a try that the linker refused: Windows may still hold its file
            folder += "+"
        os.mkdir(folder, 0o700)
        path = os.path.join(folder, os.path.basename(image.path))
        with open(os.open(path, flags, 0o700), "wb") as file:
            file.write(image.data)
        status = os.stat(path)
        return Copy(os.fsencode(path), None, (status.st_dev, status.st_ino))
    except OSError as error:
        raise LibraryError(
            "its checked copy could not be written", path=image.path, found=str(error)
        ) from error


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
