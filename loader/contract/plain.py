"""A contract's parts → dicts, lists, strings and numbers, and back: for JSON and the cache.

What comes back is checked down to offsets and sizes: C code reads and writes memory by them.
"""

from __future__ import annotations

import re
from dataclasses import fields
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, TypeVar

from loader.contract.header import (
    CONTRACT_NAME,
    LOADER_ABI_MINOR,
    MAX_DEPTH,
    MAX_FUNCTIONS,
    MAX_PARAMETERS,
    MAX_STRUCT,
    SERVICE_ID,
    VERSION_PART,
)
from loader.contract.kinds import BOOL, Class, Field, Function, Interface, Kind, Parameter, Service, Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from loader.contract.kinds import Stamp

    Interfaces = Mapping[str, Interface]
    Structs = Mapping[str, Struct]

__all__ = [
    "fingerprint_from",
    "get",
    "one_each",
    "read_class",
    "read_function",
    "read_interface",
    "read_needs",
    "read_service",
    "read_stamp",
    "read_struct",
    "read_version",
    "to_plain",
]

_T = TypeVar("_T")

_SIZES: dict[Kind, tuple[int, ...]] = {
    Kind.TEXT: (16,),
    Kind.BYTES: (16,),
    Kind.INTEGER: (1, 2, 4, 8),
    Kind.FLOAT: (4,),
    Kind.DOUBLE: (8,),
}
_PARTS = (Class, Field, Function, Interface, Parameter, Service, Struct)
_APART = (Interface, Struct)  # told once, and by name elsewhere
_STRUCTS = (Kind.STRUCT, Kind.LIST)
_RESULTS = (Kind.TEXT, Kind.BYTES, Kind.INTEGER, Kind.FLOAT, Kind.DOUBLE, Kind.NUMBERS, *_STRUCTS)
_PASSED = (*_RESULTS, Kind.TEXTS)  # to a function of a table; _RESULTS it may give
_PARAMETERS = (*_PASSED, Kind.TENSOR, Kind.ARROW, Kind.INTERFACE, Kind.INSTANCE)
_WRITABLE = (Kind.NUMBERS, Kind.LIST, Kind.TENSOR)
_ELEMENT = re.compile("[iu](8|16|32|64)|f(32|64)")
_ROLES = ("new", "next", "free")  # each the only function of its name in a class


def to_plain(value: object, *, outermost: bool = True) -> object:
    """A part without what is as it mostly is; a struct or interface in it by its name."""
    if isinstance(value, Kind):
        return value.value
    if isinstance(value, tuple):
        return [to_plain(each, outermost=False) for each in value]
    if isinstance(value, _APART) and not outermost:
        return value.name
    if not isinstance(value, _PARTS):
        return value
    parts = ((each.name, getattr(value, each.name), each.default) for each in fields(value))
    return {name: to_plain(part, outermost=False) for name, part, default in parts if part != default}


def get(values: dict[str, Any], key: str, kind: type[_T], default: _T | None = None) -> _T:
    """A value of this type. Raises KeyError or TypeError."""
    found = values[key] if default is None else values.get(key, default)
    if type(found) is not kind:  # not isinstance: True is no number here
        raise TypeError(f"{key} is {found!r}")
    return found


def count_of(values: dict[str, Any], key: str, default: int | None = None) -> int:
    """A number that is not negative. Raises KeyError, TypeError or ValueError."""
    found = get(values, key, int, default)
    if found < 0:
        raise ValueError(f"{key} is {found}")
    return found


def c_name(values: dict[str, Any], key: str = "name") -> str:
    """A name of C. Raises KeyError, TypeError or ValueError.

    The fingerprint is of a text with names in it: with a line feed or blank in one, two contracts had the same.
    """
    found = get(values, key, str)
    if not found.isidentifier() or not found.isascii():
        raise ValueError(f"{key} is {found!r}")
    return found


def _name(values: dict[str, Any]) -> str:
    """The same, of what Python code names too."""
    found = c_name(values)
    if iskeyword(found):
        raise ValueError(f"{found} is a key word of Python")
    return found


def one_each(what: str, names: Collection[str]) -> None:
    """Raises ValueError for a name that is there twice."""
    if len(set(names)) < len(names):
        raise ValueError(f"{what} of one name: {', '.join(names)}")


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
            _name(each),
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
        _name(values),
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
        _name(values),
        parameters,
        get(values, "optional", bool, False),
        gives,
        get(values, "doc", str, ""),
        results,
        get(values, "cls", str, ""),
        get(values, "role", str, ""),
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
    if any(each.cls or each.optional for each in functions):
        raise ValueError("a table's functions are of no class, and all there")
    return functions


def read_class(values: dict[str, Any]) -> Class:
    """Raises KeyError, TypeError or ValueError."""
    return Class(c_name(values), get(values, "shared", bool, False), get(values, "doc", str, ""))


def read_version(values: dict[str, Any]) -> tuple[str, int, int]:
    """Name, major and minor of a contract. Raises KeyError, TypeError or ValueError."""
    name, major, minor = get(values, "name", str), get(values, "major", int), get(values, "minor", int)
    if not CONTRACT_NAME.fullmatch(name) or name == "loader":  # which is the base ABI's, in markers
        raise ValueError(f"name is {name!r}")
    if not all(VERSION_PART.fullmatch(str(part)) for part in (major, minor)):
        raise ValueError(f"version is {major}.{minor}")
    return name, major, minor


def read_needs(values: dict[str, Any]) -> int:
    """Of LOADER_NEEDS; what was written before it was told has none. Raises TypeError or ValueError."""
    found = count_of(values, "needs", 0)
    if found > LOADER_ABI_MINOR:
        raise ValueError(f"needs is {found}, and this loader knows {LOADER_ABI_MINOR}: update native-plugin-loader")
    return found


def fingerprint_from(values: dict[str, Any]) -> str:
    """Raises KeyError, TypeError or ValueError."""
    found = get(values, "fingerprint", str)
    if len(found) != 16 or not set(found) <= set("0123456789abcdef"):
        raise ValueError(f"fingerprint is {found!r}")
    return found


def read_stamp(values: object) -> Stamp:
    """Of [major, minor, fingerprint]. Raises KeyError, TypeError or ValueError."""
    if not isinstance(values, list) or len(values) != 3:
        raise TypeError(f"a stamp is {values!r}")
    named = dict(zip(("major", "minor", "fingerprint"), values, strict=True))
    return count_of(named, "major"), count_of(named, "minor"), fingerprint_from(named)
