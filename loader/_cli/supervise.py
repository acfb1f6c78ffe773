"""Plugins run in a child process of the command, which can crash, hang or exit without taking the answer along.

In a library that would cost what native plugins are for. A command starts one child for all its work, and
gains: a crash is an error that names the plugin, with exit code 6; Ctrl-C ends a plugin that never returns; and
temporary files are swept up in each of these cases.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

from loader.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["supervise"]

_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_PATIENCE = 3  # signals to stop that a plugin may ignore before the child is killed
_CURE = "Run the same command with --in-process under a debugger to see where"


def supervise(work: Callable[[], int], *, sweep: Callable[[], None] | None = None, **subject: str) -> int:
    """What `work` returns, called in a forked child; on systems without fork, here.

    Both processes return from this function, and the caller is to exit with what it returned. What `work`
    raises is raised in the child only.

    Args:
        work: loads and calls plugins; nothing of that may have happened before.
        sweep: called in the parent when the child did not get to its end.
        subject: fields of PluginError (`plugin`, `path`, `function`) for messages, as far as they are known.

    Raises:
        PluginError: the child died of a signal, or a plugin ended the process.
    """
    if not hasattr(os, "fork"):
        return work()
    reader, writer = os.pipe()
    child = 0
    stopped: list[int] = []

    def stop(number: int, _frame: object) -> None:
        stopped.append(number)
        if child > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number if len(stopped) < _PATIENCE else signal.SIGKILL)

    # Handlers are set before the fork: no signal finds the parent without them. A signal that the process was
    # started to ignore (nohup) stays ignored.
    before = {number: signal.getsignal(number) for number in _STOPS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    child = os.fork()
    if child == 0:
        os.close(reader)
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                # Not Python's handler: it would wait for native code to return.
                signal.signal(number, signal.SIG_DFL)
        if stopped:
            os.kill(os.getpid(), stopped[0])
        try:
            return work()
        finally:
            os.write(writer, b".")  # "reached the end": tells our exit codes from a plugin's exit()
    os.close(writer)
    try:
        for number in stopped:
            os.kill(child, number)
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    os.set_blocking(reader, False)  # a process that a plugin left behind may hold the other end
    try:
        finished = os.read(reader, 1) == b"."
    except BlockingIOError:
        finished = False
    os.close(reader)
    return _verdict(status, finished, stopped, sweep, subject)


def _verdict(
    status: int, finished: bool, stopped: list[int], sweep: Callable[[], None] | None, subject: dict[str, Any]
) -> int:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0 and finished:
        return code
    if sweep is not None:
        sweep()
    where = f"plugin {subject['plugin']}" if "plugin" in subject else "a plugin"
    during = " after its work was done" if finished else ""
    if code >= 0:
        raise PluginError(
            f"{where} ended the process with exit status {code}", cure="Plugins return a status instead", **subject
        )
    number = -code
    if number in (*_STOPS, getattr(signal, "SIGPIPE", 0)) or (stopped and number == signal.SIGKILL):
        return 128 + (stopped[0] if stopped else number)
    name = f"{signal.Signals(number).name}, {signal.strsignal(number)}" if number in signal.valid_signals() else number
    if number == signal.SIGKILL:
        raise PluginError(
            f"the process of {where} was killed{during} ({name})",
            cure="Look at the system's log: it may have run out of memory",
            **subject,
        )
    raise PluginError(f"{where} crashed{during} ({name})", cure=_CURE, **subject)
