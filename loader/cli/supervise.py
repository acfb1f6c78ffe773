"""Plugins run in a child process of the command: a crash, a hang or an exit does not take the command along.

In a library that would cost what native plugins are for. A command starts one child for all its work, and
gains: a crash is an error with exit code 6, Ctrl-C ends a plugin that never returns, and temporary files are
swept up in each of these cases.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

from loader.errors import PluginError
from loader.observe import crash

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["supervise"]

_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_PATIENCE = 3  # signals to stop that a plugin may ignore before the child is killed


def supervise(
    work: Callable[[], int],
    *,
    sweep: Callable[[], None] | None = None,
    keep: str | None = None,
    **subject: str,
) -> int:
    """What `work` returns, called in a forked child; on systems without fork, here.

    Both processes return from this function, and the caller is to exit with what it returned. What `work`
    raises is raised in the child only.

    Args:
        work: loads and calls plugins; nothing of that may have happened before.
        sweep: called in the parent when the child did not get to its end.
        keep: the file that crashes are added to, for the next start to read; None: they are told only.
        subject: fields of PluginError (`plugin`, `path`, `function`), as far as they are known.

    Raises:
        PluginError: the child died of a signal, or a plugin ended the process.
        OSError: `keep` cannot be written to.
    """
    if not hasattr(os, "fork"):
        return work()
    kept = None if keep is None else os.open(keep, _APPEND, 0o600)  # refused, if it is, before anything runs
    reader, writer = os.pipe()
    report = _report_file()
    relay = _Relay()
    with relay:  # before the fork: no signal finds the parent without it
        child = os.fork()
        if child != 0:
            os.close(writer)
            relay.to(child)
            _, status = os.waitpid(child, 0)
    if child == 0:
        os.close(reader)
        if report is not None:
            crash.enable(report, traceback=False)
        return _in_child(work, writer, relay)
    finished = _finished(reader)
    crashes = _crashes(report, kept)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0 and finished:
        return code
    if sweep is not None:
        sweep()
    if code < 0 and relay.stopped:
        return 128 + relay.stopped[0]
    if -code in (*_STOPS, signal.SIGPIPE):
        return 128 - code
    raise _crash(code, finished, _culprit(subject, crashes))


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


def _crashes(report: int | None, kept: int | None) -> list[crash.Crash]:
    """What the child reported; it is added to the file `kept` as it stands. Both are closed."""
    crashes = [] if report is None else crash.read_report(report)
    if report is not None:
        if crashes and kept is not None:
            os.lseek(report, 0, os.SEEK_SET)
            with open(report, "rb", closefd=False) as file, contextlib.suppress(OSError):
                os.write(kept, b"\n" + file.read())  # in one piece: others may write to it
        os.close(report)
    if kept is not None:
        os.close(kept)
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
            signal.signal(number, handler)

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


def _finished(reader: int) -> bool:
    os.set_blocking(reader, False)  # a process that a plugin left behind may hold the other end
    try:
        return os.read(reader, 1) == b"."
    except BlockingIOError:
        return False
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
