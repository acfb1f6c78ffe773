"""Checked bytes -> a path that the dynamic linker opens and that nobody can change.

On Linux a memory file, named after the plugin and sealed: not to be written to, cut off or unsealed, by
anybody. Elsewhere a copy in a folder that only this user can enter, made for this process and removed at its
end; on Windows, which keeps what is mapped, at the start of a later process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader._core._ffi import lib
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
_native_seal = lib.library_seal  # made now; see library.py
_PREFIX = "native-plugins-"
_IN_USE = "in-use"

_MFD_EXEC = 0x10  # Linux 6.3: without it, vm.memfd_noexec may make the file one that cannot be mapped to run


class Copy:
    """What dlopen is given: a path, the descriptor behind it (or None), and the (device, inode) that it
    maps.
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor
        status = os.stat(path) if descriptor is None else os.fstat(descriptor)
        self.file = status.st_dev, status.st_ino

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
    descriptor = _sealed(image)
    # Not /proc/self: a debugger opens the path too, from a process of its own. The link says the process's
    # number as this /proc counts, which os.getpid does not in a container that sees its host's /proc.
    try:
        process = os.readlink("/proc/self")
        return Copy(f"/proc/{process}/fd/{descriptor}", descriptor)
    except BaseException as error:
        os.close(descriptor)
        if not isinstance(error, OSError):
            raise
        found, cure = str(error), "Mount /proc"
        raise LibraryError("cannot be opened from memory", path=image.path, found=found, cure=cure) from error


def _sealed(image: Image) -> int:
    name = os.fsdecode(os.fsencode(os.path.basename(image.path))[:200])  # the system takes 249 bytes
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
        written = os.write(descriptor, image.data)
        while written < image.size:  # 2 GiB - 4 KiB at once is the most
            written += os.write(descriptor, memoryview(image.data)[written:])
        failed = _native_seal(descriptor)
        if failed:
            raise OSError(failed, os.strerror(failed))
        if descriptor in _numbers:
            used, descriptor = descriptor, _above(descriptor, max(_numbers) + 1)
            os.close(used)
    except BaseException as error:
        os.close(descriptor)
        if not isinstance(error, OSError):
            raise
        raise LibraryError(
            "its checked copy could not be sealed", path=image.path, found=str(error)
        ) from error
    return descriptor


def _above(descriptor: int, least: int) -> int:
    """The same memory file under the first free number from `least` on."""
    import fcntl  # noqa: PLC0415 - slow to import, and seldom wanted here

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


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
        return Copy(path, None)
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
