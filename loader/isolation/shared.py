"""Memory that this process and its workers share: what lies in it crosses without a copy.

Arrays and bytes that are arguments of a call, and tensors whose elements lie in one piece, are looked up among these
buffers (loader/_core/remote/shared.c); a worker maps one when it meets it for the first time.
"""

from __future__ import annotations

import itertools
import mmap
import os
import weakref

from loader._core import _call  # not its names: some are on Linux only
from loader._core._ffi import ffi
from loader.isolation.seals import seal
from loader.isolation.settings import check_available

__all__ = ["descriptor_of", "shared"]

_numbers = itertools.count(1)
#: By number: descriptor and size of each buffer that there is.
_buffers: dict[int, tuple[int, int]] = {}


def shared(size: int) -> memoryview:
    """`size` bytes, all 0, that workers of isolated plugins have too: arguments that lie there are not copied.

    Returns a writable memoryview; ``numpy.frombuffer(loader.shared(8 * n))`` makes an array of it. The memory is
    given back when nobody has it any more. A plugin that was passed any part of it may read and change all of it,
    from then on, at any time: share only what you would lend to be changed.

    Raises ValueError for less than 1 byte, MemoryError if there is none, IsolationError where there are no workers.
    """
    check_available()
    if size < 1:
        raise ValueError(f"a shared buffer has 1 byte or more, not {size!r}")
    descriptor = os.memfd_create("loader-shared", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        seal(descriptor)
        memory = mmap.mmap(descriptor, size)
    except OSError as error:
        os.close(descriptor)
        raise MemoryError(f"no shared buffer of {size} bytes: {error.strerror}") from error
    except BaseException:
        os.close(descriptor)
        raise
    number = next(_numbers)
    _buffers[number] = descriptor, size
    _call.shared_add(number, int(ffi.cast("uintptr_t", ffi.from_buffer(memory))), size)
    weakref.finalize(memory, _forget, number)
    return memoryview(memory)


def _forget(number: int) -> None:
    descriptor, size = _buffers.pop(number)
    _call.shared_remove(number, descriptor, size)
    os.close(descriptor)


def descriptor_of(number: int) -> tuple[int, int]:
    """Descriptor and size of a buffer. Raises KeyError if it is gone."""
    return _buffers[number]
