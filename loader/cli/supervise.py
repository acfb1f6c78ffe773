"""Plugins run in a child process of the command: a crash, a hang or an exit does not take the command along.

In a library that would cost what native plugins are for. A command starts one child for all its work, and
gains: a crash is an error with exit code 6, Ctrl-C ends a plugin that never returns, a deadline one that never asks,
and temporary files are swept up in each of these cases. The child does not outlive the command (Linux).

The child tells the parent by a pipe how far it is: "(" a time limit begins, ")" it ends, "." all work is done.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from loader._core._ffi import lib
from loader.errors import DeadlineExceeded, PluginError
from loader.observe import crash

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["TimeLimit", "supervise"]

_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_GRACE = 1.0  # seconds that a plugin has to stop after its deadline, before the child is killed
_LOOK = 0.1  # seconds between looks at a child whose time is limited
_PATIENCE = 3  # signals to stop that a plugin may ignore before the child is killed


def supervise(
    work: Callable[[], int],
    *,
    sweep: Callable[[], None] | None = None,
    keep: str | None = None,
    limit: TimeLimit | None = None,
    **subject: str,
) -> int:
    """What `work` returns, called in a forked child; on systems without fork, here.

    Both processes return from this function, and the caller is to exit with what it returned. What `work`
    raises is raised in the child only.

    Args:
        work: loads and calls plugins; nothing of that may have happened before.
        sweep: called in the parent when the child did not get to its end.
        keep: the file that crashes are added to, for the next start to read; None: they are told only.
        limit: what `work` enters for the time that plugins may take; the child is killed when it is over.
        subject: fields of PluginError (`plugin`, `path`, `function`), as far as they are known.

    Raises:
        PluginError: the child died of a signal, or a plugin ended the process.
        DeadlineExceeded: `limit` was over.
        OSError: `keep` cannot be written to.
    """
    if not hasattr(os, "fork"):
        return work()
    log = None if keep is None else os.open(keep, _APPEND, 0o600)  # refused, if it is, before anything runs
    reader, writer = os.pipe()
    report = _report_file()
    relay = _Relay()
    parent = os.getpid()
    with relay:  # before the fork: no signal finds the parent without it
        child = os.fork()
        if child != 0:
            os.close(writer)
            relay.to(child)
            status, said = _wait(child, reader, limit)
    if child == 0:
        if lib.process_ends_with(parent):  # first: killed, the parent leaves no plugin behind that runs on
            os._exit(1)
        os.close(reader)
        if limit is not None:
            limit.writer = writer
        if report is not None:
            crash.enable(report, traceback=False)
        return _in_child(work, writer, relay)
    finished = _finished(reader, said)
    crashes = _crashes(report, log)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0 and finished:
        return code
    if sweep is not None:
        sweep()
    if code < 0 and relay.stopped:
        return 128 + relay.stopped[0]
    if limit is not None and limit.over:
        raise _too_slow(limit, subject)
    if -code in (*_STOPS, signal.SIGPIPE):
        return 128 - code
    raise _crash(code, finished, _culprit(subject, crashes))


class TimeLimit:
    """How long plugins may take, counted while it is entered, and a second more: the time to stop when asked.

    `seconds` is None if there is no limit; `over` says in the parent that the child was killed for it.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.over = False
        self.writer: int | None = None

    def __enter__(self) -> None:
        self._tell(b"(")

    def __exit__(self, *_: object) -> None:
        self._tell(b")")

    def _tell(self, what: bytes) -> None:
        if self.writer is not None and self.seconds is not None:
            os.write(self.writer, what)


def _wait(child: int, reader: int, limit: TimeLimit | None) -> tuple[int, bytes]:
    """The status that the child ended with, and what it told meanwhile. Kills it when its time is over."""
    if limit is None or limit.seconds is None:
        return os.waitpid(child, 0)[1], b""
    said, end, listening = b"", None, True
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status, said
        if end is not None and time.monotonic() >= end:
            limit.over = True
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], said
        # Looks up now and then: who else holds the pipe's other end, or closes it, is up to the plugin.
        pause = _LOOK if end is None else min(_LOOK, max(0.0, end - time.monotonic()))
        ready, _, _ = select.select([reader] if listening else [], [], [], pause)
        if ready:
            news = os.read(reader, 64)
            said += news
            listening = news != b""
            if news[-1:] == b"(":
                end = time.monotonic() + limit.seconds + _GRACE
            elif news:
                end = None


