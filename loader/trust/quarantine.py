"""What crash reports say, and the files that they speak against (quarantine). crash.py has them written.

A report is read as what a dying process may have written: a line that makes no sense is passed over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from loader.cures import command_line
from loader.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.image import Image

__all__ = ["Crash", "Quarantine", "check_report", "quarantined", "read_released", "read_report", "release"]

#: Bytes of a report that is read with its permissions checked; a crash is told in about 3,000.
MAX_REPORT: Final = 64 << 20


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


# ---- Reading -----------------------------------------------------------------------------------------------

_NAMES = frozenset(each.name for each in fields(Crash)) - {"traceback"}


def read_report(path: str | os.PathLike[str] | int) -> list[Crash]:
    """The crashes in a report (a file, or a descriptor of one), oldest first; none if there is no such file.

    What is no line of ours is passed over. A report may be written by a dying process: nothing in it is
    relied on further than its type.
    """
    return [crash for crash, _ in read_released(path)]


def check_report(report: str | os.PathLike[str] | int) -> None:
    """Raises ValueError for a number that is no descriptor."""
    if isinstance(report, int) and (isinstance(report, bool) or report < 0):
        raise ValueError(f"a report is a file's path, or a descriptor of one from 0 on, not {report!r}")


def read_released(path: str | os.PathLike[str] | int) -> list[tuple[Crash, bool]]:
    """The same, each with whether it was released since."""
    check_report(path)
    try:
        with open(path, "rb", closefd=not isinstance(path, int)) as file:
            file.seek(0)
            return _parse(file.read())
    except FileNotFoundError:
        return []


def _parse(content: bytes) -> list[tuple[Crash, bool]]:
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
        return line.decode("utf-8", "surrogatepass")  # as paths are written; see _core/call/owner.c
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
    known = {name: value for name, value in values.items() if name in _NAMES and value is not None}
    if any(not isinstance(known.get(name), kind) for name, kind in required.items()):
        return None
    for name, value in known.items():
        if name not in required and not isinstance(value, optional.get(name, str)):
            return None
    return Crash(**known)


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
        report: one, or several, written by :func:`enable` in earlier processes. One that is not there speaks
            against nobody.
        permissions: ask of the reports that only root and this user can have changed them: who can write to
            one can release files.

    Raises TrustError for a report that cannot be read: what it says is not known then.
    """

    __slots__ = ("_crashes", "reports")

    def __init__(
        self, report: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, permissions: bool = False
    ) -> None:
        one = isinstance(report, (str, os.PathLike))
        self.reports: tuple[str, ...] = tuple(map(os.fspath, [report] if one else report))  # type: ignore[arg-type]
        self._crashes = {
            crash.digest: (crash, path)
            for path in self.reports
            for crash, released in _trusted(path, permissions)
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
            + command_line("loader", "crashes", report, "--release", image.path),
        )


def _trusted(path: str, permissions: bool) -> list[tuple[Crash, bool]]:
    """What a report says, if it can be read and, where that is asked, only this user can have written it."""
    try:
        if not permissions:
            return read_released(path)
        from loader.trust.permissions import read_checked  # noqa: PLC0415 - where a policy asks for it

        content = read_checked(os.path.abspath(path), limit=MAX_REPORT)
    except FileNotFoundError:
        return []
    except OSError as error:
        found, cure = error.strerror or str(error), "Let this user read it, or name another report"
        raise TrustError("cannot be read as a crash report", path=path, found=found, cure=cure) from error
    if len(content) > MAX_REPORT:
        raise TrustError(
            "is too large for a crash report",
            path=path,
            expected=f"at most {MAX_REPORT:,} bytes",
            found="more",
            cure="Move it away; the next crash begins a new one",
        )
    return _parse(content)
