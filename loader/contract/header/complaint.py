"""What is said of a C type that a contract cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.contract.header.syntax import Type

__all__ = ["cure_for", "cure_for_member", "cure_for_result", "described", "why_not"]

_NUMBERS = ("integer", "float", "double")
#: What a pointer to this is in a contract.
_POINTED = {"char": "loader_text", "const char": "loader_text", "void": "loader_bytes", "const void": "loader_bytes"}


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
        return "Take a struct of functions (LOADER_INTERFACE), or lend them as a service (LOADER_SERVICE)"
    if target is None:
        return {
            "text": "Pass const loader_text *",
            "bytes": "Pass const loader_bytes *",
            "struct": "Pass a const pointer to it",
        }.get(made.what)
    if target.spelled in _POINTED:
        return f"Pass const {_POINTED[target.spelled]} *"
    numbers = _array_of(target)
    if numbers is not None and (target.const or made.what == "array"):
        bytes_ = "const loader_bytes * or " if numbers == "loader_u8s" else ""
        return f"Pass {bytes_}const {numbers} *, with the length in it"
    if numbers is not None:
        return f"Write LOADER_OUT before it if it is a result, or pass {numbers} * if it is an array changed in place"
    if target.what == "pointer" and target.target is not None and target.target.spelled == "char":
        return "Pass const loader_texts *"
    if not target.const and target.what in ("text", "bytes", "struct", "arrow"):
        return "Make it const, or write LOADER_OUT before it if it is a result"
    return None


def cure_for_result(made: Type) -> str | None:
    """What to write instead of a result of this type, if it is known."""
    target = made.target
    if target is None:
        return f"Take a pointer: LOADER_OUT {made.spelled} *" if made.what in _NUMBERS else None
    if target.what == "pointer" and target.target is not None:
        inner = target.target
        meant = _POINTED.get(inner.spelled) or _array_of(inner)
        return None if meant is None else f"Write LOADER_OUT {meant} *, whose memory is of loader_alloc"
    if target.spelled == "void":
        return "Write LOADER_OUT loader_bytes *"
    return "Take const away: the plugin sets it" if target.const else None


def cure_for_member(made: Type, struct: str) -> str | None:
    """What to do about a struct's member of this type, if it is known."""
    target = made.target
    if target is None or made.what == "array":
        return "Pass it as a parameter of its own" if made.what in ("numbers", "texts", "tensor", "arrow") else None
    if target.what == "function":
        table = "a table of functions of the caller's, which begins with size_t size"
        return f"If {struct} is {table}: LOADER_INTERFACE({struct}); behind it"
    if target.spelled in _POINTED:
        return f"Write {_POINTED[target.spelled]}"
    numbers = _array_of(target)
    return None if numbers is None else f"Write an array of fixed length, or pass const {numbers} * beside the struct"


def _array_of(made: Type) -> str | None:
    """The array of such numbers: "loader_f64s"; None if it is no number."""
    if made.what not in _NUMBERS or made.spelled == "char":
        return None
    letter = "f" if made.what != "integer" else "i" if made.signed else "u"
    return f"loader_{letter}{8 * made.size}s"
