"""What is said of a C type that a contract cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.contract.header.syntax import Type

__all__ = ["cure_for", "described", "why_not"]


def described(made: Type) -> str:
    """The type with its article: "a double"."""
    if made.what in ("array", "function") or made.spelled == "void":
        return made.spelled
    return f"{'an' if made.spelled[0] in 'aeio' else 'a'} {made.spelled}"


def why_not(made: Type) -> str:
    """Why a parameter or member of this type is refused: "a double by value"."""
    target = made.target
    if made.odd or (target is not None and target.odd):
        return f"{described(made)} that is volatile, _Atomic or _Alignas"
    if made.what == "enum":
        return f"{described(made)} of which not every value is known to fit an int"
    if target is None or made.what == "array":
        return described(made) + ("" if made.what in ("array", "function", "union") else " by value")
    if target.what == "pointer":
        return f"a pointer to a pointer ({made.spelled})"
    if target.what == "function":
        return "a pointer to a function"
    if target.what in ("text", "bytes", "texts", "struct", "arrow") and not target.const:
        return f"a non-const pointer ({made.spelled})"
    return f"a pointer of another kind ({made.spelled})"


def cure_for(made: Type) -> str | None:
    """What to write instead of a parameter of this type, if it is known."""
    target = made.target
    if made.what == "function" or (target is not None and target.what == "function"):
        return "Lend functions as a service (LOADER_SERVICE)"
    if target is None or made.what == "array":
        return {
            "text": "Pass const loader_text *",
            "bytes": "Pass const loader_bytes *",
            "struct": "Pass a const pointer to it",
        }.get(made.what)
    if target.spelled == "char":
        return "Pass const loader_text *"
    if not target.const and target.what in ("text", "bytes", "struct", "arrow", "integer", "float", "double"):
        const = "Make it const, or w" if target.what in ("text", "bytes", "struct", "arrow") else "W"
        return const + "rite LOADER_OUT before it if it is a result"
    return None
