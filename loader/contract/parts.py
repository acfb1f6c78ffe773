"""Plain values → a contract's parts: functions, structs, tables, classes.

They are checked down to offsets and sizes: C code reads and writes memory by them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from loader.contract.header import MAX_DEPTH, MAX_FUNCTIONS, MAX_PARAMETERS, MAX_STRUCT, SERVICE_ID
from loader.contract.kinds import BOOL, Class, Field, Function, Interface, Kind, Parameter, Service, Struct
from loader.contract.plain import c_name, count_of, get, one_each, py_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Interfaces = Mapping[str, Interface]
    Structs = Mapping[str, Struct]

__all__ = ["check_classes", "read_class", "read_function", "read_interface", "read_service", "read_struct"]

_SIZES: dict[Kind, tuple[int, ...]] = {
    Kind.TEXT: (16,),
    Kind.BYTES: (16,),
    Kind.INTEGER: (1, 2, 4, 8),
    Kind.FLOAT: (4,),
    Kind.DOUBLE: (8,),
}
_STRUCTS = (Kind.STRUCT, Kind.LIST)
_RESULTS = (Kind.TEXT, Kind.BYTES, Kind.INTEGER, Kind.FLOAT, Kind.DOUBLE, Kind.NUMBERS, *_STRUCTS)
_PASSED = (*_RESULTS, Kind.TEXTS)  # to a function of a table; _RESULTS it may give
_PARAMETERS = (*_PASSED, Kind.TENSOR, Kind.ARROW, Kind.INTERFACE, Kind.INSTANCE)
_WRITABLE = (Kind.NUMBERS, Kind.LIST, Kind.TENSOR)
_ELEMENT = re.compile("[iu](8|16|32|64)|f(32|64)")
_ROLES = ("new", "next", "free")  # each the only function of its name in a class


def _kind(values: dict[str, Any], allowed: Iterable[Kind]) -> Kind:
    found = Kind(values["kind"])
    if found not in allowed:
        raise ValueError(f"kind is {found.value}")
    return found


def read_struct(values: dict[str, Any], structs: Structs) -> Struct:
    """`structs`: those before it, by name. Raises KeyError, TypeError or ValueError."""
    name, size, sized = c_name(values), get(values, "size", int), get(values, "sized", bool)
    end = 8 if sized else 0
    fields = []
    for each in get(values, "fields", list):
        kind = _kind(each, (*_SIZES, Kind.STRUCT))
        made = Field(
            py_name(each),
            kind,
            count_of(each, "offset"),
            get(each, "size", int),
            get(each, "signed", bool, False),
            *_values(each, kind),
            structs[each["struct"]] if kind is Kind.STRUCT else None,
            count_of(each, "count", 0),
        )
        sizes = _SIZES[kind] if made.struct is None else (made.struct.size,)
        if made.size not in sizes or made.offset < end or made.offset % _alignment(made) or made.count > MAX_STRUCT:
            raise ValueError(f"{name}.{made.name} is {made.size} bytes at offset {made.offset}")
        end = made.offset + made.size * max(made.count, 1)
        fields.append(made)
    one_each(f"members of {name}", [each.name for each in fields])
    if max((_depth(each.struct) for each in fields if each.struct is not None), default=0) >= MAX_DEPTH:
        raise ValueError(f"{name} nests more than {MAX_DEPTH} deep")
    if not end or size < end or size > min(-(-end // 8) * 8, MAX_STRUCT):
        raise ValueError(f"{name} is {size} bytes")
    return Struct(name, size, tuple(fields), sized)


def _depth(struct: Struct) -> int:
    return 1 + max((_depth(each.struct) for each in struct.fields if each.struct is not None), default=0)


def _alignment(part: Field | Struct) -> int:
    if isinstance(part, Struct):
        return max(8 if part.sized else 1, *map(_alignment, part.fields), 1)
    return min(part.size, 8) if part.struct is None else _alignment(part.struct)


def _values(values: dict[str, Any], kind: Kind) -> tuple[tuple[tuple[str, int], ...], str]:
    """Of an enum or bool, and the enum's name; what was written before there were these has none."""
    found, enum = values.get("values", []), get(values, "enum", str, "")
    if not isinstance(found, list) or not all(
        isinstance(each, list) and list(map(type, each)) == [str, int] for each in found
    ):
        raise TypeError(f"values is {found!r}")
    made = tuple((name, value) for name, value in found)
    if enum:
        c_name(values, "enum")
        one_each(f"values of {enum}", [c_name({"name": name}) for name, _ in made])
    elif made not in ((), BOOL):
        raise ValueError(f"values without an enum: {made!r}")
    if (made or enum) and (kind is not Kind.INTEGER or not made):
        raise ValueError(f"{kind.value} with values of {enum or 'bool'}: {made!r}")
    return made, enum


