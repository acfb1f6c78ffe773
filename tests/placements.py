"""Both placements of a plugin, for the fixture `placement`: this process, or a worker of its own.

A module opts in by `pytestmark = pytest.mark.usefixtures("placement")`, and each of its tests runs twice; what is
about this process only is marked `@pytest.mark.in_process("why")` and runs once.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from tree import TESTS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable

IN_PROCESS, WORKER = "in-process", "worker"
#: Confinement costs a start 1 ms and changes no call; tests/isolation/ is about it.
DEFAULT = loader.Isolation(sandbox="off")


def python_path(placement: str) -> list[str]:
    """Folders to begin PYTHONPATH with, for a Python whose plugins are to be placed like that."""
    return [str(TESTS / "worker_default"), str(TESTS)] if placement == WORKER else []


def available() -> bool:
    """Whether plugins can have a process of their own here."""
    return sys.platform.startswith("linux")


def isolate_by_default() -> Callable[[], None]:
    """From now on `loader.load` and hosts that say nothing of isolation= isolate. Returns what ends that."""
    changed: list[tuple[dict[str, Any], Any]] = []
    for function in (loader.load, loader.Host.__init__):
        defaults = inspect.unwrap(function).__kwdefaults__
        changed.append((defaults, defaults["isolation"]))  # KeyError: it has no such word any more
        defaults["isolation"] = DEFAULT

    def restore() -> None:
        for defaults, value in changed:
            defaults["isolation"] = value

    return restore
