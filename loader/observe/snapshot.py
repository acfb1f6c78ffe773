"""The state of the process that a plugin shares with all others, at one moment, and what is different at another.

For process_state.py, which compares what was before a load or a call with what is after it.
"""

from __future__ import annotations

import locale
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from loader._core._call import environment, float_state, signal_state
from loader.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["Change", "ProcessState", "descriptors_now", "snapshot", "threads_now"]


@dataclass(frozen=True, slots=True)
class Change:
    """What is different: of `what` ("umask"), `which` ("SIGINT", "" where there is but one), from, to."""

    what: str
    which: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        name = f"{self.what} {self.which}" if self.which else self.what
        if self.before is None:
            return f"{name} is new ({self.after})" if self.after else f"{name} is new"
        if self.after is None:
            return f"{name} is gone ({self.before})" if self.before else f"{name} is gone"
        return f"{name}: {self.before} before, {self.after} after"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What all share, each as name -> value. `floating_point` and `blocked_signals` are the calling thread's.

    Empty where this system does not tell: descriptors and threads are read from /proc or /dev/fd. Threads that Python
    started are not among them.
    """

    floating_point: Mapping[str, str]
    signal_handlers: Mapping[str, str]
    blocked_signals: Mapping[str, str]
    umask: Mapping[str, str]
    working_folder: Mapping[str, str]
    locale: Mapping[str, str]
    environment: Mapping[str, str]
    descriptors: Mapping[str, str]
    threads: Mapping[str, str]

    def changes(self, after: ProcessState) -> list[Change]:
        """What is different in `after`, by kind and name."""
        found: list[Change] = []
        for each in fields(self):
            old: Mapping[str, str] = getattr(self, each.name)
            new: Mapping[str, str] = getattr(after, each.name)
            what = each.name.replace("_", " ")
            found += [
                Change(what, name, old.get(name), new.get(name))
                for name in sorted({*old, *new})
                if old.get(name) != new.get(name)
            ]
        return found


#: Around all looks: to look is to open files, which others would take for a plugin's.
_lock = Lock()


def _one_at_a_time(look: Callable[[], T]) -> T:
    """See Lock. Who has waited too long looks all the same."""
    again = _lock.inside()
    try:
        if not again:
            _lock.acquire("looks at the state of the process")
        return look()
    finally:
        if not again:
            try:  # noqa: SIM105 - one step of C: see Lock
                _lock.leave()
            except RuntimeError:  # it was not inside
                pass


def snapshot() -> ProcessState:
    """The state now."""
    return _one_at_a_time(_look)


def descriptors_now() -> dict[str, str]:
    """Which descriptors are open now, and on what."""
    return _one_at_a_time(_descriptors)


def threads_now() -> dict[str, str]:
    """Which threads there are now that Python did not start, and what the system calls them."""
    return _one_at_a_time(_threads)


def _look() -> ProcessState:
    handlers = signal_state()
    return ProcessState(
        floating_point=_floating_point(),
        signal_handlers={_signal_name(n): _handler(address) for n, (address, _) in enumerate(handlers, 1)},
        blocked_signals={_signal_name(n): "blocked" for n, (_, blocked) in enumerate(handlers, 1) if blocked},
        umask={"": f"{_umask():03o}"},
        working_folder={"": _working_folder()},
        locale={"": locale.setlocale(locale.LC_ALL)},
        environment=dict(_variable(line) for line in environment()),
        descriptors=_descriptors(),
        threads=_threads(),
    )


# ---- Parts of the state ------------------------------------------------------------------------------------

_ROUNDING = {  # FE_* of <fenv.h>
    "x86_64": {0: "to nearest", 0x400: "downward", 0x800: "upward", 0xC00: "towards zero"},
    "aarch64": {0: "to nearest", 0x400000: "upward", 0x800000: "downward", 0xC00000: "towards zero"},
}


def _floating_point() -> dict[str, str]:
    mode, control = float_state()
    known = _ROUNDING.get(os.uname().machine if hasattr(os, "uname") else "", {})
    # 0x8040 of x86's MXCSR: tiny numbers are taken for 0, which -ffast-math turns on in a constructor.
    return {"rounding": known.get(mode, hex(mode)), "control": f"{control:#06x}"}


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _handler(address: int) -> str:
    return {0: "default", 1: "ignored"}.get(address, f"function at {address:#x}")


def _umask() -> int:
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)  # there is no other way to ask; strict meanwhile, for files of other threads
    os.umask(mask)
    return mask


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        return f"({error.strerror})"


def _variable(line: bytes) -> tuple[str, str]:
    name, _, value = os.fsdecode(line).partition("=")
    return name, value


def _descriptors() -> dict[str, str]:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    found = {}
    with suppress(OSError):
        for number in os.listdir(folder):
            try:
                found[number] = os.readlink(f"{folder}/{number}") if folder.startswith("/proc") else ""
            except OSError:  # the one of listdir itself
                continue
    return found


def _threads() -> dict[str, str]:
    found = {}
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError), open(f"/proc/self/task/{thread}/comm", "rb") as file:
                found[thread] = os.fsdecode(file.read().strip())
    # Asked last: what has started meanwhile is known by now. Without the lock of threading.enumerate, which the code
    # that a signal handler interrupted may hold.
    for known in list(threading._active.values()):  # type: ignore[attr-defined] # noqa: SLF001
        if not isinstance(known, threading._DummyThread):  # noqa: SLF001 - a plugin's, perhaps
            found.pop(str(known.native_id), None)
    return found
