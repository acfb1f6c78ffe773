"""One worker: a process that is started, told what to open, given lanes, and ended.

It is never waited for without an end: each answer has a time, and a death is told by the kernel (watch.py).
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import threading
import time
import weakref
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from loader._core import _call  # not its names: some are on Linux only
from loader.errors import IsolationError
from loader.isolation.message import numbers, receive, send
from loader.isolation.seals import seal
from loader.isolation.settings import PARTS, Confinement, worker_program
from loader.isolation.watch import Watched, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loader.isolation.settings import Isolation

__all__ = ["FIRST_FILE", "Ended", "Process"]

#: Numbers of the libraries' descriptors in a worker, by which their copies name each other.
FIRST_FILE: Final = 200
_THUNKS: Final = 32 + 2  # WIRE_ADDRESSES
#: Bytes of a lane: half for arguments, results and memory of loader_alloc, half for output. It is sparse.
_LANE: Final = 16 << 30
_LEAST_LANE: Final = 64 << 20
_LIBRARIES: Final = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
)
_MOST_LANES: Final = 64  # MOST_LANES
_A_LITTLE: Final = 0.0002
_KEPT_LINES: Final = 20
_NO_START: Final = "a process for a plugin could not be started"


class Ended(Exception):
    """The worker has died, or takes too long, while it was asked for something."""

    def __init__(self, late: bool = False) -> None:
        super().__init__()
        self.late = late


class _Channel(socket.socket):
    """What leads to a worker. It is closed when the worker is, or when Python ends, which is no fault to warn of."""

    def __del__(self) -> None:
        self.close()


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
        self.pid, self.pidfd, self._channel = _start(name, self)
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
        with _typed(_NO_START):
            host = os.pidfd_open(os.getpid())
        try:
            answer = self._ask([*_confinement(isolation), *pairs], [host, *files], isolation.start)
        finally:
            os.close(host)
        self.confinement = _confined(answer, isolation)
        thunks = tuple(numbers(answer, "thunk"))
        if len(thunks) != _THUNKS:
            raise Ended
        with _typed(_NO_START):
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
            self._add_lane(_lane_size(self.isolation))

    def _add_lane(self, size: int) -> None:
        lane = _lane(size)
        try:
            answer = self._ask([("lane", str(size))], [lane], self.isolation.start)
            if answer[:1] and answer[0][0] == "failed" and self.native.lanes > 0:
                time.sleep(_A_LITTLE)  # it has no memory or thread for one more: those that there are must do
                return
            base = next(numbers(answer, "lane"), 0)
            if base == 0 or base % mmap.PAGESIZE:
                raise Ended
            with _typed("memory to share with a worker could not be mapped"):
                self.native.add_lane(lane, size, base)
        except Ended:  # whoever wants the lane sees that it is not there, and that the worker is dead
            self.kill()
        finally:
            os.close(lane)

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
        _kill(self.pidfd)

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


def _kill(pidfd: int) -> None:
    with suppress(OSError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


class _Fate:
    """Whose a worker is, and whether its end is wanted."""

    def __init__(self) -> None:
        self.parent = os.getpid()
        self.wanted = False


def _end(fate: _Fate, pidfd: int, channel: socket.socket) -> None:
    """What ends a worker that nobody has any more. In a forked child it is the parent's."""
    fate.wanted = True
    if os.getpid() == fate.parent:
        _kill(pidfd)
    channel.close()


# ---- Starting ----------------------------------------------------------------------------------------------


