"""Attributes of GNU C and MSVC in a contract's header: those that change nothing for a call are passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.contract.header.refusal import refusal

if TYPE_CHECKING:
    from loader.contract.header.tokens import Token

__all__ = ["ATTRIBUTES", "after_attribute"]

ATTRIBUTES = ("__attribute__", "__attribute", "__declspec", "LOADER_FORMAT")
# GNU attributes that change neither a type's layout nor how a function is called.
_HARMLESS = frozenset(
    (
        *(
            "access",
            "alloc_size",
            "cold",
            "const",
            "deprecated",
            "dllexport",
            "dllimport",
            "error",
            "flatten",
        ),
        *("format", "hot", "leaf", "malloc", "noinline", "nonnull", "nothrow", "pure", "returns_nonnull"),
        *("selectany", "sentinel", "unused", "used", "visibility", "warn_unused_result", "warning", "weak"),
    )
)


def after_attribute(name: Token, tokens: list[Token], position: int) -> int:
    """Leaves out a harmless attribute. Returns the position of the first token behind its parentheses."""
    depth = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            break
        inside = 1 if name.text == "__declspec" else 2
        named = name.text != "LOADER_FORMAT" and depth == inside and token.kind == "name"
        if named and token.text.strip("_") not in _HARMLESS:
            raise refusal(token.path, token.line, f"attribute {token.text!r} is not supported")
    return position
