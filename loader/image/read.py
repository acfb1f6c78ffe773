"""A file on disk → its bytes, read once → Image."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loader._core._elf import read_file
from loader.errors import ImageError, PluginNotFound
from loader.image.elf import read_elf
from loader.image.elf import read_links as links_of
from loader.image.elf_quick import read_quickly
from loader.image.image import File, Image
from loader.image.sniff import MACHO_MAGICS, is_universal, refusal
from loader.image.walk import Step, open_file

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_SIZE", "read_bytes", "read_image", "read_library", "read_links", "read_to_follow"]

#: Bytes of the largest file that is read: memory is taken for all of it.
MAX_SIZE: Final = 2 << 30
#: What is no regular file, in words.
KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
hashlib.sha256()  # OpenSSL looks an algorithm up at its first use, which takes longer than a small file's digest
# Opening a fifo must not wait for a writer, nor make a terminal ours; children must not inherit it.
FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
)


def read_image(path: str | os.PathLike[str], *, steps: bool = True, quick: bool = False) -> Image:
    """Reads a shared library's facts without running any of it.

    The file is opened once and read once: the bytes in `Image.data` are those that the facts and the digest
    were taken from, and those that should be loaded, whatever happens to the path afterwards.

    `steps`: note the folders and links passed on the way to it, in `Image.file.steps`. It takes as long as the
    rest of a small file's reading; without it, a policy that asks for permissions refuses the file.
    `quick`: let C take the facts, if it is one of the files that C knows. Meant for files that may run whatever they
    are; the others' facts are taken in Python, where a mistake of ours could do no more than raise.

    Raises:
        PluginNotFound: there is no such file, or it is a folder, device, pipe or socket.
        ImageError: it cannot be read, is not a shared library, or is empty, cut off, damaged or over 2 GiB.
    """
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"path must be str or os.PathLike[str], not {type(name).__name__}; use os.fsdecode")
    name = _absolute(name)
    passed: tuple[Step, ...] = ()
    data = None if steps else read_file(name)  # C, in one call; None wherever there is something to say
    if data is None:
        data, passed = _read(name, steps)
    return read_bytes(data, path=name, steps=passed, quick=quick)


def read_library(path: str) -> Image:
    """What read_image gives, for an absolute path as the dynamic linker takes it: what stands before a ".." may be a
    link, and stays.
    """
    data, steps = _read(path, True)
    return read_bytes(data, path=path, steps=steps)


def read_links(path: str, *, allowed: Callable[[tuple[Step, ...]], bool] | None = None) -> Image | None:
    """Of an ELF file what other libraries are found by, and no more: for libraries that nobody judges by their bytes.

    `allowed` is asked with what was passed on the way. None if it says no, and for another kind of file. The image
    has no digest, and of the bytes only the first. Few pages of the file are looked at, so it is mapped and not read.
    """
    import mmap  # noqa: PLC0415 - most plugins come alone

    try:
        descriptor, steps = open_file(path, FLAGS) if allowed is not None else (os.open(path, FLAGS), ())
    except (OSError, ValueError) as error:
        raise _cannot_open(path, error) from error
    try:
        if allowed is not None and not allowed(steps):
            return None
        size = os.fstat(descriptor).st_size
        _check_kind(path, os.fstat(descriptor))
        if size == 0:
            return None
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
            if data[:4] != b"\x7fELF":
                return None
            file = File(path, data, "", size, steps)  # type: ignore[arg-type] # it is sliced and searched as bytes are
            image = links_of(file)
            return replace(image, file=replace(file, data=data[:64]))
    finally:
        os.close(descriptor)


def read_to_follow(path: str) -> Image:
    """A library that nobody judges: of an ELF file what others are found by, of another one all facts."""
    return read_links(path) or read_image(path, steps=False)


def read_bytes(data: bytes, *, path: str, steps: tuple[Step, ...] = (), quick: bool = False) -> Image:
    """The same from bytes that are in memory already; `path` stands for them in messages.

    Raises:
        ImageError: see read_image.
    """
    file = File(path, data, hashlib.sha256(data).hexdigest(), len(data), steps)
    magic = data[:4]
    if magic == b"\x7fELF":
        return (read_quickly(file) if quick else None) or read_elf(file)
    # The other readers are imported when their files are met, which is never on most machines.
    if magic in MACHO_MAGICS and (magic[:1] != b"\xca" or is_universal(data)):
        from loader.image.macho import read_macho  # noqa: PLC0415

        return read_macho(file)
    if magic[:2] == b"MZ":
        from loader.image.pe import read_pe  # noqa: PLC0415

        return read_pe(file)
    raise refusal(path, data)


def _absolute(name: str) -> str:
    """os.path.abspath, which takes longer than to see that there is nothing for it to do."""
    plain = name.startswith("/") and not ("/." in name or "//" in name or name.endswith("/"))
    return name if plain and os.name == "posix" else os.path.abspath(name)


def _read(path: str, walk: bool) -> tuple[bytes, tuple[Step, ...]]:
    """All bytes of a regular file, and the way to it."""
    steps: tuple[Step, ...] = ()
    try:
        if walk:
            descriptor, steps = open_file(path, FLAGS)
        else:
            descriptor = os.open(path, FLAGS)
    except (OSError, ValueError) as error:
        raise _cannot_open(path, error) from error
    try:
        status = os.fstat(descriptor)
        _check_kind(path, status)
        data = _read_all(path, descriptor, status.st_size)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    stable = (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    if not stable or len(data) != status.st_size:
        raise ImageError(
            "changed while it was read",
            path=path,
            expected=f"{status.st_size:,} bytes that stay as they are",
            found=f"{after.st_size:,} bytes, written to at this moment",
            cure="Wait until the file is complete; install plugins by renaming a finished file into place",
        )
    return data, steps


def _read_all(path: str, descriptor: int, size: int) -> bytes:
    """Up to `size` bytes; one call of read gives at most 2 GiB - 4 KiB on Linux, and may give less."""
    parts = []
    try:
        while size > 0:
            part = os.read(descriptor, size)
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except (OSError, MemoryError) as error:
        raise ImageError("cannot be read", path=path, found=str(error) or "too little memory") from error


def _check_kind(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise _not_a_file(path, kind)
    if status.st_size > MAX_SIZE:
        found = f"{status.st_size:,} bytes"
        raise ImageError("is too large", path=path, expected=f"at most {MAX_SIZE:,} bytes", found=found)


def _not_a_file(path: str, kind: str) -> PluginNotFound:
    whole = "Name a file in it; for all of them there are `loader list` and loader.discover"
    cure = whole if kind == "a folder" else None
    return PluginNotFound(f"is {kind}", path=path, expected="a file", found=kind, cure=cure)


def _cannot_open(path: str, error: OSError | ValueError) -> PluginNotFound | ImageError:
    if not isinstance(error, OSError):  # a NUL in the path, or characters that the file system cannot have
        shown = path.encode("unicode_escape").decode()
        return PluginNotFound("is not a possible path", path=shown, found=str(error))
    from loader.cures import LIBRARIES, file_cure  # noqa: PLC0415 - only wanted here

    if os.path.isdir(path):  # Windows does not open folders
        return _not_a_file(path, "a folder")
    if error.errno in (errno.ENXIO, errno.EOPNOTSUPP):
        return _not_a_file(path, "a socket")
    if error.errno == errno.ENAMETOOLONG:
        return PluginNotFound(
            "has a path that is too long for the system",
            path=path,
            expected="a name of at most 255 bytes and a path of at most 4,095, on most systems",
            found=f"{len(os.fsencode(os.path.basename(path))):,} and {len(os.fsencode(path)):,} bytes",
            cure="Move it to where its path is shorter",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL):
        broken = os.path.islink(path)
        return PluginNotFound(
            "leads nowhere" if broken else "does not exist",
            path=path,
            expected="a file",
            found=f"a symbolic link ({error.strerror})" if broken else (error.strerror or str(error)),
            cure=file_cure(path, error, endings=LIBRARIES)
            or "Check the path; relative ones begin at the current folder",
        )
    return ImageError(
        "cannot be opened",
        path=path,
        found=error.strerror or str(error),
        cure=file_cure(path, error),
    )
