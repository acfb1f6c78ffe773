"""The one way in which a contract's header is refused: file, line, reason, cure."""

from __future__ import annotations

from loader.errors import ContractError

__all__ = ["refusal"]


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
