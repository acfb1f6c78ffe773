"""What generated code calls types and values of a contract: its name left out in front, and no two of one name.

codec_mode, codec_point        Mode, Point
CODEC_FAST, CODEC_BEST         FAST, BEST
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.words import all_functions, camel, short, tables, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from loader.contract.contract import Contract
    from loader.contract.kinds import Field, Function, Parameter

__all__ = ["OWN", "ShortNames", "borrows", "choice", "enum_user", "notes", "type_names", "value_names"]

#: Roles of functions that have an instance.
OWN = ("method", "next")


def type_names(contract: Contract, reserved: Collection[str]) -> dict[str, str]:
    """What each enum, struct, class, interface and table of a service is called; none as what is reserved."""
    named = [*contract.enums, *(each.name for each in contract.structs), *(each.name for each in contract.classes)]
    named += [each.name for each in tables(contract)]
    wanted = [short(contract, name) for name in named]
    names: dict[str, str] = {}
    for name, known in zip(named, wanted, strict=True):
        longer = wanted.count(known) > 1 or known in reserved
        names[name] = unused(camel(name) if longer else known, {*reserved, *names.values()})
    return names


class ShortNames:
    """Where enums and structs keep their names in C, as in C++ and Zig: the names of all else, none of them twice.

    taken: what is not to be had.
    """

    def __init__(self, contract: Contract, taken: Iterable[str]) -> None:
        self._used = set(taken)
        named = [*(each.name for each in contract.classes), *(each.name for each in tables(contract))]
        self._of = {name: self.new(short(contract, name)) for name in named}
        functions = {each.name: each for each in contract.functions}
        for table in tables(contract):
            functions |= {f"{table.name}_{each.name}": each for each in table.functions}
        several = [name for name, function in functions.items() if len(function.results) > 1]
        self._rows = {name: self.new(f"{short(contract, name)}Result") for name in several}

    def new(self, name: str) -> str:
        """The name, or one like it."""
        name = unused(name, self._used)
        self._used.add(name)
        return name

    def of(self, name: str) -> str:
        """What a class or a table is called."""
        return self._of[name]

    def row(self, function: Function, table: str = "") -> str:
        """The struct of several results: of a plugin's function, or of a table's."""
        return self._rows[f"{table}_{function.name}" if table else function.name]


def value_names(enum: str, values: Iterable[tuple[str, int]], contract: Contract) -> list[tuple[str, int]]:
    """The values of an enum without what all their names begin with: the enum's name, or the contract's."""
    listed = list(values)
    for prefix in (f"{enum}_".upper(), f"{contract.name}_".upper()):
        cut = [name[len(prefix) :] for name, _ in listed if name.upper().startswith(prefix)]
        if len(cut) == len(listed) and all(name[:1].isalpha() for name in cut):
            return [(name, number) for name, (_, number) in zip(cut, listed, strict=True)]
    return listed


def enum_user(contract: Contract, enum: str) -> Parameter | Field:
    """One that is of this enum: it knows the integer that C has in its place."""
    for function in all_functions(contract):
        for part in (*function.parameters, *function.results):
            if part.enum == enum:
                return part
    return next(each for struct in contract.structs for each in struct.fields if each.enum == enum)


def borrows(parts: Sequence[Parameter | Field]) -> bool:
    """Whether texts or bytes are among them, or in their structs."""
    return any(
        part.kind in (Kind.TEXT, Kind.BYTES) or (part.struct is not None and borrows(part.struct.fields))
        for part in parts
    )


def choice(function: Function) -> str:
    """The word by which an author gives an optional function; a class is made and freed by one word."""
    return function.cls if function.role in ("new", "free") else function.name


def notes(function: Function) -> list[str]:
    """What the header says before the function, and what its signature does not show."""
    lines = [line.rstrip() for line in function.doc.splitlines()]
    if function.gives is not None:
        lines += [""] * bool(lines) + [f"What it writes to the call is {function.gives.value}."]
    return lines
