"""Where a header says its fingerprints, and the error if that of its own version does not fit.

Not a step of reading: the fingerprint is of what all steps together made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader.contract.header.declarations import Unit, split
from loader.contract.header.preprocess import preprocess
from loader.cures import command_line
from loader.errors import ContractError

if TYPE_CHECKING:
    from loader.contract.header.files import Files

__all__ = ["changed", "stamp_command", "stamps_of"]


def stamps_of(files: Files) -> Unit:
    """The declarations with their stamps, and where these stand. Raises ContractError."""
    return split(files.header, preprocess(files))


def changed(files: Files, fingerprint: str) -> ContractError:
    """The error for a header that says another fingerprint of its own version than it has now, which is this."""
    unit = stamps_of(files)
    stamp = unit.stamp()
    name, major, minor = unit.contract
    said = "none" if stamp is None else f"0x{stamp.fingerprint} (line {stamp.place.line})"
    return ContractError(
        f"this contract header declares something else than {name} {major}.{minor} did when it was stamped",
        path=files.header if stamp is None else stamp.place.path,
        expected=f"declarations with the fingerprint {said}",
        found=f"0x{fingerprint}",
        cure=f"Raise the version in LOADER_CONTRACT, then: {stamp_command(files.header)}. If {name} {major}.{minor} "
        f"was never given to anybody: {stamp_command(files.header, again=True)}",
    )


def stamp_command(header: str, *, again: bool = False) -> str:
    """How a header is stamped, typed in the current folder."""
    flags = ["--stamp", "--again"] if again else ["--stamp"]
    return command_line("loader", "contract", *flags, os.fspath(header))
