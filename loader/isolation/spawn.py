"""A worker's process: started with the few descriptors that it gets, and watched from then on."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from loader.errors import IsolationError
from loader.isolation.settings import worker_program
from loader.isolation.watch import Watched, watch

try:
    import fcntl
except ImportError:  # Windows; elsewhere now, since at the end of Python nothing can be imported
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NO_START", "kill", "spawn", "typed"]

NO_START: Final = "a process for a plugin could not be started"


class _Channel(socket.socket):
    """What leads to a worker. It is closed when the worker is, or when Python ends, which is no fault to warn of."""

    def __del__(self) -> None:
        self.close()


def kill(pidfd: int) -> None:
    """Ends a process now, if it has not ended."""
    with suppress(OSError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def spawn(
    name: str, line: Callable[[str, str], None], ended: Callable[[int | None, int | None], None]
) -> tuple[int, int, socket.socket]:
    """A new process, watched: its number, a pidfd of its own and the socket that leads to it.

    `line` and `ended` are for watch.py, which holds on to them as long as it lives.
    """
    with ExitStack() as theirs, ExitStack() as ours:  # what a worker gets is closed here; the rest if it fails
        with typed(NO_START):
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
        pid = _run(name, {0: null, 1: ends[0], 2: ends[1], 3: other.fileno()})
        ours.callback(_reap, pid)  # whose channel is closed after it: it is killed first
        with typed(NO_START):
            pidfd = os.pidfd_open(pid)
            ours.callback(os.close, pidfd)
            ours.callback(kill, pidfd)
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
def typed(what: str) -> Iterator[None]:
    """The system refuses something: descriptors, memory, a thread."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        found = error.strerror if isinstance(error, OSError) else None
        raise IsolationError(what, path=worker_program(), found=found or str(error)) from error


def _run(name: str, descriptors: dict[int, int]) -> int:
    """Runs the worker's program with these descriptors, an empty environment and no signal ignored or blocked.

    In a process group of its own, so that Ctrl-C in a terminal is for the host alone.
    """
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
        raise IsolationError(NO_START, path=worker_program(), found=error.strerror or str(error)) from error
    finally:
        for each in high:
            os.close(each)
