"""What generated code calls types and values of a contract: its name left out in front, and no two of one name.

codec_mode, codec_point        Mode, Point
CODEC_FAST, CODEC_BEST         FAST, BEST
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.words import camel, short, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from loader.contract.contract import Contract
    from loader.contract.kinds import Field, Function, Interface, Parameter, Service

__all__ = ["OWN", "borrows", "choice", "enum_user", "notes", "type_names", "value_names"]

#: Roles of functions that have an instance.
OWN = ("method", "next")


def type_names(contract: Contract, reserved: Collection[str]) -> dict[str, str]:
    """What each enum, struct, class, interface and table of a service is called; none as what is reserved."""
    named = [*contract.enums, *(each.name for each in contract.structs), *(each.name for each in contract.classes)]
    named += [each.name for each in contract.interfaces] + [each.table for each in contract.services]
    wanted = [short(contract, name) for name in named]
    names: dict[str, str] = {}
    for name, known in zip(named, wanted, strict=True):
        longer = wanted.count(known) > 1 or known in reserved
        names[name] = unused(camel(name) if longer else known, {*reserved, *names.values()})
    return names


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
    tables: list[Contract | Interface | Service] = [contract, *contract.interfaces, *contract.services]
    for function in (each for table in tables for each in table.functions):
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
