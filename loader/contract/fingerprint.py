"""The fingerprint of a contract's declarations: 16 hexadecimal digits, the first 64 bits of SHA-256 over a text.

The text, which :func:`canonical_text` makes, has all that a header says to both sides of a call:

- functions in the header's order: names, what they write, whether they are optional; parameters and results in their
  places, with names (two of one type that change places are another contract), kinds, sizes and signs;
- structs with sizes, members, offsets; enums with the names of their values; services with id, table and
  functions; interfaces with their functions; classes.

It does not have: comments, what may be repeated after a crash (which changes no call),
what no function uses, name and version (these stand beside the fingerprint wherever it is
told), what plugins need of the loader (LOADER_NEEDS is a marker of its own, and changes no call), and what a part has
by default. The last keeps the text of old headers when parts learn to say more.

Line feeds, names in a fixed order and UTF-8 make it the same on every machine and in every Python. What would make
the header itself say something else on another machine is refused in a stamped one (Structs.check_same): `long` has
4 bytes on Windows and 8 elsewhere, a plain `char` has no sign on ARM. Two headers in one by `#if` have two
fingerprints, of which only one can be stamped.
"""

from __future__ import annotations

import enum
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from loader.contract.kinds import Interface, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loader.contract.kinds import Class, Function, Service

__all__ = ["Parts", "canonical_text", "fingerprint_of"]

#: The first line. Another way to make the text is another number here, and then all stamps are to be made anew.
_FORMAT = "declarations 1"
_NOT_SAID = ("doc", "repeatable")


class Parts(NamedTuple):
    """What a contract declares."""

    functions: Iterable[Function]
    structs: Iterable[Struct]
    services: Iterable[Service]
    interfaces: Iterable[Interface]
    classes: Iterable[Class]


def fingerprint_of(parts: Parts) -> str:
    """16 lower-case hexadecimal digits."""
    from hashlib import sha256  # noqa: PLC0415 - slow to import, and what is cached needs none

    return sha256(canonical_text(parts).encode()).hexdigest()[:16]


def canonical_text(parts: Parts) -> str:
    """What the fingerprint is of. A part is a line, what it is made of follows, one space further right."""
    lines = [_FORMAT]
    for function in parts.functions:
        lines += _lines("function", function)
    for struct in sorted(parts.structs, key=lambda each: each.name):
        lines += _lines("struct", struct)
    for service in sorted(parts.services, key=lambda each: each.id):
        lines += _lines("service", service)
    for interface in sorted(parts.interfaces, key=lambda each: each.name):
        lines += _lines("interface", interface)
    for cls in sorted(parts.classes, key=lambda each: each.name):
        lines += _lines("class", cls)
    return "\n".join([*lines, ""])


def _lines(what: str, part: Any, margin: str = "") -> Iterator[str]:
    """Of one part: first what it says itself, by name, then its parts. What lies within is told by its name."""
    words, inner = [], []
    for each in sorted(fields(part), key=lambda field: field.name):
        value = getattr(part, each.name)
        if each.name in _NOT_SAID or value == each.default:
            continue
        if isinstance(value, (Interface, Struct)):
            words.append(f"{each.name}={value.name}")
        elif is_dataclass(value):
            inner.append((each.name, value))
        elif isinstance(value, tuple) and all(map(is_dataclass, value)):
            inner += [(each.name, one) for one in value]
        else:
            words.append(f"{each.name}={_word(value)}")
    yield " ".join([margin + what, *words])
    for name, one in inner:
        yield from _lines(name, one, margin + " ")


def _word(value: object) -> str:
    """A name, number, yes, no or nothing, or the pairs of an enum."""
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ",".join(f"{name}:{number}" for name, number in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else str(value)
