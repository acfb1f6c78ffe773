"""A contract → dicts, lists, strings and numbers, for JSON and the cache; and what is read back, one value at a time.

Functions, structs and the like are read by parts.py.
"""

from __future__ import annotations

from dataclasses import fields
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, TypeVar

from loader.contract.header import CONTRACT_NAME, LOADER_ABI_MINOR, VERSION_PART
from loader.contract.kinds import Class, Field, Function, Interface, Kind, Parameter, Service, Struct

if TYPE_CHECKING:
    from collections.abc import Collection

    from loader.contract.kinds import Stamp

__all__ = [
    "c_name",
    "count_of",
    "fingerprint_from",
    "get",
    "one_each",
    "py_name",
    "read_needs",
    "read_stamp",
    "read_version",
    "to_plain",
]

_T = TypeVar("_T")

_PARTS = (Class, Field, Function, Interface, Parameter, Service, Struct)
_APART = (Interface, Struct)  # told once, and by name elsewhere


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


def py_name(values: dict[str, Any]) -> str:
    """The same, of what Python code names too."""
    found = c_name(values)
    if iskeyword(found):
        raise ValueError(f"{found} is a key word of Python")
    return found


def one_each(what: str, names: Collection[str]) -> None:
    """Raises ValueError for a name that is there twice."""
    if len(set(names)) < len(names):
        raise ValueError(f"{what} of one name: {', '.join(names)}")


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
