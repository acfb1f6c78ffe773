"""Checked bytes for workers: sealed memory files of a plugin and of what comes along with it.

As sealed.py and dependencies.py of library/ do for this process; but here nothing is opened, and the copies name each
other by the numbers that their descriptors have in a worker.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from loader.errors import LibraryError
from loader.isolation.seals import seal
from loader.library.pinned import pinned, targets

if TYPE_CHECKING:
    from loader.image import Image
    from loader.trust import TrustedImage

__all__ = ["copies"]

_MAY_RUN: Final = 0x10  # MFD_EXEC, of Linux 6.3


def copies(trusted: TrustedImage, first: int) -> list[int]:
    """Sealed memory files of a plugin and of what comes along with it, in which they name each other by number."""
    image, resolved = trusted.candidate.image, trusted.resolved
    if resolved is None or not (resolved.sealed or resolved.pinned):
        return [_sealed_file(image, image.data)]
    images = (image, *resolved.sealed)
    paths = {each.path: os.fsencode(f"/proc/self/fd/{first + i}") for i, each in enumerate(images)}
    found: list[int] = []
    try:
        for each in images:  # one at a time: what is made before a failure is closed
            found += [_sealed_file(each, pinned(each, targets(resolved, each, paths)))]
    except BaseException:
        for descriptor in found:
            os.close(descriptor)
        raise
    return found


def _sealed_file(image: Image, data: bytes) -> int:
    try:
        descriptor = _memory_file(os.path.basename(image.path))
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            seal(descriptor, contents=True)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise LibraryError("its checked copy could not be made", path=image.path, found=error.strerror) from error
    return descriptor


def _memory_file(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    cut: Any = os.fsencode(name)[:200].decode("utf-8", "surrogateescape")
    try:
        return os.memfd_create(cut, flags | _MAY_RUN)
    except OSError:  # a kernel before 6.3
        return os.memfd_create(cut, flags)
