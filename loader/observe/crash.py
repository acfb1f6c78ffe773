"""Crash attribution: when a signal kills the process, the report says which plugin's function it was in.

    loader.crash.enable("app.crashes")                  # as early as possible, before plugins are loaded
    host = loader.Host(contract, quarantine="app.crashes")   # the next start refuses the culprit
    policy = loader.Policy(quarantine="app.crashes")         # the same, as part of a policy

1. Every call of a plugin stores whose function the thread is in (loader/_core/crash/crumb.h), enabled or not.
2. A handler for SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP and SIGSYS writes it as one line of JSON to
   a file that was opened beforehand (loader/_core/crash/crash.c), then goes on to whoever handled the signal
   before.
3. faulthandler, which enable() turns on if nobody has, writes the tracebacks of Python below that line.
4. The next process reads the file (quarantine.py): read_report, quarantined, Quarantine.

What it cannot see: SIGKILL and exit() leave no line. A plugin may corrupt memory that another one trips over:
a report names the function that the thread was in, which is a strong hint and no proof.

Go: enable() before plugins with a Go runtime are loaded. Go then handles faults of Go code itself, and hands
all others on to the handlers here. Loaded first, Go is asked after the line is written; if it mends the
fault, the line is taken back. faulthandler never goes back, so it is not turned on then.
"""

from __future__ import annotations

import os
import sys

from loader._core._call import crash_disable, crash_enable
from loader.trust.quarantine import Crash, Quarantine, check_report, quarantined, read_report, release

__all__ = ["Crash", "Quarantine", "disable", "enable", "quarantined", "read_report", "release"]

_descriptor: int | None = None
_traceback = False  # whether we turned faulthandler on


def enable(report: str | os.PathLike[str] | int, *, traceback: bool = True) -> None:
    """Has crashes reported from now on, all of this process and of the children that it forks.

    Args:
        report: the file that lines are appended to, made with mode 0600 if it is not there; or a descriptor
            of one, which the caller keeps open.
        traceback: turn faulthandler on, into the same file, unless somebody has turned it on already or a Go
            runtime is loaded.

    A second call changes the file. Raises OSError if it cannot be opened, ValueError for a number that
    is no descriptor, NotImplementedError on Windows.
    """
    global _descriptor, _traceback  # noqa: PLW0603 - signal handlers are the process's
    check_report(report)
    opened = None
    if isinstance(report, int):
        number = report
    else:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        number = opened = os.open(report, flags, 0o600)
    try:
        if traceback and _traceback_wanted():
            import faulthandler  # noqa: PLC0415 - not everybody wants it

            faulthandler.enable(number)  # first: its handlers come after ours, below our line
            _traceback = True
        crash_enable(number)
    except BaseException:
        if _traceback and _descriptor is None:  # it would write to a descriptor that is another file's by then
            import faulthandler  # noqa: PLC0415 - as above

            faulthandler.disable()
            _traceback = False
        if opened is not None:
            os.close(opened)
        raise
    if _descriptor is not None:
        os.close(_descriptor)
    _descriptor = opened


def _traceback_wanted() -> bool:
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None and faulthandler.is_enabled() and not _traceback:
        return False
    library = sys.modules.get("loader.library")
    return library is None or not library.go_runtimes()


def disable() -> None:
    """Reports no more crashes, and puts back the handlers that were there before."""
    global _descriptor, _traceback  # noqa: PLW0603 - as above
    crash_disable()
    if _traceback:
        import faulthandler  # noqa: PLC0415 - as above

        faulthandler.disable()
        _traceback = False
    if _descriptor is not None:
        os.close(_descriptor)
        _descriptor = None
