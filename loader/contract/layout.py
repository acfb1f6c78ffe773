"""How a contract's functions and structs are told to the C side.

contract.py makes these forms with itself: every load wants them, and to look kinds and structs up in a
fresh process takes longer than all else that binding does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from loader._core._call import Layout, Table
from loader.contract.arrays import array_form
from loader.contract.kinds import BOOL
from loader.contract.rows import enum_of, members_of, result_of, row_of

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable

    from loader.contract.kinds import Field, Function, Interface, Kind, Parameter, Service, Struct
    from loader.contract.rows import Row

__all__ = ["Allowed", "Form", "form_of", "layout_of", "letter_of", "table_of"]

_LETTERS = {
    "text": "t",
    "bytes": "b",
    "struct": "s",
    "integer": "i",
    "float": "f",
    "double": "d",
    "numbers": "n",
    "texts": "l",
    "list": "v",
    "tensor": "x",
    "interface": "o",
    "instance": "c",
    "arrow": "a",
}
_REALS = "fd"
#: Shared by all plugins of a process, so that a Record packed for one of them serves all.
_layouts: dict[Struct, Layout] = {}
_interfaces: dict[Interface, Table] = {}


Allowed: TypeAlias = tuple[frozenset[int], str]
_SHOWN = 8  # values that an error tells


class Form(NamedTuple):
    """A declared function as the C side wants it shown; see function_new in _core/call/function_type.c."""

    name: str
    parameters: tuple[tuple[Any, ...], ...]
    results: tuple[tuple[Any, ...], ...]
    row: Callable[[], type[Row]]
    gives: str
    doc: str
    text: bytes
    signature: Callable[[], inspect.Signature]
    ends: bool
    cls: str
    role: str
    has_instances: bool


def form_of(declared: Function) -> Form:
    """The form of a contract's function. Raises ValueError for a struct that C cannot be told of."""
    parameters, results = _parts(declared)
    gives = "" if declared.gives is None else letter_of(declared.gives)
    row = partial(result_of, declared)
    signature = partial(_signature, declared)
    has_instances = any(each.cls for each in (*declared.parameters, *declared.results))
    role = declared.role == "next", declared.cls, declared.role, has_instances
    return Form(declared.name, parameters, results, row, gives, declared.doc, _text(declared), signature, *role)


def _text(declared: Function) -> bytes:
    """Signature and docstring as a builtin has them: see _core/call/builtin.c."""
    names = ", ".join(each.name for each in declared.parameters)
    return f"{declared.name}({names})\n--\n\n{declared.doc}".encode("utf-8", "backslashreplace")


def _places(declared: Function) -> tuple[list[int], list[int]]:
    """Where parameters and results go: a number among the words of the call, or among its floating-point numbers.

    Windows counts both together.
    """
    results = {each.position: each for each in declared.results}
    parameters = iter(declared.parameters)
    given, taken = [], {}
    words = reals = 0
    for position in range(len(declared.parameters) + len(results)):
        real = False
        if position not in results:
            real = next(parameters).kind.value in ("float", "double")
        place = position if sys.platform == "win32" else reals if real else words
        words, reals = words + (not real), reals + real
        if position in results:
            taken[position] = place
        else:
            given.append(place)
    return given, [taken[each.position] for each in declared.results]


def table_of(service: Service) -> Table:
    """The C side's form of a service's table. Raises ValueError if C cannot be told of it."""
    functions = ((f"{each.name} of service {service.id}", *_parts(each)) for each in service.functions)
    return Table(tuple(functions))


def interface_of(interface: Interface) -> Table:
    """The C side's form of an interface. Raises ValueError if C cannot be told of it."""
    known = _interfaces.get(interface)
    if known is None:
        functions = tuple(
            (f"{each.name} of interface {interface.name}", *_parts(each)) for each in interface.functions
        )
        names = (*(each.name for each in interface.functions), interface.name)
        known = _interfaces.setdefault(interface, Table(functions, names))
    return known


def _parts(declared: Function) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Parameters and results for C."""
    given, taken = _places(declared)
    return tuple(map(_part, declared.parameters, given)), tuple(map(_part, declared.results, taken))


def _part(part: Parameter, place: int) -> tuple[Any, ...]:
    """A parameter or result for C: see core_read_parameter in _core/call/parameter.c.

    In the place of a layout a class has its name: loader/instances.py replaces it by what a plugin has.
    """
    layout: object = part.cls or None
    if part.struct is not None:
        layout = layout_of(part.struct)
    elif part.interface is not None:
        layout = interface_of(part.interface)
    members = partial(members_of, part.enum, part.values) if part.values else None
    number = letter_of(part.kind), part.size, part.signed
    return (part.name, *number, layout, _allowed(part.values), place, part.writable, part.element[:1], members)


def layout_of(struct: Struct) -> Layout:
    """The C side's form of a struct's layout; the same object each time."""
    known = _layouts.get(struct)
    if known is None:
        fields = tuple(map(_field, struct.fields))
        made = Layout(
            struct.name, struct.size, struct.sized, fields, partial(row_of, struct), partial(array_form, struct)
        )
        known = _layouts.setdefault(struct, made)
    return known


def _field(field: Field) -> tuple[Any, ...]:
    """A struct's member for C: see read_field in _core/call/layout.c."""
    nested = None if field.struct is None else layout_of(field.struct)
    members = partial(members_of, field.enum, field.values) if field.values else None
    kind = letter_of(field.kind)
    return (
        field.name,
        kind,
        field.offset,
        field.size,
        field.signed,
        _allowed(field.values),
        nested,
        field.count,
        members,
    )


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

    kinds: dict[str, Any] = {
        "t": str,
        "b": bytes,
        "i": int,
        "f": float,
        "d": float,
        "s": Any,
        "n": Any,
        "v": Any,
        "x": Any,
        "o": Any,
        "c": Any,
        "a": Any,
    }
    kinds["l"] = Sequence[str]

    def annotation(part: Parameter) -> Any:
        if part.values:
            return enum_of(part.enum, part.values) if part.enum else bool
        return kinds[letter_of(part.kind)]

    def one(parameter: Parameter) -> inspect.Parameter:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(parameter.name, kind, annotation=annotation(parameter))

    def given(part: Parameter) -> Any:
        if part.struct is not None:
            row = row_of(part.struct)
            return Sequence[row] if part.kind.value == "list" else row  # type: ignore[valid-type]
        return memoryview if part.element else annotation(part)

    gives = [] if declared.gives is None else [kinds[letter_of(declared.gives)]]
    gives += map(given, declared.results)
    answer = gives[0] if len(gives) == 1 else result_of(declared)
    return inspect.Signature([one(p) for p in declared.parameters], return_annotation=answer)