def _too_slow(limit: TimeLimit, subject: dict[str, Any]) -> DeadlineExceeded:
    who = f"plugin {subject['plugin']}" if "plugin" in subject else "a plugin"
    where = f" in {subject['function']}" if "function" in subject else ""
    return DeadlineExceeded(
        f"{who} did not stop{where} at its deadline of {limit.seconds:g} s and was ended",
        status=5,
        cure="A plugin asks every few thousand steps whether to stop: loader_cancelled",
        **subject,
    )


def _report_file() -> int | None:
    """A nameless file in which the child says who crashed; None if there can be none: then it says less."""
    try:
        if hasattr(os, "memfd_create"):
            number = os.memfd_create("crashes")
        else:
            import tempfile  # noqa: PLC0415 - slow to import

            handle, name = tempfile.mkstemp()
            os.unlink(name)
            number = handle
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_APPEND)
    except OSError:
        return None
    return number


def _crashes(report: int | None, log: int | None) -> list[crash.Crash]:
    """What the child reported; it is added to the file `log` as it stands. Both are closed."""
    crashes = [] if report is None else crash.read_report(report)
    if report is not None:
        if crashes and log is not None:
            os.lseek(report, 0, os.SEEK_SET)
            with open(report, "rb", closefd=False) as file, contextlib.suppress(OSError):
                os.write(log, b"\n" + file.read())  # in one piece: others may write to it
        os.close(report)
    if log is not None:
        os.close(log)
    return crashes


def _culprit(subject: dict[str, str], crashes: list[crash.Crash]) -> dict[str, str]:
    """Who crashed: what the child's report says goes before what the command was asked for."""
    last = crashes[-1] if crashes else None
    if last is None or last.plugin is None or last.path is None:
        return subject
    found = {"plugin": last.plugin, "path": last.path}
    return found if last.function is None else {**found, "function": last.function}


class _Relay:
    """Hands signals to stop on to the child. One that this process was started to ignore stays ignored."""

    def __init__(self) -> None:
        self.stopped: list[int] = []
        self.before = {number: signal.getsignal(number) for number in _STOPS}
        self._child = 0

    def __enter__(self) -> None:
        for number, handler in self.before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            # Told to stop, the command ends: a second Ctrl-C must not change how.
            signal.signal(number, signal.SIG_IGN if self.stopped else handler)

    def to(self, child: int) -> None:
        self._child = child
        for number in self.stopped:  # came before there was a child
            os.kill(child, number)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped.append(number)
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, number if len(self.stopped) < _PATIENCE else signal.SIGKILL)


def _in_child(work: Callable[[], int], writer: int, relay: _Relay) -> int:
    for number, handler in relay.before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)  # Python's would wait for native code to return
    if relay.stopped:
        os.kill(os.getpid(), relay.stopped[0])
    try:
        return work()
    finally:
        os.write(writer, b".")  # tells an exit code of ours from a plugin's exit()


def _finished(reader: int, said: bytes) -> bool:
    """Whether the child came to its end. `said`: what was read from it."""
    os.set_blocking(reader, False)  # a process that a plugin left behind may hold the other end
    try:
        return (said + os.read(reader, 64)).endswith(b".")
    except BlockingIOError:
        return said.endswith(b".")
    finally:
        os.close(reader)


def _crash(code: int, finished: bool, subject: dict[str, Any]) -> PluginError:
    who = f"plugin {subject['plugin']}" if "plugin" in subject else "a plugin"
    if code >= 0:
        what = f"{who} ended the process with exit status {code}"
        cure = "A plugin reports errors by what its functions return"
    else:
        known = -code in {each.value for each in signal.Signals}
        name = f"{signal.Signals(-code).name}, {signal.strsignal(-code)}" if known else f"signal {-code}"
        where = f" in {subject['function']}" if "function" in subject else ""
        what = f"{who} crashed{where} ({name})" + (" when all its work was done" if finished else "")
        cure = "Run the command with --in-process under a debugger to see where"
    if -code == signal.SIGKILL:
        what = f"the process of {who} was killed ({name})"
        cure = "Look whether memory ran out"
    return PluginError(what, cure=cure, **subject)