def _start(name: str, process: Process) -> tuple[int, int, socket.socket]:
    """A new process, watched: its number, a pidfd of its own and the socket that leads to it.

    What watches it holds on to nothing of ours: a plugin that nobody has any more is collected, and its process ends.
    """
    reference = weakref.ref(process)

    def line(stream: str, text: str) -> None:
        there = reference()
        if there is not None:
            there.note_line(stream, text)

    def ended(number: int | None, status: int | None) -> None:
        there = reference()
        if there is not None:
            there.note_end(number, status)

    with ExitStack() as theirs, ExitStack() as ours:  # what a worker gets is closed here; the rest if it fails
        with _typed(_NO_START):
            made, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            channel = _Channel(fileno=made.detach())
            theirs.callback(other.close)
            ours.callback(channel.close)
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            theirs.callback(os.close, null)
            outputs: list[int] = []
            ends: list[int] = []
            for _ in range(2):
                out, end = os.pipe2(os.O_CLOEXEC)
                theirs.callback(os.close, end)
                ours.callback(os.close, out)
                os.set_blocking(out, False)
                outputs.append(out)
                ends.append(end)
        pid = _spawn(name, {0: null, 1: ends[0], 2: ends[1], 3: other.fileno()})
        ours.callback(_reap, pid)  # whose channel is closed after it: it is killed first
        with _typed(_NO_START):
            pidfd = os.pidfd_open(pid)
            ours.callback(os.close, pidfd)
            ours.callback(_kill, pidfd)
            own = os.dup(pidfd)  # what is watched is closed when it has ended
            ours.callback(os.close, own)
            watch(Watched(pidfd, dict(zip(outputs, ("stdout", "stderr"), strict=True)), line, ended))
        ours.pop_all()
    return pid, own, channel


def _reap(pid: int) -> None:
    """A worker that could not be watched: it is ended, and waited for. Nobody else has waited for it before."""
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def _typed(what: str) -> Iterator[None]:
    """The system refuses something: descriptors, memory, a thread."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        found = error.strerror if isinstance(error, OSError) else None
        raise IsolationError(what, path=worker_program(), found=found or str(error)) from error


def _spawn(name: str, descriptors: dict[int, int]) -> int:
    """Runs the worker's program with these descriptors, an empty environment and no signal ignored or blocked.

    In a process group of its own, so that Ctrl-C in a terminal is for the host alone.
    """
    import fcntl  # noqa: PLC0415 - not on Windows

    high: list[int] = []
    try:
        # Above all that is to be given: a dup2 must not overwrite what a later one wants.
        for each in descriptors.values():  # one at a time: what is there when one fails is closed
            high.append(fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10))  # noqa: PERF401
        actions: list[Any] = [(os.POSIX_SPAWN_DUP2, each, to) for each, to in zip(high, descriptors, strict=True)]
        return os.posix_spawn(
            worker_program(),
            [f"loader-worker {name}"],
            {},
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=[each for each in signal.valid_signals() if each not in (signal.SIGKILL, signal.SIGSTOP)],
        )
    except OSError as error:
        raise IsolationError(_NO_START, path=worker_program(), found=error.strerror or str(error)) from error
    finally:
        for each in high:
            os.close(each)


def _confinement(isolation: Isolation) -> list[tuple[str, str | bytes]]:
    """How a worker is told to confine itself."""
    pairs: list[tuple[str, str | bytes]] = [
        ("sandbox", isolation.sandbox),
        ("memory", str(isolation.memory or 0)),
        ("network", "1" if isolation.network else "0"),
    ]
    pairs += [("read", path) for path in isolation.read]
    pairs += [("write", path) for path in isolation.write]
    pairs += [("libraries", path) for path in _LIBRARIES]
    return pairs


def _confined(answer: list[tuple[str, str]], isolation: Isolation) -> Confinement:
    engaged = next(numbers(answer, "engaged"), 0)
    reasons = [value for word, value in answer if word == "why"]
    missing = dict(zip(numbers(answer, "part"), reasons, strict=False))
    return Confinement(
        tuple(name for i, name in enumerate(PARTS) if engaged & 1 << i),
        {name: missing[1 << i] for i, name in enumerate(PARTS) if 1 << i in missing},
        next(numbers(answer, "landlock"), 0),
        isolation,
    )


def _lane_size(isolation: Isolation) -> int:
    """As large as files may be, small in what memory may be addressed, and no larger than what a worker may have,
    which could fill it.
    """
    import resource  # noqa: PLC0415 - as above

    most = _LANE
    for number, part in ((resource.RLIMIT_FSIZE, 1), (resource.RLIMIT_AS, 16)):
        limit = resource.getrlimit(number)[0]
        if limit != resource.RLIM_INFINITY:
            most = min(most, limit // part)
    if isolation.memory is not None:
        most = min(most, max(_LEAST_LANE, 2 * isolation.memory))
    return most & ~8191


def _lane(size: int) -> int:
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
