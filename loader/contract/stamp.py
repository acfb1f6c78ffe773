"""Writes a contract's fingerprint into its header: `loader contract --stamp`.

One line LOADER_FINGERPRINT is added or changed, every other byte stays. What would be written is read first, as a
header is read, so that a line which does not stand where C sees it is never written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.contract.contract import Contract
from loader.contract.header import files
from loader.contract.header.rules import contract_values
from loader.contract.header.stamps import stamp_command, stamps_of
from loader.errors import ContractError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from loader.contract.header.declarations import Unit
    from loader.contract.header.files import Files
    from loader.contract.header.stamp_line import StampDeclaration

__all__ = ["Stamped", "stamp_header"]

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


@dataclass(frozen=True, slots=True)
class Stamped:
    """A header with its stamp. content: to be written in the place of `before`. was: the stamp that it replaces."""

    path: str
    contract: Contract
    before: bytes
    content: bytes
    was: str | None = None


def stamp_header(
    path: str | os.PathLike[str], *, include: Sequence[str | os.PathLike[str]] = (), again: bool = False
) -> Stamped:
    """What is to be written. Nothing is.

    Args:
        path: the header.
        include: as of Contract.from_header.
        again: a stamp of the same version that does not fit is replaced: it was never given to anybody.

    Raises:
        ContractError: the header is not supported; it is stamped, and declares something else now; or no line can be
            added where LOADER_CONTRACT stands.
    """
    read = files.gather(path, include)
    with open(read.header, "rb") as file:
        before = file.read()
    contract = Contract.from_dict(contract_values(read, to_stamp=True))
    unit = stamps_of(read)
    stamp = unit.stamp()
    if stamp is not None and stamp.fingerprint == contract.fingerprint:
        return Stamped(read.header, contract, before, before, stamp.fingerprint)
    if stamp is not None and not again:
        raise _stamped_already(contract, stamp, read.header)
    content = _edited(before, unit, contract, stamp, read.header)
    # The reader's text of what would be written, in the place of the file's.
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    after = read._replace(texts={**read.texts, read.header: text})
    _check(after, contract)
    return Stamped(read.header, contract, before, content, None if stamp is None else stamp.fingerprint)


def _stamped_already(contract: Contract, stamp: StampDeclaration, header: str) -> ContractError:
    return ContractError(
        f"{contract} is stamped already, and declares something else now",
        path=stamp.place.path,
        expected=f"declarations with the fingerprint 0x{stamp.fingerprint} (line {stamp.place.line})",
        found=f"0x{contract.fingerprint}",
        cure=f"Raise the version in LOADER_CONTRACT and stamp that. If {contract} was never given to anybody: "
        f"{stamp_command(header, again=True)}",
    )


def _edited(before: bytes, unit: Unit, contract: Contract, stamp: StampDeclaration | None, header: str) -> bytes:
    """The header's bytes with the line."""
    lines = _LINE.findall(before)
    if stamp is not None:
        _check_place(stamp.place.path, header, contract)
        at = stamp.place.line - 1
        old, new = f"0x{stamp.fingerprint}".encode(), f"0x{contract.fingerprint}".encode()
        lines[at] = lines[at].replace(old, new, 1)
        return b"".join(lines)
    ends = [each.end for each in unit.stamps if each.end.path == header]
    end = ends[-1] if ends else unit.end
    if end is None:
        raise AssertionError("a header that was read has a LOADER_CONTRACT")
    _check_place(end.path, header, contract)
    above = lines[end.line - 1]
    margin = above[: len(above) - len(above.lstrip(b" \t"))]
    newline = above[len(above.rstrip(b"\r\n")) :]
    version = f"{contract.name}, {contract.major}, {contract.minor}"
    line = margin + f"LOADER_FINGERPRINT({version}, 0x{contract.fingerprint});".encode()
    if not newline:  # the file's last line, which has no end
        above += _newline(lines[0])
    lines[end.line - 1 : end.line] = [above, line + newline]
    return b"".join(lines)


def _newline(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :] or b"\n"


def _check_place(path: str, header: str, contract: Contract) -> None:
    if path != header:
        what = f"{contract} is not named in this header, but in one that it includes"
        cure = "Move LOADER_CONTRACT and its LOADER_FINGERPRINT lines into the header that plugins include"
        raise ContractError(what, path=header, found=path, cure=cure)


def _check(after: Files, contract: Contract) -> None:
    """Raises ContractError unless what would be written says what is meant."""
    line = f"LOADER_FINGERPRINT({contract.name}, {contract.major}, {contract.minor}, 0x{contract.fingerprint});"
    cure = f"Write it by hand: {line}"
    try:
        made = Contract.from_dict(contract_values(after))
    except ContractError as error:
        what = "no line can be added behind LOADER_CONTRACT"
        raise ContractError(what, path=after.header, found=error.found, cure=cure) from error
    if made != contract or made.stamp(made.major, made.minor) != contract.fingerprint:
        what = "a line behind LOADER_CONTRACT would change what the header says, or is not seen there"
        raise ContractError(what, path=after.header, cure=cure)
