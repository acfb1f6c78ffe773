"""What structs and enums of a contract are in Python where they are results: rows, and members of an IntEnum.

A row is a tuple with names, as of collections.namedtuple; but any name of C is allowed, and rows pickle without a
module that has their class.
"""

from __future__ import annotations

import enum
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loader.contract.kinds import Function, Struct

__all__ = ["Row", "enum_of", "members_of", "result_of", "row_of"]


class Row(tuple[Any, ...]):
    """A result of several values, or a struct. Its class has a property for each, in the order of `_fields`."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, *values: Any, **named: Any) -> Row:
        """The values in order, by name, or both. Raises TypeError if one is missing, unknown or given twice."""
        rest = cls._fields[len(values) :]
        if len(values) > len(cls._fields) or set(rest) != set(named):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}")
        return super().__new__(cls, (*values, *(named[name] for name in rest)))

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Row:
        """Of the values in order, as a named tuple has it."""
        return cls(*values)

    def _replace(self, **named: Any) -> Row:
        """The same with other values of these names."""
        return type(self)(**{**self._asdict(), **named})

    def _asdict(self) -> dict[str, Any]:
        """Names and values."""
        return dict(zip(self._fields, self, strict=True))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _restore, (type(self).__name__, self._fields, tuple(self))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({values})"


@cache
def _class(name: str, fields: tuple[str, ...]) -> type[Row]:
    # By itemgetter: the fastest that Python has for a property.
    members: dict[str, Any] = {each: property(itemgetter(place)) for place, each in enumerate(fields)}
    return type(name, (Row,), {**members, "__slots__": (), "_fields": fields, "__match_args__": fields})


def _restore(name: str, fields: tuple[str, ...], values: Iterable[Any]) -> Row:
    """What unpickling calls."""
    return _class(name, fields)(*values)


def row_of(struct: Struct) -> type[Row]:
    """The class of a struct's rows."""
    return _class(struct.name, tuple(field.name for field in struct.fields))


def result_of(declared: Function) -> type[Row]:
    """The class of what a function gives that has several results."""
    written = () if declared.gives is None else (declared.gives.value,)
    return _class(declared.name, (*written, *(each.name for each in declared.results)))


class ContractEnum(enum.IntEnum):
    """An enum of a header. Pickles without a module that has its class."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        named = tuple((name, each.value) for name, each in type(self).__members__.items())
        return _member, (type(self).__name__, named, self.value)


@cache
def enum_of(name: str, values: tuple[tuple[str, int], ...]) -> type[ContractEnum]:
    """The class of an enum of a header: its name, and its values'."""
    made: Any = ContractEnum  # for type checkers its call is one of a member
    return cast("type[ContractEnum]", made(name, list(values), module=__name__))


def _member(name: str, values: tuple[tuple[str, int], ...], value: int) -> ContractEnum:
    """What unpickling calls."""
    return enum_of(name, values)(value)


def members_of(name: str, values: tuple[tuple[str, int], ...]) -> dict[int, object]:
    """Values and what they are in Python: of a bool (which has no name) or an enum."""
    return {0: False, 1: True} if not name else {each.value: each for each in enum_of(name, values)}
