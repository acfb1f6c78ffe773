"""A C header → Contract: what plugins of one kind export, as frozen values.

    greeter = Contract.from_header("greeter.h")
    greeter.function("greet").parameters      # (Parameter(name='name', kind=Kind.TEXT, …),)

The header is read by loader.contract.header, without a compiler. Nothing here is slow to import; the parser is
imported only for a header that was never read before.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from loader import cache
from loader.contract.arrays import dtype_of
from loader.contract.layout import form_of
from loader.contract.parts import (
    check_classes,
    read_class,
    read_function,
    read_interface,
    read_service,
    read_struct,
)
from loader.contract.plain import fingerprint_from, get, one_each, read_needs, read_stamp, read_version, to_plain
from loader.contract.rows import enum_of, row_of
from loader.errors import ContractError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from loader.contract.kinds import Class, Field, Function, Interface, Parameter, Service, Stamp, Struct
    from loader.contract.layout import Form

__all__ = ["Contract"]

_T = TypeVar("_T")


class _Forms:
    """What a contract carries and does not declare; no field of the dataclass."""

    __slots__ = ("forms", "known_fingerprint", "known_types")
    forms: tuple[Form, ...]
    known_types: dict[str, type]  # enums and rows that were asked for by name
    known_fingerprint: str | None  # as soon as it was asked for, or from the cache


@dataclass(frozen=True, slots=True)
class Contract(_Forms):
    """What plugins of one kind export. Immutable, hashable, and equal if it declares the same.

    functions: in the header's order. digest: SHA-256 of the header and what it includes, hexadecimal (not
    compared), or None if it was not made of a header. stamps: the fingerprints that the header says of its own
    version and of earlier ones: major, minor, digits (not compared). classes: of LOADER_CLASS. needs: the least minor
    of the loader ABI that all its plugins need (LOADER_NEEDS). marker: the symbol by which a plugin says that it
    implements this contract, "greeter_abi_1_0". required, optional: names of the functions that every plugin must
    have, and of the others. forms: its functions as the C side is told of them.
    """

    name: str
    major: int
    minor: int
    functions: tuple[Function, ...]
    services: tuple[Service, ...] = ()
    digest: str | None = field(default=None, compare=False)
    stamps: tuple[Stamp, ...] = field(default=(), compare=False)
    classes: tuple[Class, ...] = ()
    needs: int = 0
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
        keep(self, "known_fingerprint", None)
        keep(self, "known_types", {})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, each.name) for each in fields(self) if each.init)

    @classmethod
    def from_header(
        cls,
        path: str | os.PathLike[str],
        *,
        include: Sequence[str | os.PathLike[str]] = (),
        check_stamp: bool = True,
    ) -> Contract:
        """Reads a contract's C header. See include/loader/plugin.h for how to write one.

        A header that was read before is found by its digest in the user's cache folder, and then costs a
        fraction of a millisecond; NATIVE_PLUGIN_LOADER_CACHE=off turns that off.

        Args:
            path: the header.
            include: folders in which to look for what it includes. "loader/plugin.h" and the system's headers
                need none: they are known and not read.
            check_stamp: False reads a header that changed since it was stamped, to look at it.

        Raises:
            ContractError: it says something that is not supported; `found` has the line and the reason, `path` the
                file. Or it is stamped (LOADER_FINGERPRINT), and declares something else than it did then.
            ContractNotFound: there is no such file.
        """
        from loader.contract.header import files  # noqa: PLC0415 - loader is imported for shipped contracts too
        from loader.contract.header.target import cache_name  # noqa: PLC0415 - as above

        read = files.gather(path, include)
        values = cache.recall(cache_name(read.digest))
        if values is not None:
            try:
                known = cls.from_dict(values, believe=True)
            except ContractError:
                pass  # something else wrote it: made anew below
            else:
                if known.digest == read.digest:
                    return known
        from loader.contract.header.rules import contract_values  # noqa: PLC0415 - imports pycparser
        from loader.contract.header.stamps import changed  # noqa: PLC0415 - as above

        values = contract_values(read)
        contract = cls.from_dict(values)
        if contract.stamp(contract.major, contract.minor) not in (None, contract.fingerprint):
            if not check_stamp:
                return contract
            raise changed(read, contract.fingerprint)
        cache.keep(cache_name(read.digest), {**values, "fingerprint": contract.fingerprint})
        return contract

    @property
    def version(self) -> str:
        """Major and minor: "1.0"."""
        return f"{self.major}.{self.minor}"

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of all that it declares; see loader/contract/fingerprint.py. Cached with a header."""
        if self.known_fingerprint is None:
            from loader.contract.fingerprint import Parts, fingerprint_of  # noqa: PLC0415 - not where it is cached

            parts = Parts(self.functions, self.structs, self.services, self.interfaces, self.classes)
            object.__setattr__(self, "known_fingerprint", fingerprint_of(parts))
        return self.known_fingerprint or ""

    @property
    def stamped(self) -> bool:
        """Whether the header says the fingerprint of its own version."""
        return self.stamp(self.major, self.minor) is not None

    def stamp(self, major: int, minor: int) -> str | None:
        """The fingerprint that the header says of a version, or None."""
        return next((each[2] for each in self.stamps if each[:2] == (major, minor)), None)

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
        tables: list[Service | Interface] = [*self.services, *self.interfaces]
        for functions in (self.functions, *(table.functions for table in tables)):
            for one in functions:
                yield from one.parameters
                yield from one.results

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """All interfaces that functions take, in order of first use."""
        parts = (part.interface for one in self.functions for part in one.parameters)
        return tuple(dict.fromkeys(each for each in parts if each is not None))

    @property
    def enums(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """The enums that functions, services and structs use: names, and what their values are called."""
        parts: list[Parameter | Field] = [*self._parts()]
        parts += [field for struct in self.structs for field in struct.fields]
        return {each.enum: each.values for each in parts if each.enum}

    def __getattr__(self, name: str) -> Any:
        """An enum of the contract as an IntEnum, or a struct as the class that results of it have."""
        made = None if name.startswith("_") else self.known_types.get(name) or self._type(name)
        if made is None:
            # Without obj, by which Python would ask a second time whether another name was meant.
            raise AttributeError(f"contract {self} {self._absent(name)}", name=name)
        return made

    def _absent(self, name: str) -> str:
        from loader.contract.absent import absent_name  # noqa: PLC0415 - only wanted here

        if name.startswith("_"):  # Python's own questions, mostly
            return f"has no {name}"
        kinds = dict.fromkeys((each.table for each in self.services), "service")
        kinds |= dict.fromkeys((each.name for each in self.interfaces), "interface")
        kinds |= dict.fromkeys((each.name for each in self.functions), "function")
        kinds |= dict.fromkeys((each.name for each in self.classes), "class")
        known = [*self.enums, *(each.name for each in self.structs), *dir(type(self))]
        return absent_name(name, kinds.get(name, ""), known)

    def _type(self, name: str) -> type | None:
        """To look for one among all parts takes a thousand times as long as a call that it is an argument of."""
        enums = self.enums
        made: type | None = enum_of(name, enums[name]) if name in enums else None
        if made is None:
            made = next((row_of(struct) for struct in self.structs if struct.name == name), None)
        if made is not None:
            self.known_types[name] = made
        return made

    def function(self, name: str) -> Function:
        """The function of this name. Raises ContractError if there is none."""
        return self._named("function", name, {each.name: each for each in self.functions})

    def struct(self, name: str) -> Struct:
        """The struct of this name, as its typedef has it. Raises ContractError if no function takes one."""
        return self._named("struct", name, {each.name: each for each in self.structs})

    def dtype(self, name: str) -> Any:
        """NumPy's dtype of a struct, for arrays that are lent as its lists without a copy.

        Raises ContractError if there is no such struct, or NumPy has no such type (text, bytes, a size at the
        beginning); ImportError without NumPy.
        """
        return dtype_of(self.struct(name))

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
            "fingerprint": self.fingerprint,
            "stamps": [list(each) for each in self.stamps],
            "needs": self.needs,
            "structs": [to_plain(struct) for struct in self.structs],
            "interfaces": [to_plain(interface) for interface in self.interfaces],
            "classes": [to_plain(each) for each in self.classes],
            "functions": [to_plain(function) for function in self.functions],
            "services": [to_plain(service) for service in self.services],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, believe: bool = False) -> Contract:
        """What :meth:`to_dict` gave, checked. Raises ContractError if it is something else.

        It is believed as the header would be: a plugin that says no fingerprint is called as the values say. With
        one it is refused if it was built against other declarations.

        believe: the fingerprint is not computed: of what this package wrote itself.
        """
        try:
            structs: dict[str, Struct] = {}
            for each in get(values, "structs", list):  # nested ones come first
                struct = read_struct(each, structs)
                if structs.setdefault(struct.name, struct) is not struct:
                    raise ValueError(f"two structs {struct.name}")
            tables = [read_interface(each, structs) for each in get(values, "interfaces", list, [])]
            interfaces = {each.name: each for each in tables}
            one_each("interfaces", [each.name for each in tables])
            functions = get(values, "functions", list)
            made = cls(
                *read_version(values),
                tuple(read_function(each, structs, interfaces) for each in functions),
                tuple(read_service(each, structs) for each in get(values, "services", list)),
                None if values["digest"] is None else get(values, "digest", str),
                tuple(map(read_stamp, get(values, "stamps", list, []))),
                tuple(map(read_class, get(values, "classes", list, []))),
                read_needs(values),
            )
            check_classes(made.classes, made.functions)
            one_each("services", [each.id for each in made.services])
            told = fingerprint_from(values) if "fingerprint" in values else None
            if believe:
                object.__setattr__(made, "known_fingerprint", told)
            elif told not in (None, made.fingerprint):
                raise ValueError(f"the fingerprint is {told}, of these declarations {made.fingerprint}")
        except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ContractError("these values are not a contract's", found=reason) from error
        return made

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON."""
        import json  # noqa: PLC0415

        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes, *, believe: bool = False) -> Contract:
        """What :meth:`to_json` gave. Raises ContractError if it is something else. believe: as of from_dict."""
        import json  # noqa: PLC0415

        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ContractError("this is not a contract's JSON", found=str(error)) from error
        return cls.from_dict(values, believe=believe)
