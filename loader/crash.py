"""Crash attribution: when a signal kills the process, the report says which plugin's function it was in.

    loader.crash.enable("app.crashes")                  # as early as possible, before plugins are loaded
    host = loader.Host(contract, quarantine="app.crashes")   # the next start refuses the culprit

1. Every call of a plugin stores whose function the thread is in (loader/_core/crumb.h), enabled or not.
2. A handler for SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP and SIGSYS writes it as one line of JSON to
   a file that was opened beforehand (loader/_core/crash.c), then goes on to whoever handled the signal
   before.
3. faulthandler, which enable() turns on if nobody has, writes the tracebacks of Python below that line.
4. The next process reads the file: read_report, quarantined.

What it cannot see: SIGKILL and exit() leave no line. A plugin may corrupt memory that another one trips over:
a report names the function that the thread was in, which is a strong hint and no proof.

Go: enable() before plugins with a Go runtime are loaded. Go then handles faults of Go code itself, and hands
all others on to the handlers here. Loaded first, Go is asked after the line is written; if it mends the
fault, the line is taken back. faulthandler never goes back, so it is not turned on then.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from loader._core._call import crash_disable, crash_enable
from loader.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.image import Image

__all__ = ["Crash", "Quarantine", "disable", "enable", "quarantined", "read_report", "release"]

_descriptor: int | None = None
_traceback = False  # whether we turned faulthandler on


@dataclass(frozen=True, slots=True)
class Crash:
    """One death.

    Attributes:
        signal: "SIGSEGV" and the like.
        plugin, path, digest: the plugin that the thread was in; None if it was in none.
        function: the contract function; None if the thread was one that the plugin started.
        offset: byte of the document at which the call arose; None if it was no document's.
        found_by: "call": the thread had called the function. "address": the instruction that failed is the
            plugin's, on a thread that came from elsewhere. None: no plugin was found.
        in_service: the plugin had called a service of the host, which was running.
        process, thread: the system's ids; `main_thread`: whether it was the first one.
        time: seconds since 1970.
        address: what could not be read, written or run, "0x0"; None if the signal does not tell.
        traceback: what faulthandler wrote below the line.
    """

    signal: str
    time: float
    process: int
    thread: int
    main_thread: bool
    plugin: str | None = None
    path: str | None = None
    digest: str | None = None
    function: str | None = None
    offset: int | None = None
    found_by: str | None = None
    in_service: bool = False
    address: str | None = None
    traceback: str = field(default="", repr=False)

    def __str__(self) -> str:
        where = f" in {self.function}" if self.function else ""
        where += f" at byte {self.offset} of a document" if self.offset is not None else ""
        where += ", while a service of the host ran" if self.in_service else ""
        if self.plugin is None:
            return f"{self.signal} outside of all plugins"
        return f"{self.signal} in plugin {self.plugin} ({self.path}){where}"


# ---- Writing -----------------------------------------------------------------------------------------------


def enable(report: str | os.PathLike[str] | int, *, traceback: bool = True) -> None:
    """Has crashes reported from now on, all of this process and of the children that it forks.

    Args:
        report: the file that lines are appended to, made with mode 0600 if it is not there; or a descriptor
            of one, which the caller keeps open.
        traceback: turn faulthandler on, into the same file, unless somebody has turned it on already or a Go
            runtime is loaded.

    A second call changes the file. Raises OSError if it cannot be opened, NotImplementedError on Windows.
    """
    global _descriptor, _traceback  # noqa: PLW0603 - signal handlers are the process's
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


# ---- Reading -----------------------------------------------------------------------------------------------

_NAMES = frozenset(each.name for each in fields(Crash)) - {"traceback"}


def read_report(path: str | os.PathLike[str] | int) -> list[Crash]:
    """The crashes in a report (a file, or a descriptor of one), oldest first; none if there is no such file.

    What is no line of ours is passed over. A report may be written by a dying process: nothing in it is
    relied on further than its type.
    """
    return [crash for crash, _ in _read(path)]


def _read(path: str | os.PathLike[str] | int) -> list[tuple[Crash, bool]]:
    """Each crash, and whether it was released since."""
    try:
        with open(path, "rb", closefd=not isinstance(path, int)) as file:
            file.seek(0)
            content = file.read()
    except FileNotFoundError:
        return []
    lines = [_decoded(line) for line in content.split(b"\n")]
    found: list[tuple[Crash, bool]] = []
    following: list[str] = []
    for line in lines:
        values = _values(line)
        if values is None:
            following.append(line)
            continue
        _end(found, following)
        following = []
        if isinstance(released := values.get("released"), str):
            found = [(crash, gone or crash.digest == released) for crash, gone in found]
        elif values.get("mended") is True:
            _mended(found, values)
        else:
            crash = _crash(values)
            if crash is not None:
                found.append((crash, False))
    _end(found, following)
    return found


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8", "surrogatepass")  # as paths are written; see _core/owner.c
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace")


def _values(line: str) -> dict[str, Any] | None:
    import json  # noqa: PLC0415 - only where a report is read

    if not line.startswith("{"):
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _crash(values: dict[str, Any]) -> Crash | None:
    required: dict[str, type] = {"signal": str, "time": float, "process": int, "thread": int}
    required["main_thread"] = bool
    optional: dict[str, type] = {"offset": int, "in_service": bool}
    kept = {name: value for name, value in values.items() if name in _NAMES and value is not None}
    if any(not isinstance(kept.get(name), kind) for name, kind in required.items()):
        return None
    for name, value in kept.items():
        if name not in required and not isinstance(value, optional.get(name, str)):
            return None
    return Crash(**kept)


def _end(found: list[tuple[Crash, bool]], following: list[str]) -> None:
    """Gives the lines that follow a crash's to it."""
    text = "\n".join(following).strip("\n")
    if found and text and not found[-1][0].traceback:
        found[-1] = (replace(found[-1][0], traceback=text + "\n"), found[-1][1])


