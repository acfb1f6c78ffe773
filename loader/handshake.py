"""Image + Contract -> Candidate: is this file a plugin for this contract, on this machine?

Decided from the export table alone: no code of a refused file runs. The order is fixed and the first thing
that does not hold is the answer, so that a message names the cause and not a consequence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from loader.errors import HandshakeError
from loader.image import this_machine

if TYPE_CHECKING:
    from loader.contract import Contract
    from loader.image import Image

__all__ = ["LOADER_ABI", "Candidate", "markers", "shake_hands"]

#: The version of include/loader/plugin.h that this host speaks.
LOADER_ABI = 1

_LOADER_MARKER = re.compile(r"loader_abi_(0|[1-9][0-9]{0,5})\Z")
_CONTRACT_MARKER = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,99}?)_abi_(0|[1-9][0-9]{0,5})_(0|[1-9][0-9]{0,5})\Z")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file whose handshake held. It may be loaded once it is trusted.

    `version` is the (major, minor) that the plugin was built against, `missing` the contract's optional
    functions that it does not have.
    """

    image: Image
    contract: Contract
    version: tuple[int, int]
    missing: frozenset[str]

    @property
    def path(self) -> str:
        """The file, as the user named it, absolute."""
        return self.image.path


def markers(image: Image) -> dict[str, list[tuple[int, int]]]:
    """The contracts that a file says it implements: name -> versions, by its exported marker symbols."""
    found: dict[str, list[tuple[int, int]]] = {}
    for export in image.exports:
        match = _CONTRACT_MARKER.match(export) if "_abi_" in export else None
        if match:
            found.setdefault(match[1], []).append((int(match[2]), int(match[3])))
    for versions in found.values():
        versions.sort()
    return found


def shake_hands(image: Image, contract: Contract) -> Candidate:
    """Accepts a plugin of the same major version and a minor that is not newer, else raises HandshakeError."""

    def refuse(what: str, *, expected: str, found: str, cure: str) -> NoReturn:
        raise HandshakeError(what, path=image.path, expected=expected, found=found, cure=cure)

    foreign = image.mismatch()
    if foreign is not None:
        here = this_machine()
        cure = f"Build it for {here.machine} {here.system}" if image.machine != here else "Link it with -shared only"
        refuse("cannot run here", expected=str(here), found=foreign, cure=cure)

    expected = f"loader_abi_{LOADER_ABI}"
    if expected not in image.exports:
        abis = sorted(int(match[1]) for match in map(_LOADER_MARKER.match, image.exports) if match)
        expected = f"an exported symbol {expected}"
        if not abis:
            cure = "Include the contract's header, or use its Rust or Go kit, and export the symbols"
            found = f"none among its {len(image.exports)} exports"
            refuse("is a shared library but not a plugin", expected=expected, found=found, cure=cure)
        cure = "Update native-plugin-loader" if abis[0] > LOADER_ABI else "Rebuild it with today's headers"
        found = ", ".join(f"loader_abi_{abi}" for abi in abis)
        refuse("speaks another loader ABI", expected=expected, found=found, cure=cure)

    # Whoever has the marker of this very version need not be searched for others.
    same = contract.marker in image.exports
    offered = {contract.name: [(contract.major, contract.minor)]} if same else markers(image)
    versions = offered.get(contract.name, [])
    accepted = [version for version in versions if version[0] == contract.major and version[1] <= contract.minor]
    if not accepted:
        listed = [f"{name} {major}.{minor}" for name in sorted(offered) for major, minor in offered[name]]
        found = ", ".join(listed) or "no contract's marker"
        oldest = "" if contract.minor == 0 else f"{contract.major}.0 to "
        expected = f"{contract.name} {oldest}{contract.version}"
        if not versions:
            cure = f"Build it against the header of {contract}"
            refuse("implements another contract", expected=expected, found=found, cure=cure)
        if all(major != contract.major for major, _ in versions):
            cure = "Update the application" if versions[0][0] > contract.major else f"Rebuild it for {contract}"
            refuse("implements another major version", expected=expected, found=found, cure=cure)
        cure = f"Update the application, or build the plugin for {contract}"
        refuse("wants a newer host", expected=expected, found=found, cure=cure)

    absent = [name for name in contract.required if name not in image.exports]
    if absent:
        cure = "Define them with C linkage and default visibility"
        found = "no " + ", ".join(absent)
        refuse(f"is incomplete for {contract}", expected=", ".join(contract.required), found=found, cure=cure)
    data = [function.name for function in contract.functions if function.name in image.data_exports]
    if data:
        found = "data named " + ", ".join(data)
        refuse(f"is not as {contract} has it", expected="functions", found=found, cure="Export functions")
    optional = {function.name for function in contract.functions if function.optional}
    return Candidate(image, contract, accepted[-1], frozenset(optional - image.exports))
