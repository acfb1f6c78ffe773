"""How a contract's functions and structs are told to the C side.

contract.py makes these forms with itself: every load wants them, and to look kinds and structs up in a
fresh process takes longer than all else that binding does.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from loader._core._call import Layout
from loader.contract.kinds import BOOL

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable

    from loader.contract.kinds import Function, Kind, Parameter, Struct

__all__ = ["Allowed", "Form", "form_of", "layout_of", "letter_of", "native_parameter"]

_LETTERS = {"text": "t", "bytes": "b", "struct": "s", "integer": "i", "double": "d"}
#: Shared by all plugins of a process, so that a Record packed for one of them serves all.
_layouts: dict[Struct, Layout] = {}


Allowed: TypeAlias = tuple[frozenset[int], str]
_SHOWN = 8  # values that an error tells


class Form(NamedTuple):
    """A declared function as the C side wants it shown; see function_new in _core/call/function_type.c."""

    name: str
    parameters: tuple[tuple[str, str, int, bool, Layout | None, Allowed | None], ...]
    gives_bytes: bool
    doc: str
    signature: Callable[[], inspect.Signature]


def form_of(declared: Function) -> Form:
    """The form of a contract's function. Raises ValueError for a struct that C cannot be told of."""
    parameters = tuple((p.name, *native_parameter(p), _allowed(p.values)) for p in declared.parameters)
    gives_bytes = declared.gives is not None and letter_of(declared.gives) == "b"
    return Form(declared.name, parameters, gives_bytes, declared.doc, partial(_signature, declared))


def native_parameter(parameter: Parameter) -> tuple[str, int, bool, Layout | None]:
    """A parameter's kind, size in bytes, sign, and layout if it is a struct."""
    layout = None if parameter.struct is None else layout_of(parameter.struct)
    return letter_of(parameter.kind), parameter.size, parameter.signed, layout


def layout_of(struct: Struct) -> Layout:
    """The C side's form of a struct's layout; the same object each time."""
    known = _layouts.get(struct)
    if known is None:
        fields = tuple(
            (f.name, letter_of(f.kind), f.offset, f.size, f.signed, _allowed(f.values)) for f in struct.fields
        )
        known = _layouts.setdefault(struct, Layout(struct.name, struct.size, struct.sized, fields))
    return known


def _allowed(values: tuple[tuple[str, int], ...]) -> Allowed | None:
    """The values of an enum or bool, and how an error tells them; see core_choice in _core/call/value.c."""
    if not values:
        return None
    if values == BOOL:
        return frozenset((0, 1)), "True or False"
    shown = [f"{name} ({value})" for name, value in values[:_SHOWN]]
    if len(values) > _SHOWN:
        shown.append(f"{len(values) - _SHOWN} more")
    text = " or ".join((", ".join(shown[:-1]), shown[-1])).removeprefix(" or ")
    return frozenset(value for _, value in values), text


def letter_of(kind: Kind) -> str:
    """See enum kind in _core/call/internal.h. Raises KeyError for a kind that it does not have."""
    return _LETTERS[kind.value]


def _signature(declared: Function) -> inspect.Signature:
    import inspect  # noqa: PLC0415 - slow to import, and only wanted by people and tools

    kinds: dict[str, Any] = {"t": str, "b": bytes, "i": int, "s": Any}

    def one(parameter: Parameter) -> inspect.Parameter:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(parameter.name, kind, annotation=kinds[letter_of(parameter.kind)])

    gives = bytes if declared.gives is not None and letter_of(declared.gives) == "b" else str
    return inspect.Signature([one(p) for p in declared.parameters], return_annotation=gives)
