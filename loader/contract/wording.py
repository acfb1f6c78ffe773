"""A contract's parts in a few words, exact enough that parts which differ read differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.contract.kinds import BOOL, Field, Kind, Parameter

if TYPE_CHECKING:
    from loader.contract.kinds import Function

__all__ = ["given", "member", "taken"]


def taken(function: Function) -> list[str]:
    """The parameters, each with its name."""
    return [f"{each.name}: {_kind(each)}" for each in function.parameters]


def given(function: Function) -> list[str]:
    """What it writes or, of a service, its result; then its results by LOADER_OUT, with their places."""
    written = [] if function.gives is None else [f"what it writes: {function.gives.value}"]
    return [*written, *(f"{each.name}: {_kind(each)}, parameter {each.position + 1}" for each in function.results)]


def member(field: Field) -> str:
    """A struct's member, without its place."""
    return f"{field.name}: {_kind(field)}" + (f"[{field.count}]" if field.count else "")


def _kind(part: Field | Parameter) -> str:
    words = _word(part)
    if part.kind is Kind.LIST:
        words = f"list of {words}"
    return words + (", changed in place" if isinstance(part, Parameter) and part.writable else "")


def _word(part: Field | Parameter) -> str:
    if part.struct is not None:
        return part.struct.name
    if isinstance(part, Parameter) and part.kind in (Kind.INTERFACE, Kind.INSTANCE):
        return part.cls or ("" if part.interface is None else part.interface.name)
    if part.enum or part.values == BOOL:
        return part.enum or "bool"
    if isinstance(part, Parameter) and part.element:
        return f"{part.element} array"
    word = part.kind.value
    if part.kind is Kind.INTEGER:
        word = f"{'' if part.signed else 'u'}int{part.size * 8}"
    return word + (f" of {', '.join(f'{name} ({value})' for name, value in part.values)}" if part.values else "")
