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

__all__ = ["MOST", "numbers", "parse", "receive", "send"]

MOST: Final = 160 << 10  # bytes of a message, as in worker.c
_LARGE: Final = 1 << 64
_LONGEST_WAIT: Final = 3600.0  # seconds: poll takes no more than a month


def send(
    channel: socket.socket,
    pidfd: int,
    tag: int,
    pairs: Iterable[tuple[str, str | bytes]],
    descriptors: Iterable[int] = (),
    seconds: float = 0.0,
) -> None:
    """Sends a request. Raises OSError if the worker is gone, TimeoutError if it reads nothing, ValueError for what is
    too long.
    """
    until = time.monotonic() + seconds
    pairs = [("tag", str(tag)), *pairs]
    data = b"".join(part + b"\0" for word, value in pairs for part in (word.encode(), os.fsencode(value)))
    if len(data) > MOST:
        raise ValueError(f"a message to a worker has {len(data)} bytes, and {MOST} are the most")
    files = array.array("i", descriptors)
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)] if files else []
    while True:
        try:
            channel.sendmsg([data], control, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
            return
        except BlockingIOError:  # a worker that reads nothing must not hold this thread up
            pass
        left = until - time.monotonic()
        ready = _wait(channel, pidfd, select.POLLOUT, left)
        if pidfd in ready:
            raise BrokenPipeError("the worker has died")
        if left <= 0:
            raise TimeoutError


def receive(channel: socket.socket, pidfd: int, tag: int, seconds: float) -> list[tuple[str, str]] | None:
    """The answer to the request with this tag, as pairs; None: the worker has died, or sent what is no answer. Raises
    TimeoutError.

    Answers to earlier requests, which nobody waited for any more, are let be.
    """
    until = time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        try:
            ready = _wait(channel, pidfd, select.POLLIN, left)
            data = channel.recv(MOST, socket.MSG_DONTWAIT) if channel.fileno() in ready else None
        except BlockingIOError:
            continue
        except (OSError, ValueError):  # it has died with a request unread, or another thread has closed what is its
            return None
        if data is not None:
            pairs = parse(data)
            if not pairs or pairs[0][0] != "tag":
                return None
            if pairs[0][1] == str(tag):
                return pairs[1:]
        elif ready:
            return None
        if left <= 0:
            raise TimeoutError


def parse(data: bytes) -> list[tuple[str, str]] | None:
    """The pairs of an answer; None: it is none. What is no UTF-8 is shown as escapes: people may print it."""
    if not data.endswith(b"\0"):
        return None
    texts = data.decode("utf-8", "backslashreplace").split("\0")
    return list(zip(texts[:-1:2], texts[1:-1:2], strict=False))


def _wait(channel: socket.socket, pidfd: int, events: int, seconds: float) -> set[int]:
    poll = select.poll()
    poll.register(channel, events)
    poll.register(pidfd, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(min(max(0.0, seconds), _LONGEST_WAIT) * 1000)}


def numbers(pairs: Iterable[tuple[str, str]], word: str) -> Iterator[int]:
    """The values of a word that are numbers of 64 bits."""
    for key, value in pairs:
        if key == word and value.isascii() and value.isdigit() and len(value) <= 20 and int(value) < _LARGE:
            yield int(value)
