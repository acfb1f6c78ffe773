"""The plugin falling, whose process ends as it is told, and what tests ask about processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tree import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Callable

    import loader

HEADER = PLUGINS / "falling.h"


def pids_of(plugin: loader.Plugin) -> list[int]:
    """The processes that a plugin has."""
    assert plugin.worker is not None
    return list(plugin.worker.pids)


def _status(pid: int) -> list[str]:
    """Fields of a process behind its name: state, parent, …; none: there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def gone(pid: int) -> bool:
    """Whether there is no such process, and no zombie of it either."""
    return not _status(pid)


def parent_of(pid: int) -> int:
    """Its parent, or 0: there is no such process."""
    return int((_status(pid) or ["", "0"])[1])


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Waits for something that comes soon; whether it did."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def runs(pid: int) -> bool:
    """Whether it is there and is no zombie: whoever has got an orphan may take its time to wait for it."""
    return _status(pid)[:1] not in ([], ["Z"], ["X"])
