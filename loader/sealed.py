"""Checked bytes -> a path that the dynamic linker opens and that nobody can change.

On Linux a memory file, named after the plugin and sealed: not to be written to, cut off or unsealed, by
anybody. Elsewhere a copy in a folder that only this user can enter, made for this process and removed at its
end.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from loader.errors import LibraryError

if TYPE_CHECKING:
    from loader.image import Image

__all__ = ["Copy", "copy_of"]

#: Descriptors that dlopen was given as /proc/N/fd/N. It knows a library by that path as well: should the
#: application close them all, as daemons do, a new file under an old number would be taken for the old
#: library.
_numbers: set[int] = set()
_folder: str | None = None

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
        """It was opened: the descriptor stays open for life, as dlopen also knows a library by device and
        inode.
        """
        if self.descriptor is not None:
            _numbers.add(self.descriptor)

    def drop(self) -> None:
        """It was refused."""
        if self.descriptor is not None:
            os.close(self.descriptor)


def copy_of(image: Image) -> Copy:
    """A copy of an image's bytes. Raises LibraryError."""
    if not hasattr(os, "memfd_create"):
        return _private(image)
    descriptor = _sealed(image)
    # Not /proc/self: a debugger opens the path too, from a process of its own. The link says the process's
    # number as this /proc counts, which os.getpid does not in a container that sees its host's /proc.
    try:
        process = os.readlink("/proc/self")
    except OSError as error:
        os.close(descriptor)
        found, cure = str(error), "Mount /proc"
        raise LibraryError("cannot be opened from memory", path=image.path, found=found, cure=cure) from error
    return Copy(f"/proc/{process}/fd/{descriptor}", descriptor)


def _sealed(image: Image) -> int:
    import fcntl  # noqa: PLC0415 - not there on Windows

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
        raise LibraryError(
            "its checked copy could not be sealed", path=image.path, found=str(error)
        ) from error
    return descriptor


def _private(image: Image) -> Copy:
    global _folder  # noqa: PLW0603 - one folder a process
    if _folder is None or not os.path.isdir(_folder):
        import atexit  # noqa: PLC0415
        import shutil  # noqa: PLC0415

        _folder = tempfile.mkdtemp(prefix="native-plugins-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)  # Windows keeps what is mapped
    path = os.path.join(_folder, image.digest, os.path.basename(image.path))
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        )
        try:
            descriptor = os.open(path, flags, 0o700)
        except FileExistsError:  # a try that the linker refused
            os.unlink(path)
            descriptor = os.open(path, flags, 0o700)
        with open(descriptor, "wb") as file:
            file.write(image.data)
        return Copy(path, None)
    except OSError as error:
        raise LibraryError(
            "its checked copy could not be written", path=image.path, found=str(error)
        ) from error
