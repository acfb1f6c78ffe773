"""Which changes of the process's state can be a plugin's doing: not those of Python's threads, and not our own.

For process_state.py. What other threads of the application open for a moment while a plugin is called or loaded is
there when we look, and soon gone; what a plugin leaves behind stays. So what is new is looked at once more.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from loader.library.opened import libraries
from loader.observe.snapshot import descriptors_now, threads_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.observe.snapshot import Change

__all__ = ["to_blame"]

#: Seconds after which what is new and still there stays. A thread that Python starts is known as Python's when it
#: has had the GIL, for which it may wait behind others.
SETTLES: Final = 0.25
#: Between two looks.
PAUSE: Final = 0.01


def to_blame(changes: Iterable[Change]) -> list[Change]:
    """Those that a plugin may have made. Threads that are gone are none: who ends, ends by itself."""
    left = [each for each in changes if not (each.what == "threads" and each.after is None)]
    until = time.monotonic() + SETTLES
    while any(map(_may_pass, left)):
        # At least once: it was seen while the state was looked at, where one thing comes after another.
        left = _still(left)
        if time.monotonic() > until:
            break
        time.sleep(PAUSE)
    return left


def _may_pass(change: Change) -> bool:
    return change.before is None and change.what in ("descriptors", "threads")


def _still(changes: list[Change]) -> list[Change]:
    """Those that do not pass, or have not passed yet."""
    threads, descriptors = threads_now(), descriptors_now()
    copies = {library.file for library in list(libraries.values())}
    return [
        each
        for each in changes
        if not _may_pass(each)
        or (each.what == "threads" and each.which in threads)  # what it is called may change while it starts
        or (
            each.what == "descriptors"
            and descriptors.get(each.which) == each.after
            and not _is_copy(each.which, copies)
        )
    ]


def _is_copy(descriptor: str, copies: set[tuple[int, int]]) -> bool:
    """Whether it is open on the copy of a library that runs, which stays open on purpose; see library_sealed.c."""
    try:
        status = os.fstat(int(descriptor))
    except OSError:
        return False
    return (status.st_dev, status.st_ino) in copies