def _parameter(
    values: dict[str, Any], structs: Structs, interfaces: Interfaces, allowed: Iterable[Kind]
) -> Parameter:
    kind = _kind(values, allowed)
    size, element = get(values, "size", int, 8), get(values, "element", str, "")
    wide = {Kind.INTEGER: _SIZES[kind], Kind.FLOAT: (4,)} if kind in (Kind.INTEGER, Kind.FLOAT) else {}
    if kind is Kind.NUMBERS:
        if not _ELEMENT.fullmatch(element):
            raise ValueError(f"element is {element!r}")
        wide = {kind: (int(element[1:]) // 8,)}
    elif element:
        raise ValueError(f"{kind.value} has elements {element!r}")
    writable = get(values, "writable", bool, False)
    if size not in wide.get(kind, (8,)) or (writable and kind not in _WRITABLE):
        raise ValueError(f"{kind.value}: size {size}, writable {writable}")
    return Parameter(
        py_name(values),
        kind,
        size,
        get(values, "signed", bool, False),
        structs[values["struct"]] if kind in _STRUCTS else None,
        *_values(values, kind),
        element,
        writable,
        count_of(values, "position", 0),
        interfaces[values["interface"]] if kind is Kind.INTERFACE else None,
        c_name(values, "cls") if kind is Kind.INSTANCE else "",
    )


def read_function(values: dict[str, Any], structs: Structs, interfaces: Interfaces) -> Function:
    """A contract's. Raises KeyError, TypeError or ValueError."""
    return _function(values, structs, interfaces, (_PARAMETERS, (*_RESULTS, Kind.INSTANCE, Kind.ARROW)))


def _function(
    values: dict[str, Any],
    structs: Structs,
    interfaces: Interfaces,
    allowed: tuple[Iterable[Kind], Iterable[Kind]],
) -> Function:
    given, taken = get(values, "parameters", list), get(values, "results", list, [])
    parameters = tuple(_parameter(each, structs, interfaces, allowed[0]) for each in given)
    results = tuple(_parameter(each, structs, interfaces, allowed[1]) for each in taken)
    both = [*parameters, *results]
    reals = sum(each.kind in (Kind.FLOAT, Kind.DOUBLE) for each in parameters)
    if max(len(both) - reals, reals) > MAX_PARAMETERS:
        raise ValueError(f"{len(both)} parameters")
    positions = {each.position for each in results}
    if len(positions) < len(results) or not positions <= set(range(len(both))):
        raise ValueError("the positions of the results")
    if any(each.writable for each in results):
        raise ValueError("a result that is changed in place")
    gives = None if values.get("gives", "") is None else Kind(values.get("gives", Kind.TEXT.value))
    if gives not in (None, Kind.TEXT, Kind.BYTES):
        raise ValueError(f"gives is {gives.value}")
    made = Function(
        py_name(values),
        parameters,
        get(values, "optional", bool, False),
        gives,
        get(values, "doc", str, ""),
        results,
        get(values, "cls", str, ""),
        get(values, "role", str, ""),
        get(values, "repeatable", bool, False),
    )
    one_each(f"parameters of {made.name}", [each.name for each in both])
    _check_role(made)
    return made


def _check_role(made: Function) -> None:
    """That what a class's function is fits what it takes and gives, by which C code calls it."""
    first = made.parameters[0].cls if made.parameters else ""
    right = {
        "": not made.cls,
        "new": made.gives is None and [each.cls for each in made.results] == [made.cls],
        "method": first == made.cls,
        "next": first == made.cls and len(made.parameters) == 1,
        "free": first == made.cls and len(made.parameters) == 1 and made.gives is None and not made.results,
    }
    named = not made.cls or (
        made.name == f"{made.cls}_{made.method}"
        and not made.method.startswith("_")
        and made.role == (made.method if made.method in _ROLES else "method")
        and made.method not in ("", "close", "closed")
    )
    if not right.get(made.role) or not named or bool(made.cls) is not bool(made.role):
        raise ValueError(f"{made.name} is {made.role or 'none'} of class {made.cls}")


def read_service(values: dict[str, Any], structs: Structs) -> Service:
    """Raises KeyError, TypeError or ValueError."""
    service = Service(get(values, "id", str), c_name(values, "table"), _table(values, structs))
    if not SERVICE_ID.fullmatch(service.id):
        raise ValueError(f"id is {service.id!r}")
    return service


def read_interface(values: dict[str, Any], structs: Structs) -> Interface:
    """Raises KeyError, TypeError or ValueError."""
    functions = _table(values, structs)
    if len(functions) > MAX_FUNCTIONS:
        raise ValueError(f"{len(functions)} functions")
    return Interface(c_name(values), functions)


def _table(values: dict[str, Any], structs: Structs) -> tuple[Function, ...]:
    functions = tuple(_function(each, structs, {}, (_PASSED, _RESULTS)) for each in get(values, "functions", list))
    for each in (part for function in functions for part in function.parameters):
        if each.writable:
            raise ValueError(f"a table does not take {each.name}")
    one_each("functions of a table", [each.name for each in functions])
    if any(each.cls or each.optional or each.repeatable for each in functions):
        raise ValueError("a table's functions are of no class, and all there")
    return functions


def read_class(values: dict[str, Any]) -> Class:
    """Raises KeyError, TypeError or ValueError."""
    return Class(c_name(values), get(values, "shared", bool, False), get(values, "doc", str, ""))


def check_classes(classes: Iterable[Class], functions: Iterable[Function]) -> None:
    """Raises ValueError if functions and classes do not belong together."""
    listed = [each.name for each in classes]
    named, made = set(listed), list(functions)
    parts = (each.cls for function in made for each in (*function.parameters, *function.results))
    unknown = {*parts, *(each.cls for each in made)} - {"", *named}
    lacking = named - {each.cls for each in made if each.role == "free"}
    one_each("classes", listed)
    one_each("functions and classes", [*(each.name for each in made), *named])
    if unknown or lacking:
        raise ValueError(f"classes {', '.join(sorted(unknown | lacking))}")