def _mended(found: list[tuple[Crash, bool]], values: dict[str, Any]) -> None:
    """A handler that was there before ours mended the fault: that thread did not die of it."""
    for index in range(len(found) - 1, -1, -1):
        crash = found[index][0]
        if (crash.process, crash.thread) == (values.get("process"), values.get("thread")):
            del found[index]
            return


# ---- Quarantine --------------------------------------------------------------------------------------------


def quarantined(digest: str, report: str | os.PathLike[str]) -> Crash | None:
    """The last crash of the file with this SHA-256, if it was not released since.

    A crash in a service of the host counts against nobody.
    """
    return Quarantine(report).crash_of(digest)


def release(digest: str, report: str | os.PathLike[str]) -> None:
    """Forgives a file its crashes up to now, by a line in the report. Raises OSError."""
    import json  # noqa: PLC0415 - as above

    with open(report, "a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"released": digest}) + "\n")


class Quarantine:
    """The files that a report speaks against. The report is read once, here: at the start of a process.

    Args:
        report: one, or several, written by :func:`enable` in earlier processes.
    """

    __slots__ = ("_crashes", "reports")

    def __init__(self, report: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> None:
        one = isinstance(report, (str, os.PathLike))
        self.reports: tuple[str, ...] = tuple(map(os.fspath, [report] if one else report))  # type: ignore[arg-type]
        self._crashes = {
            crash.digest: (crash, path)
            for path in self.reports
            for crash, released in _read(path)
            if crash.digest is not None and not crash.in_service and not released
        }

    def crash_of(self, digest: str) -> Crash | None:
        """What the file with this SHA-256 did, or None."""
        found = self._crashes.get(digest)
        return None if found is None else found[0]

    def check(self, image: Image) -> None:
        """Raises TrustError if the file has crashed."""
        found = self._crashes.get(image.digest)
        if found is None:
            return
        crash, report = found
        import time  # noqa: PLC0415 - as above

        where = f" in {crash.function}" if crash.function else ""
        when = time.strftime("%Y-%m-%d at %H:%M:%S", time.gmtime(crash.time))
        raise TrustError(
            "is in quarantine: it crashed an earlier process",
            path=image.path,
            plugin=crash.plugin,
            function=crash.function,
            found=f"{crash.signal}{where} on {when} UTC, told in {report}",
            cure="Replace it by a mended build, or say that it may run again: "
            f"loader.crash.release({image.digest[:16]!r}..., {report!r})",
        )
