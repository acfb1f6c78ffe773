"""Quantiles, and ratios of figures that were taken in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def quantile(values: list[float], share: float) -> float:
    """A quantile, linear between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def rounded(value: float) -> float:
    """Five significant digits: more is noise, and makes the page large."""
    return float(f"{value:.5g}")


def ratio(over: list[float | None], under: list[float | None]) -> dict[str, float] | None:
    """The median and quartiles of over / under, each pair from one round; None if they share no round."""
    pairs = [a / b for a, b in zip(over, under, strict=False) if a is not None and b]
    if not pairs:
        return None
    return {
        "median": quantile(pairs, 0.5),
        "q1": quantile(pairs, 0.25),
        "q3": quantile(pairs, 0.75),
        "rounds": len(pairs),
    }


class Book:
    """Looks rounds up by job and system, for ratios."""

    def __init__(self, results: Iterable[dict[str, Any]]) -> None:
        self._entries = {(e["job"], e["system"], e["variant"], e["placement"]): e for e in results}

    def entry(self, job: str, system: str, variant: str = "", placement: str = "") -> dict[str, Any] | None:
        """One entry, or None."""
        return self._entries.get((job, system, variant, placement))

    def rounds(self, job: str, system: str, variant: str = "", placement: str = "") -> list[float | None]:
        """Its rounds; empty if it was not measured."""
        entry = self.entry(job, system, variant, placement)
        return [] if entry is None else entry["rounds"]

    def pairs(self, over: tuple[str, ...], under: tuple[str, ...]) -> tuple[list[float | None], list[float | None]]:
        """The rounds of two figures: those that were taken in turns, if they were; else each one's own."""
        one, other = self.entry(*over), self.entry(*under)
        if one is None or other is None:
            return [], []
        if _is_beside(one, other):
            return one["rounds"], one["beside"]["rounds"]
        if _is_beside(other, one):
            return other["beside"]["rounds"], other["rounds"]
        return one["rounds"], other["rounds"]


def _is_beside(entry: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether `other` is the reference that `entry` was measured in turns with."""
    reference = entry.get("beside")
    return reference is not None and (reference["system"], reference["job"]) == (other["label"], other["job"])
