"""LOADER_FINGERPRINT(name, major, minor, 0x…); in a header: what it may say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.contract.header import VERSION_PART
from loader.contract.header.refusal import refusal

if TYPE_CHECKING:
    from loader.contract.header.tokens import Token

__all__ = ["StampDeclaration", "check_stamps", "stamp_of"]

# As loader.contract.fingerprint makes them: what stands here is a part of a symbol's name, so there is one way.
_FINGERPRINT = re.compile(r"0x[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class StampDeclaration:
    """One LOADER_FINGERPRINT(name, major, minor, 0x…). place: its number. end: its semicolon."""

    name: str
    version: tuple[int, int]
    fingerprint: str
    place: Token
    end: Token


def stamp_of(tokens: list[Token], arguments: list[list[Token]]) -> StampDeclaration:
    """Of a statement and its four arguments. Raises ContractError if they are malformed."""
    place = tokens[0]
    name, major, minor, fingerprint = arguments
    numbers = ["".join(token.text for token in argument) for argument in (major, minor)]
    digits = "".join(token.text for token in fingerprint)
    if not all(map(VERSION_PART.fullmatch, numbers)) or not _FINGERPRINT.fullmatch(digits):
        raise refusal(
            place.path,
            place.line,
            f"LOADER_FINGERPRINT of {', '.join((*numbers, digits))}",
            expected="major, minor, and 0x with 16 hexadecimal digits in lower case",
            cure="Take the line away, and let loader contract --stamp write it",
        )
    version = (int(numbers[0]), int(numbers[1]))
    text = "".join(token.text for token in name)
    return StampDeclaration(text, version, digits.removeprefix("0x"), fingerprint[0], tokens[-1])


def check_stamps(contract: tuple[str, int, int], stamps: list[StampDeclaration]) -> None:
    """Raises ContractError for stamps that no run of `loader contract --stamp` on this header leaves there."""
    name, *version = contract
    seen: dict[tuple[int, int], StampDeclaration] = {}
    for stamp in stamps:
        shown = "{} {}.{}".format(stamp.name, *stamp.version)
        first = seen.setdefault(stamp.version, stamp)
        if stamp.name != name:
            reason, cure = f"a LOADER_FINGERPRINT of {shown} in the contract {name}", "Take the line away"
        elif stamp.version > tuple(version):
            reason = f"a LOADER_FINGERPRINT of {shown}, which is newer than this header"
            cure = "Raise the version in LOADER_CONTRACT, or take the line away"
        elif first is not stamp:
            reason = f"a second LOADER_FINGERPRINT of {shown}; the first is in line {first.place.line}"
            cure = "Take the one away that was not shipped"
        else:
            continue
        raise refusal(stamp.place.path, stamp.place.line, reason, cure=cure)
