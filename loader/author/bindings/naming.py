"""What generated code calls the types of a contract: its name left out in front, and without two of one name.

    codec_mode, codec_point        Mode, Point
    CODEC_FAST, CODEC_BEST         FAST, BEST
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from loader.contract import Contract
    from loader.contract.kinds import Field, Function, Interface, Parameter

__all__ = ["borrows", "doc_lines", "free_name", "interfaces_of", "pascal", "type_names", "value_names"]


def pascal(name: str) -> str:
    """codec_point → CodecPoint."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def interfaces_of(contract: Contract) -> tuple[Interface, ...]:
    """The interfaces that functions take, in order of first use."""
    parts = (part for function in contract.functions for part in function.parameters)
    return tuple({part.interface.name: part.interface for part in parts if part.interface is not None}.values())


def type_names(contract: Contract, reserved: Collection[str]) -> dict[str, str]:
    """What each enum, struct, class, interface and table of a service is called; none as what is reserved."""
    named = [*contract.enums, *(each.name for each in contract.structs), *(each.name for each in contract.classes)]
    named += [each.name for each in interfaces_of(contract)] + [each.table for each in contract.services]
    wanted = {name: pascal(name.removeprefix(f"{contract.name}_")) for name in named}
    short = list(wanted.values())
    names: dict[str, str] = {}
    for name, known in wanted.items():
        # A name that begins with a digit is no name; two of one kind keep what tells them apart.
        known_bad = short.count(known) > 1 or known in reserved or not known[:1].isalpha()
        names[name] = free_name(pascal(name) if known_bad else known, {*reserved, *names.values()})
    return names


def value_names(enum: str, values: Iterable[tuple[str, int]], contract: Contract) -> list[tuple[str, int]]:
    """The values of an enum without what all their names begin with: the enum's name, or the contract's."""
    listed = list(values)
    for prefix in (f"{enum}_".upper(), f"{contract.name}_".upper()):
        cut = [name[len(prefix) :] for name, _ in listed if name.upper().startswith(prefix)]
        if len(cut) == len(listed) and all(name[:1].isalpha() for name in cut):
            return [(name, number) for name, (_, number) in zip(cut, listed, strict=True)]
    return listed


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The name, with _ behind it as often as it takes to be none of those."""
    while wanted in taken:
        wanted += "_"
    return wanted


def doc_lines(function: Function) -> list[str]:
    """What the header says before the function, and what Python code does not see there."""
    lines = [line.rstrip() for line in function.doc.splitlines()]
    if function.gives is not None:
        what = "text" if function.gives is Kind.TEXT else "bytes"
        lines += [""] * bool(lines) + [f"Writes {what} to the call."]
    return lines


def borrows(parts: Sequence[Parameter | Field]) -> bool:
    """Whether texts or bytes are among them, or in their structs."""
    return any(
        part.kind in (Kind.TEXT, Kind.BYTES) or (part.struct is not None and borrows(part.struct.fields))
        for part in parts
    )
