"""What a worker is confined by on this machine: one is started for that, opens nothing, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.errors import IsolationError
from loader.isolation.settings import Isolation, check_available

if TYPE_CHECKING:
    from loader.isolation.settings import Confinement

__all__ = ["confinement_here"]


def confinement_here() -> Confinement:
    """What a worker that was just started says of itself. Raises IsolationError where there can be none."""
    check_available()
    from loader.isolation.process import Ended, Process  # noqa: PLC0415 - not on every system

    lines: list[str] = []
    try:
        process = Process(Isolation(), "doctor", [], [], lambda _, text: lines.append(text), lambda _: None)
    except Ended:
        found = f"it printed last: {lines[-1]!r}" if lines else None
        raise IsolationError("the process of a plugin ended before it had opened anything", found=found) from None
    process.close()
    return process.confinement
