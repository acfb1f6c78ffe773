"""What became of workers: the errors that calls raise, and when another worker is started.

A worker that answered may be followed by another one at once. One that died without an answer to anything makes the
next one wait, twice as long each time and not quite as long as others wait; after some in a row none is started.
"""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

from loader.errors import CallCancelled, DeadlineExceeded, ForkError, PluginCrashed, PluginError

if TYPE_CHECKING:
    from loader._core._call import Owner
    from loader.isolation.process import Process

__all__ = ["Deaths", "crashed", "ended", "forked", "not_stopped"]

_FIRST_WAIT, _LONGEST_WAIT = 0.02, 2.0  # seconds before a worker is started again


class Deaths:
    """Counts those in a row of workers that had answered nothing; `most` of them are enough.

    No lock: the thread of watch.py counts too, and must not wait for one of ours.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_a_row = 0
        self._not_before = 0.0

    @property
    def too_many(self) -> bool:
        """Whether no other worker is started."""
        return self.in_a_row >= self.most

    def count(self, process: Process) -> bool:
        """Whether it is counted now, and was not before: more than one may learn of a death."""
        if process.counted:
            return False
        process.counted = True
        native = getattr(process, "native", None)
        answered = native is not None and native.calls > native.busy  # those under way were not answered
        self.in_a_row = 1 if answered else self.in_a_row + 1
        if self.in_a_row > 1:
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self.in_a_row - 2, 10))
            self._not_before = time.monotonic() + wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return True

    def wait(self) -> None:
        """Until another worker may be started."""
        left = self._not_before - time.monotonic()
        if left > 0:
            time.sleep(left)


def ended(words: str, name: str, path: str, function: str | None = None) -> PluginCrashed:
    """The error for the process of a plugin, of which `words` say what became."""
    first, semicolon, rest = words.partition(";")
    error = PluginCrashed("", message=words, path=path or None, plugin=name, function=function)
    where = "" if function is None else f" in {function}"
    error.what = f"the process of plugin {name} {first}{where}{semicolon}{rest}"
    error.args = (error.what,)
    return error


def crashed(
    process: Process, name: str, path: str, function: str | None, *, too_late: float | None = None
) -> PluginCrashed:
    """The error for one that has died. `too_late`: it was killed, since it took more seconds than these to start."""
    process.ended.wait(2.0)
    if too_late is not None:
        how = f"took longer than {too_late:g} s to start, and was killed"
    elif process.signal is not None:
        how = f"died of {_signal_name(process.signal)}"
    elif process.status is not None:
        how = f"exited with status {process.status}"
    else:
        how = "ended, and how is not known: something else in this process has waited for it"
    lines = tuple(process.lines)
    error = ended(how + (f"; it printed last: {lines[-1]!r}" if lines else ""), name, path, function)
    error.signal, error.exit_status, error.lines = process.signal, process.status, lines
    return error


def not_stopped(owner: Owner, function: str, reason: str, grace: float) -> PluginError:
    """The error for a call that was told to stop ("deadline" or "cancelled"), and whose worker was killed."""
    kind, status = (DeadlineExceeded, 5) if reason == "deadline" else (CallCancelled, 4)
    words = f"it did not stop within its grace of {grace:g} s, and its process was killed"
    error = kind("", status=status, message=words, path=owner.path, plugin=owner.name, function=function)
    del error.what  # put together when it is asked for
    return error


def forked(owner: Owner) -> ForkError:
    """The error for a call in whose middle this process was forked."""
    return ForkError(
        "was in the middle of a call when the process was forked, and its worker is the parent's",
        path=owner.path,
        plugin=owner.name,
        cure="Fork elsewhere than in what plugins call, or end the child there",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
