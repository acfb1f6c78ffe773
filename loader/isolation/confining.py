"""How a worker is told to confine itself, and what it says to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loader.isolation.message import numbers
from loader.isolation.settings import PARTS, Confinement

if TYPE_CHECKING:
    from loader.isolation.settings import Isolation

__all__ = ["confined", "told"]

_LIBRARIES: Final = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
)


def told(isolation: Isolation) -> list[tuple[str, str | bytes]]:
    """How a worker is told to confine itself."""
    pairs: list[tuple[str, str | bytes]] = [
        ("sandbox", isolation.sandbox),
        ("memory", str(isolation.memory or 0)),
        ("network", "1" if isolation.network else "0"),
    ]
    pairs += [("read", path) for path in isolation.read]
    pairs += [("write", path) for path in isolation.write]
    pairs += [("libraries", path) for path in _LIBRARIES]
    return pairs


def confined(answer: list[tuple[str, str]], isolation: Isolation) -> Confinement:
    """What its answer means."""
    engaged = next(numbers(answer, "engaged"), 0)
    reasons = [value for word, value in answer if word == "why"]
    missing = dict(zip(numbers(answer, "part"), reasons, strict=False))
    return Confinement(
        tuple(name for i, name in enumerate(PARTS) if engaged & 1 << i),
        {name: missing[1 << i] for i, name in enumerate(PARTS) if 1 << i in missing},
        next(numbers(answer, "landlock"), 0),
        isolation,
    )
