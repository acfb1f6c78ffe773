"""The one way in which a contract's header is refused: file, line, reason, cure; and a cure of several steps."""

from __future__ import annotations

from typing import Protocol

from loader.errors import ContractError

__all__ = ["Place", "cure_for_class", "refusal", "refused"]


def refusal(
    path: str,
    line: int | None,
    reason: str,
    *,
    expected: str | None = None,
    cure: str | None = None,
    function: str | None = None,
) -> ContractError:
    """The error to raise when `path` says at `line` (counted from 1; None: nowhere) something unsupported."""
    return ContractError(
        "this contract header is not supported",
        path=path,
        found=reason if line is None else f"line {line}: {reason}",
        expected=expected,
        cure=cure,
        function=function,
    )


class Place(Protocol):
    """Where something stands: a token. (tokens.py refuses too, so it is not imported here.)"""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def line(self) -> int:
        """Counted from 1."""


def refused(place: Place, reason: str, **fields: str | None) -> ContractError:
    """The same for what stands at `place`."""
    return refusal(place.path, place.line, reason, **fields)


def cure_for_class(name: str) -> str:
    """What to do about a type of which only the plugin knows what it is."""
    return f"If plugins make instances of it, declare it by LOADER_CLASS({name});"
