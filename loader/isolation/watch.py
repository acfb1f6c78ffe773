"""The thread that looks after all workers of this process: it learns of their deaths and reads what they print.

It waits in the kernel for any of them, and costs nothing while nothing happens. Deaths are told by pidfds, which a
number that is used again cannot fool, and each is reaped at once. What a worker writes to stdout and stderr goes to
`logging`, a line each.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watched", "watch"]

_ROOM: Final = 1 << 16
_LONGEST: Final = 1 << 14  # bytes of a line: what is longer is cut into several


class Watched:
    """What is watched of one worker.

    `ended` is called once, with signal and exit status, after the last line was told; `line` with each.
    """

    def __init__(
        self,
        pidfd: int,
        outputs: dict[int, str],
        line: Callable[[str, str], None],
        ended: Callable[[int | None, int | None], None],
    ) -> None:
        self.pidfd = pidfd
        self.outputs = dict(outputs)  # descriptor -> "stdout" or "stderr"
        self.line = line
        self.ended = ended
        self.rest: dict[int, bytes] = dict.fromkeys(outputs, b"")

    def read(self, descriptor: int) -> bool:
        """Reads what is there, and tells whole lines; False: it is at its end."""
        try:
            data = os.read(descriptor, _ROOM)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        *lines, rest = (self.rest[descriptor] + data).split(b"\n")
        if rest and (not data or len(rest) > _LONGEST):
            lines, rest = [*lines, rest], b""
        self.rest[descriptor] = rest
        for line in lines:
            self.line(self.outputs[descriptor], line.decode("utf-8", "replace"))
        return bool(data)

    def finish(self) -> None:
        """The process has ended: what it printed last is told, then how it ended."""
        for descriptor in list(self.outputs):
            for _ in range(256):
                if not _is_readable(descriptor) or not self.read(descriptor):
                    break
            if self.rest[descriptor]:
                self.line(self.outputs[descriptor], self.rest[descriptor].decode("utf-8", "replace"))
        self.ended(*_reap(self.pidfd))

    def close(self) -> None:
        """Gives its descriptors back."""
        for descriptor in (self.pidfd, *self.outputs):
            with suppress(OSError):
                os.close(descriptor)


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _reap(pidfd: int) -> tuple[int | None, int | None]:
    """(signal, exit status) of a process that has ended; both None: somebody else has waited for it."""
    try:
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except (ChildProcessError, OSError):
        return None, None
    if result is None:
        return None, None
    if result.si_code == os.CLD_EXITED:
        return None, result.si_status
    return result.si_status, None


class _Watch:
    """The thread, and what it waits for."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.watched: dict[int, Watched] = {}  # by each of its descriptors
        self.thread = threading.Thread(target=self._run, name="native-plugin-loader workers", daemon=True)
        self.thread.start()

    def add(self, watched: Watched) -> None:
        try:
            for descriptor in (watched.pidfd, *watched.outputs):
                self.watched[descriptor] = watched
                self.epoll.register(descriptor, select.EPOLLIN)
        except BaseException:  # whoever wanted it watched closes its descriptors
            for descriptor in (watched.pidfd, *watched.outputs):
                self._forget(descriptor)
                self.watched.pop(descriptor, None)
            raise

    def _run(self) -> None:
        while True:
            try:
                ready = self.epoll.poll()
            except (OSError, ValueError):  # closed, by a fork
                return
            for descriptor, _ in ready:
                watched = self.watched.get(descriptor)
                if watched is None:
                    continue
                if descriptor == watched.pidfd:
                    self._end(watched)
                elif not watched.read(descriptor):
                    self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        with suppress(OSError, ValueError):
            self.epoll.unregister(descriptor)

    def _end(self, watched: Watched) -> None:
        for descriptor in (watched.pidfd, *watched.outputs):
            self._forget(descriptor)
            self.watched.pop(descriptor, None)
        try:
            watched.finish()
        except Exception:
            import logging  # noqa: PLC0415 - seldom wanted

            logging.getLogger("loader.isolation").exception("what is told of a worker's end failed")
        finally:
            watched.close()

    def drop(self) -> None:
        """In a forked child: the thread is not here, and the workers are the parent's."""
        with suppress(OSError):
            self.epoll.close()
        for watched in set(self.watched.values()):
            watched.close()


_watch: _Watch | None = None
_lock = threading.Lock()


def watch(watched: Watched) -> None:
    """Looks after one more worker from now on."""
    global _watch  # noqa: PLW0603 - one thread a process
    with _lock:
        if _watch is None:
            _watch = _Watch()
    _watch.add(watched)


def _after_fork() -> None:
    global _watch, _lock  # noqa: PLW0603 - as above
    _lock = threading.Lock()
    if _watch is not None:
        _watch.drop()
    _watch = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
