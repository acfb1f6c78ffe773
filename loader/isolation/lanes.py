"""Memory files that are lanes: how large they are, and how they are made. What is in one: _core/wire/wire.h."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from loader.errors import IsolationError
from loader.isolation.seals import seal

try:
    import resource
except ImportError:  # Windows; elsewhere now, since at the end of Python nothing can be imported
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from loader.isolation.settings import Isolation

__all__ = ["lane", "lane_size"]

#: Bytes of a lane: half for arguments, results and memory of loader_alloc, half for output. It is sparse.
_LANE: Final = 16 << 30
_LEAST_LANE: Final = 64 << 20


def lane_size(isolation: Isolation) -> int:
    """As large as files may be, small in what memory may be addressed, and no larger than what a worker may have,
    which could fill it.
    """
    most = _LANE
    for number, part in ((resource.RLIMIT_FSIZE, 1), (resource.RLIMIT_AS, 16)):
        limit = resource.getrlimit(number)[0]
        if limit != resource.RLIM_INFINITY:
            most = min(most, limit // part)
    if isolation.memory is not None:
        most = min(most, max(_LEAST_LANE, 2 * isolation.memory))
    return most & ~8191


def lane(size: int) -> int:
    """A new memory file of that size, which nobody can cut off or lengthen."""
    try:
        descriptor = os.memfd_create("loader-lane", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, size)
            seal(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise IsolationError("memory to share with a worker could not be made", found=error.strerror) from error
    return descriptor
