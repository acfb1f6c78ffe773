"""A C header → Contract: what plugins of one kind export, as frozen values.

    greeter = Contract.from_header("greeter.h")
    greeter.function("greet").parameters      # (Parameter(name='name', kind=Kind.TEXT, …),)

The header is read by loader.contract.header, without a compiler. Nothing here is slow to import; the parser is
imported only for a header that was never read before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from loader import cache
from loader.contract.header import MAX_PARAMETERS, MAX_SERVICE_PARAMETERS, MAX_STRUCT
from loader.contract.kinds import Field, Function, Kind, Parameter, Service, Struct
from loader.contract.layout import form_of
from loader.contract.rows import enum_of, row_of
from loader.errors import ContractError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from loader.contract.layout import Form

__all__ = ["MAX_PARAMETERS", "Contract", "Field", "Function", "Kind", "Parameter", "Service", "Struct"]

_T = TypeVar("_T")


class _Forms:
    """What a contract carries and does not declare; no field of the dataclass."""

    __slots__ = ("forms",)
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Contract(_Forms):
    """What plugins of one kind export. Immutable, hashable, and equal if it declares the same.

    functions: in the header's order. digest: SHA-256 of the header and what it includes, hexadecimal (not
    compared), or None if it was not made of a header. marker: the symbol by which a plugin says that it implements
    this contract, "greeter_abi_1_0". required, optional: names of the functions that every plugin must have, and of
    the others. forms: its functions as the C side is told of them.
    """

    name: str
    major: int
    minor: int
    functions: tuple[Function, ...]
    services: tuple[Service, ...] = ()
    digest: str | None = field(default=None, compare=False)
    # Every load asks for these.
    marker: str = field(init=False, repr=False, compare=False)
    required: tuple[str, ...] = field(init=False, repr=False, compare=False)
    optional: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "marker", f"{self.name}_abi_{self.major}_{self.minor}")
        keep(self, "required", tuple(each.name for each in self.functions if not each.optional))
        keep(self, "optional", tuple(each.name for each in self.functions if each.optional))
        keep(self, "forms", tuple(map(form_of, self.functions)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, each.name) for each in fields(self) if each.init)

    @classmethod
    def from_header(cls, path: str | os.PathLike[str], *, include: Sequence[str | os.PathLike[str]] = ()) -> Contract:
        """Reads a contract's C header. See include/loader/plugin.h for how to write one.

        A header that was read before is found by its digest in the user's cache folder, and then costs a
        fraction of a millisecond; NATIVE_PLUGIN_LOADER_CACHE=off turns that off.

        Args:
            path: the header.
            include: folders in which to look for what it includes. "loader/plugin.h" and the system's headers
                need none: they are known and not read.

        Raises:
            ContractError: it says something that is not supported; `found` has the line and the reason, `path` the
                file. ContractNotFound: there is no such file.
        """
        from loader.contract.header import files  # noqa: PLC0415 - loader is imported for shipped contracts too
        from loader.contract.header.target import cache_name  # noqa: PLC0415 - as above

        read = files.gather(path, include)
        values = cache.recall(cache_name(read.digest))
        if values is not None:
            try:
                known = cls.from_dict(values)
            except ContractError:
                pass  # something else wrote it: made anew below
            else:
                if known.digest == read.digest:
                    return known
        from loader.contract.header.rules import contract_values  # noqa: PLC0415 - imports pycparser

        values = contract_values(read)
        contract = cls.from_dict(values)
        cache.keep(cache_name(read.digest), values)
        return contract

    @property
    def version(self) -> str:
        """Major and minor: "1.0"."""
        return f"{self.major}.{self.minor}"

    @property
    def structs(self) -> tuple[Struct, ...]:
        """All structs that functions and services take and give, in order of first use; nested ones come first."""
        found: dict[Struct, None] = {}

        def add(struct: Struct | None) -> None:
            if struct is not None and struct not in found:
                for each in struct.fields:
                    add(each.struct)
                found[struct] = None

        for each in self._parts():
            add(each.struct)
        return tuple(found)

    def _parts(self) -> Iterable[Parameter]:
        """All parameters and results of functions and services."""
        for functions in (self.functions, *(service.functions for service in self.services)):
            for one in functions:
                yield from one.parameters
                yield from one.results

    @property
    def enums(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """The enums that functions, services and structs use: names, and what their values are called."""
        parts = [*self._parts(), *(field for struct in self.structs for field in struct.fields)]
        return {each.enum: each.values for each in parts if each.enum}

    def __getattr__(self, name: str) -> Any:
        """An enum of the contract as an IntEnum, or a struct as the class that results of it have."""
        if not name.startswith("_"):
            enums = self.enums
            if name in enums:
                return enum_of(name, enums[name])
            for struct in self.structs:
                if struct.name == name:
                    return row_of(struct)
        raise AttributeError(f"contract {self} has no {name}", name=name, obj=self)

    def function(self, name: str) -> Function:
        """The function of this name. Raises ContractError if there is none."""
        return self._named("function", name, {each.name: each for each in self.functions})

    def struct(self, name: str) -> Struct:
        """The struct of this name, as its typedef has it. Raises ContractError if no function takes one."""
        return self._named("struct", name, {each.name: each for each in self.structs})

    def service(self, service_id: str) -> Service:
        """The service of this id. Raises ContractError if the contract declares none."""
        return self._named("service", service_id, {each.id: each for each in self.services})

    def _named(self, what: str, name: str, known: dict[str, _T]) -> _T:
        if name not in known:
            raise ContractError(
                f"contract {self} has no {what} {name!r}", expected=f"one of {', '.join(known) or '(none)'}"
            )
        return known[name]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    # ---- Plain values --------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All of it as dicts, lists, strings and numbers; structs stand apart and are referred to by name."""
        return {
            "name": self.name,
            "major": self.major,
            "minor": self.minor,
            "digest": self.digest,
            "structs": [_plain(struct) for struct in self.structs],
            "functions": [_plain(function) for function in self.functions],
            "services": [_plain(service) for service in self.services],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Contract:
        """What :meth:`to_dict` gave, checked. Raises ContractError if it is something else."""
        try:
            structs: dict[str, Struct] = {}
            for each in _get(values, "structs", list):  # nested ones come first
                struct = _struct(each, structs)
                structs[struct.name] = struct
            return cls(
                _get(values, "name", str),
                _count(values, "major"),
                _count(values, "minor"),
                tuple(_function(each, structs, MAX_PARAMETERS) for each in _get(values, "functions", list)),
                tuple(_service(each, structs) for each in _get(values, "services", list)),
                None if values["digest"] is None else _get(values, "digest", str),
            )
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ContractError("these values are not a contract's", found=reason) from error

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON."""
        import json  # noqa: PLC0415

        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> Contract:
        """What :meth:`to_json` gave. Raises ContractError if it is something else."""
        import json  # noqa: PLC0415

        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ContractError("this is not a contract's JSON", found=str(error)) from error
        return cls.from_dict(values)


# ---- Plain values and back ---------------------------------------------------------------------------------
#
# What comes back is checked down to offsets and sizes: C code reads and writes memory by them.

_SIZES: dict[Kind, tuple[int, ...]] = {
    Kind.TEXT: (16,),
    Kind.BYTES: (16,),
    Kind.INTEGER: (1, 2, 4, 8),
    Kind.FLOAT: (4,),
    Kind.DOUBLE: (8,),
}
_PARTS = (Field, Function, Parameter, Service, Struct)
_RESULTS = (Kind.TEXT, Kind.BYTES, Kind.INTEGER, Kind.FLOAT, Kind.DOUBLE, Kind.STRUCT, Kind.NUMBERS)
_PARAMETERS = (*_RESULTS, Kind.TEXTS)
_SERVICE_RESULTS = (Kind.TEXT, Kind.BYTES, Kind.INTEGER, Kind.DOUBLE)
_ELEMENT = re.compile("[iu](8|16|32|64)|f(32|64)")


def _plain(value: object, *, outermost: bool = True) -> object:
    if isinstance(value, Kind):
        return value.value
    if isinstance(value, tuple):
        return [_plain(each, outermost=False) for each in value]
    if isinstance(value, Struct) and not outermost:
        return value.name
    if not isinstance(value, _PARTS):
        return value
    parts = ((each.name, getattr(value, each.name), each.default) for each in fields(value))
    return {name: _plain(part, outermost=False) for name, part, default in parts if part != default}


def _get(values: dict[str, Any], key: str, kind: type[_T], default: _T | None = None) -> _T:
    found = values[key] if default is None else values.get(key, default)
    if type(found) is not kind:  # not isinstance: True is no number here
        raise TypeError(f"{key} is {found!r}")
    return found


def _count(values: dict[str, Any], key: str, default: int | None = None) -> int:
    found = _get(values, key, int, default)
    if found < 0:
        raise ValueError(f"{key} is {found}")
    return found


def _kind(values: dict[str, Any], allowed: Iterable[Kind]) -> Kind:
    found = Kind(values["kind"])
    if found not in allowed:
        raise ValueError(f"kind is {found.value}")
    return found


def _struct(values: dict[str, Any], structs: dict[str, Struct]) -> Struct:
    name, size, sized = _get(values, "name", str), _get(values, "size", int), _get(values, "sized", bool)
    end = 8 if sized else 0
    fields = []
    for each in _get(values, "fields", list):
        kind = _kind(each, (*_SIZES, Kind.STRUCT))
        made = Field(
            _get(each, "name", str),
            kind,
            _count(each, "offset"),
            _get(each, "size", int),
            _get(each, "signed", bool, False),
            _values(each),
            _get(each, "enum", str, ""),
            structs[each["struct"]] if kind is Kind.STRUCT else None,
            _count(each, "count", 0),
        )
        sizes = _SIZES[kind] if made.struct is None else (made.struct.size,)
        if made.size not in sizes or made.offset < end or made.offset % _alignment(made) or made.count > MAX_STRUCT:
            raise ValueError(f"{name}.{made.name} is {made.size} bytes at offset {made.offset}")
        end = made.offset + made.size * max(made.count, 1)
        fields.append(made)
    if not end or size < end or size > min(-(-end // 8) * 8, MAX_STRUCT):
        raise ValueError(f"{name} is {size} bytes")
    return Struct(name, size, tuple(fields), sized)


def _alignment(part: Field | Struct) -> int:
    if isinstance(part, Struct):
        return max(8 if part.sized else 1, *map(_alignment, part.fields), 1)
    return min(part.size, 8) if part.struct is None else _alignment(part.struct)


def _values(values: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Of an enum or bool; what was written before there were these has none."""
    found = values.get("values", [])
    if not isinstance(found, list) or not all(
        isinstance(each, list) and list(map(type, each)) == [str, int] for each in found
    ):
        raise TypeError(f"values is {found!r}")
    return tuple((name, value) for name, value in found)


def _parameter(values: dict[str, Any], structs: dict[str, Struct], allowed: Iterable[Kind]) -> Parameter:
    kind = _kind(values, allowed)
    size, element = _get(values, "size", int, 8), _get(values, "element", str, "")
    wide = {Kind.INTEGER: _SIZES[kind], Kind.FLOAT: (4,)} if kind in (Kind.INTEGER, Kind.FLOAT) else {}
    if kind is Kind.NUMBERS:
        if not _ELEMENT.fullmatch(element):
            raise ValueError(f"element is {element!r}")
        wide = {kind: (int(element[1:]) // 8,)}
    if size not in wide.get(kind, (8,)):
        raise ValueError(f"size is {size}")
    return Parameter(
        _get(values, "name", str),
        kind,
        size,
        _get(values, "signed", bool, False),
        structs[values["struct"]] if kind is Kind.STRUCT else None,
        _values(values),
        _get(values, "enum", str, ""),
        element,
        _get(values, "writable", bool, False),
        _count(values, "position", 0),
    )


def _function(values: dict[str, Any], structs: dict[str, Struct], most: int) -> Function:
    parameters = tuple(_parameter(each, structs, _PARAMETERS) for each in _get(values, "parameters", list))
    results = tuple(_parameter(each, structs, _RESULTS) for each in _get(values, "results", list, []))
    both = [*parameters, *results]
    reals = sum(each.kind in (Kind.FLOAT, Kind.DOUBLE) for each in parameters)
    if max(len(both) - reals, reals) > most:
        raise ValueError(f"{len(both)} parameters")
    positions = {each.position for each in results}
    if len(positions) < len(results) or not positions <= set(range(len(both))):
        raise ValueError("the positions of the results")
    result, gives = values.get("result"), values.get("gives", Kind.TEXT.value)
    return Function(
        _get(values, "name", str),
        parameters,
        _get(values, "optional", bool, False),
        None if gives is None else Kind(gives),
        None if result is None else _parameter(result, structs, _SERVICE_RESULTS),
        _get(values, "doc", str, ""),
        results,
    )


def _service(values: dict[str, Any], structs: dict[str, Struct]) -> Service:
    functions = _get(values, "functions", list)
    return Service(
        _get(values, "id", str),
        _get(values, "table", str),
        tuple(_function(each, structs, MAX_SERVICE_PARAMETERS) for each in functions),
    )
