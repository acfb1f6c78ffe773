"""What a plugin says of its declarations, and it is not what the host says: built against others of the same version.

What differs can be named where the plugin's header is known: its author's, or one that lies where headers of plugins
lie and has the fingerprint that the plugin says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader.contract import Contract
from loader.contract.compare import changes
from loader.cures import command_line, from_here
from loader.errors import ContractError, HandshakeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.image import Image

__all__ = ["check_drift"]

_LENGTH = 18  # of 0x and 16 digits
_SHOWN = 3  # differences that a message tells
_BINDINGS = "with bindings written anew if it has some (loader bindings HEADER --lang LANG -o DIR)"


def check_drift(
    image: Image,
    contract: Contract,
    version: tuple[int, int],
    found: Sequence[str],
    known: str | None,
    built_with: Contract | None,
) -> None:
    """Raises HandshakeError, unless the plugin says one fingerprint of a version of which the host knows none.

    found: what the plugin says, which is something else than `known`, the host's of that version.
    """
    malformed = not all(map(_well_formed, found))
    if known is None and len(found) == 1 and not malformed:
        return
    named = "{} {}.{}".format(contract.name, *version)
    said, function = ", ".join(found), None
    if malformed:
        what = f"says a malformed fingerprint of {named}"
        cure = "Say it as the header's line LOADER_FINGERPRINT does, in lower case"
    elif len(found) > 1:
        what = f"was built against several declarations of {named}"
        cure = f"Build all its parts against the same header of {named}"
    else:
        what = f"was built against other declarations of {named}"
        cure = f"Rebuild it against the host's header of {named}, {_BINDINGS}"
        theirs = built_with or _header_nearby(image, contract, found[0])
        if version != (contract.major, contract.minor):
            cure += f"; the host has that of {contract}, and knows {named} by its fingerprint alone"
        elif theirs is None or f"0x{theirs.fingerprint}" != said:
            told = command_line("loader", "inspect", from_here(image.path), "--contract", "HEADER", "--built-with")
            cure += (
                f". What differs is told by {told} THEIRS, where THEIRS is its author's header, with its fingerprint"
            )
        else:
            differences, function = _differences(theirs, contract)
            said += f" ({differences})"
    raise HandshakeError(
        what,
        path=image.path,
        function=function,
        expected="0x and 16 hexadecimal digits" if known is None else f"fingerprint 0x{known}",
        found=said,
        cure=cure,
    )


def _differences(theirs: Contract, ours: Contract) -> tuple[str, str | None]:
    """What the host's header says differently, in words; and the first function that is concerned."""
    found = [each for each in changes(theirs, ours) if each.part != "contract"]
    told = [f"{each.part} {each.name} {each.what}" for each in found[:_SHOWN]]
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    functions = (each.name for each in found if each.part == "function")
    words = "; ".join([*told, *more]) or "functions are in another order"
    return f"in the host's header {words}", next(functions, None)


def _well_formed(text: str) -> bool:
    digits = text.removeprefix("0x")
    return len(text) == _LENGTH and len(digits) == _LENGTH - 2 and set(digits) <= set("0123456789abcdef")


def _header_nearby(image: Image, contract: Contract, fingerprint: str) -> Contract | None:
    """A header beside the plugin, or in a folder include there or one above, that has this very fingerprint."""
    folder = os.path.dirname(image.path)
    for place in ("", "include", os.pardir, os.path.join(os.pardir, "include")):
        header = os.path.join(folder, place, f"{contract.name}.h")
        try:
            read = Contract.from_header(header) if os.path.isfile(header) else None  # a pipe would be waited for
        except ContractError:
            continue
        if read is not None and f"0x{read.fingerprint}" == fingerprint:
            return read
    return None
