"""What a host and its workers tell each other beside calls: rows of texts, each ended by NUL, and descriptors.

The other side is loader/_core/worker/worker.c. A host sends a request and reads the answer to it; what it reads is
not to be trusted.
"""

from __future__ import annotations

import array
import os
import select
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MOST", "numbers", "receive", "send"]

MOST: Final = 160 << 10  # bytes of a message, as in worker.c
_LARGE: Final = 1 << 64


def send(channel: socket.socket, pairs: Iterable[tuple[str, str | bytes]], descriptors: Iterable[int] = ()) -> None:
    """Sends a request. Raises OSError if the worker is gone, ValueError for what is too long."""
    data = b"".join(part + b"\0" for word, value in pairs for part in (word.encode(), os.fsencode(value)))
    if len(data) > MOST:
        raise ValueError(f"a message to a worker has {len(data)} bytes, and {MOST} are the most")
    files = array.array("i", descriptors)
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)] if files else []
    channel.sendmsg([data], control, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket, pidfd: int, seconds: float) -> list[tuple[str, str]] | None:
    """The answer as pairs; None: the worker has died, or sent what is no answer. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        try:
            ready = _wait(channel, pidfd, left)
            data = channel.recv(MOST) if channel.fileno() in ready else None
        except (OSError, ValueError):  # it has died with a request unread, or another thread has closed what is its
            return None
        if data is not None:
            texts = data.decode("utf-8", "surrogateescape").split("\0")
            return list(zip(texts[:-1:2], texts[1::2], strict=False)) if data.endswith(b"\0") else None
        if ready:
            return None
        if left <= 0:
            raise TimeoutError


def _wait(channel: socket.socket, pidfd: int, seconds: float) -> set[int]:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)}


def numbers(pairs: Iterable[tuple[str, str]], word: str) -> Iterator[int]:
    """The values of a word that are numbers of 64 bits."""
    for key, value in pairs:
        if key == word and value.isascii() and value.isdigit() and len(value) <= 20 and int(value) < _LARGE:
            yield int(value)
