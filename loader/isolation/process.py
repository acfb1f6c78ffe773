"""One worker: a process that is started, told what to open, given lanes, and ended.

It is never waited for without an end: each answer has a time, and a death is told by the kernel (watch.py).
"""

from __future__ import annotations

import mmap
import os
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from loader._core import _call  # not its names: some are on Linux only
from loader.errors import IsolationError
from loader.isolation.confining import confined, told
from loader.isolation.lanes import lane, lane_size
from loader.isolation.message import numbers, receive, send
from loader.isolation.spawn import NO_START, kill, spawn, typed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from loader.isolation.settings import Isolation

__all__ = ["FIRST_FILE", "Ended", "Process"]

#: Numbers of the libraries' descriptors in a worker, by which their copies name each other.
FIRST_FILE: Final = 200
_THUNKS: Final = 32 + 2  # WIRE_ADDRESSES
_MOST_LANES: Final = 64  # MOST_LANES
_A_LITTLE: Final = 0.0002
_KEPT_LINES: Final = 20


class Ended(Exception):
    """The worker has died, or takes too long, while it was asked for something."""

    def __init__(self, late: bool = False) -> None:
        super().__init__()
        self.late = late


class Process:
    """A worker. `on_line(stream, text)` is called with what it prints, `on_end(process)` once when it has ended."""

    def __init__(
        self,
        isolation: Isolation,
        name: str,
        pairs: list[tuple[str, str | bytes]],
        files: list[int],
        on_line: Callable[[str, str], None],
        on_end: Callable[[Process], None],
    ) -> None:
        self.isolation = isolation
        self.started = time.monotonic()
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.signal: int | None = None
        self.status: int | None = None
        self.wanted = False
        self.counted = False  # by its pool, among the deaths
        self.ended = threading.Event()
        self._lock = threading.RLock()
        self._asking = False
        self._tag = 0  # of the last request
        self._on_line, self._on_end = on_line, on_end
        self.pid, self.pidfd, self._channel = spawn(name, *_tellers(weakref.ref(self)))
        _channels.add(self._channel)
        # Not before there is something to end: and nothing of it holds on to this.
        self._fate = _Fate()
        self._finalizer = weakref.finalize(self, _end, self._fate, self.pidfd, self._channel)
        # When Python ends finalizers may still call; the worker ends with the process.
        self._finalizer.atexit = False
        # Not before nobody can send a signal by it: its number would lead to another process.
        weakref.finalize(self, os.close, self.pidfd).atexit = False
        try:
            self._begin(pairs, files)
        except BaseException:
            self.close()
            raise

    def _begin(self, pairs: list[tuple[str, str | bytes]], files: list[int]) -> None:
        """It confines itself, and begins to open what it is told to."""
        isolation = self.isolation
        with typed(NO_START):
            host = os.pidfd_open(os.getpid())
        try:
            answer = self._ask([*told(isolation), *pairs], [host, *files], isolation.start)
        finally:
            os.close(host)
        self.confinement = confined(answer, isolation)
        thunks = tuple(numbers(answer, "thunk"))
        if len(thunks) != _THUNKS:
            raise Ended
        with typed(NO_START):
            self.native = _call.Worker(self.pid, self.pidfd, thunks, self)
        if self.ended.is_set():
            self.native.died()

    # ---- What it is asked for ----

    def opened(self) -> list[tuple[str, str]]:
        """The answer to what it was told to open."""
        return self._answer(self.isolation.start)

    def open(self, pairs: list[tuple[str, str | bytes]], files: list[int]) -> list[tuple[str, str]]:
        """Opens more."""
        return self._ask(pairs, files, self.isolation.start)

    def add_lane(self) -> None:
        """One more thread of it, and memory that is shared with it. Called by loader/_core/remote/worker.c."""
        with self._lock:
            if self.native.lanes >= _MOST_LANES:  # other threads were faster: this one waits for theirs
                return
            self._add_lane(lane_size(self.isolation))

    def _add_lane(self, size: int) -> None:
        file = lane(size)
        try:
            answer = self._ask([("lane", str(size))], [file], self.isolation.start)
            if answer[:1] and answer[0][0] == "failed" and self.native.lanes > 0:
                time.sleep(_A_LITTLE)  # it has no memory or thread for one more: those that there are must do
                return
            base = next(numbers(answer, "lane"), 0)
            if base == 0 or base % mmap.PAGESIZE:
                raise Ended
            with typed("memory to share with a worker could not be mapped"):
                self.native.add_lane(file, size, base)
        except Ended:  # whoever wants the lane sees that it is not there, and that the worker is dead
            self.kill()
        finally:
            os.close(file)

    def add_shared(self, number: int) -> None:
        """Maps a buffer of loader.shared. Called by loader/_core/remote/shared.c."""
        from loader.isolation.shared import descriptor_of  # noqa: PLC0415 - where there are some

        descriptor, size = descriptor_of(number)
        answer = self._ask([("shared", str(size))], [descriptor], self.isolation.start)
        self.native.add_shared(number, next(numbers(answer, "shared"), 0))

    def answers(self, seconds: float) -> bool:
        """Whether it answers at all within `seconds`, whatever its calls do."""
        until = time.monotonic() + seconds
        if not self._lock.acquire(timeout=max(0.0, seconds)):  # another thread has asked, and waits
            return False
        try:
            return bool(self._ask([("ask", "1")], [], max(0.0, until - time.monotonic())))
        except Ended:
            return False
        finally:
            self._lock.release()

    def _ask(self, pairs: list[tuple[str, str | bytes]], files: list[int], seconds: float) -> list[tuple[str, str]]:
        with self._lock:
            if self._asking:
                raise IsolationError(
                    "a worker is asked for something by the very thread that asks it already",
                    cure="Call plugins from elsewhere than signal handlers, or once before",
                )
            self._asking = True
            self._tag += 1
            try:
                try:
                    send(self._channel, self.pidfd, self._tag, pairs, files, seconds)
                except TimeoutError:
                    raise Ended(late=True) from None
                except (OSError, ValueError):
                    raise Ended from None
                return self._answer(seconds)
            finally:
                self._asking = False

    def _answer(self, seconds: float) -> list[tuple[str, str]]:
        try:
            answer = receive(self._channel, self.pidfd, self._tag, seconds)
        except TimeoutError:
            raise Ended(late=True) from None
        if answer is None:
            raise Ended
        return answer

    # ---- Its end ----

    def kill(self) -> None:
        """Ends it now. Nothing that it does holds this up."""
        kill(self.pidfd)

    def note_line(self, stream: str, text: str) -> None:
        """It has printed a line; by the thread of watch.py."""
        self.lines.append(text)
        self._on_line(stream, text)

    def note_end(self, number: int | None, status: int | None) -> None:
        """It has ended; by the thread of watch.py."""
        self.signal, self.status = number, status
        self.wanted = self._fate.wanted
        native = getattr(self, "native", None)
        if native is not None:
            native.died()
        self.ended.set()
        self._on_end(self)

    def close(self) -> None:
        """Ends it, if it lives, and gives all that it has back."""
        self._finalizer()

    @property
    def private_memory(self) -> int:
        """Bytes that it alone has; 0 if that is not known.

        Only root may see how a confined process's memory is divided. For others: what is resident and of no file.
        """
        total = 0
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            resident, of_files = (int(number) for number in file.read().split()[1:3])
            total = (resident - of_files) * mmap.PAGESIZE
        with suppress(OSError, ValueError), open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            total = 0
            for line in file:
                if line.startswith(("Private_Clean:", "Private_Dirty:")):
                    total += int(line.split()[1]) << 10
        return total


_channels: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _after_fork() -> None:
    """The workers are the parent's: if it runs another program they see its end, which a copy here would hide."""
    for channel in tuple(_channels):
        channel.close()
    _channels.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _tellers(
    process: weakref.ref[Process],
) -> tuple[Callable[[str, str], None], Callable[[int | None, int | None], None]]:
    """Who is told what watch.py learns. They hold on to nothing of ours: a plugin that nobody has any more is
    collected, and its process ends.
    """

    def line(stream: str, text: str) -> None:
        there = process()
        if there is not None:
            there.note_line(stream, text)

    def ended(number: int | None, status: int | None) -> None:
        there = process()
        if there is not None:
            there.note_end(number, status)

    return line, ended


class _Fate:
    """Whose a worker is, and whether its end is wanted."""

    def __init__(self) -> None:
        self.parent = os.getpid()
        self.wanted = False


def _end(fate: _Fate, pidfd: int, channel: socket.socket) -> None:
    """What ends a worker that nobody has any more. In a forked child it is the parent's."""
    fate.wanted = True
    if os.getpid() == fate.parent:
        kill(pidfd)
    channel.close()
