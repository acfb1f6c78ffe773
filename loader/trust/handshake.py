"""Image + Contract -> Candidate: is this file a plugin for this contract, on this machine?

Decided from the export table alone: no code of a refused file runs. The order is fixed and the first thing
that does not hold is the answer, so that a message names the cause and not a consequence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.contract.header import LOADER_ABI, LOADER_ABI_MINOR
from loader.errors import HandshakeError
from loader.image.sanitizer import RULE, lacks_runtime, sanitizer_cure

if TYPE_CHECKING:
    from loader.contract import Contract
    from loader.image import Image

__all__ = ["LOADER_ABI", "LOADER_ABI_MINOR", "Candidate", "check_plugin", "fingerprints", "markers", "shake_hands"]

_MARKER = f"loader_abi_{LOADER_ABI}"
#: Behind a function's name, what a plugin exports that promises never to block in it: LOADER_NEVER_BLOCKS, plugin.h.
_NEVER_BLOCKS = "_never_blocks"
_LOADER_MARKER = re.compile(r"loader_abi_(0|[1-9][0-9]{0,5})\Z")
_NEED = re.compile(rf"{_MARKER}_(0|[1-9][0-9]{{0,5}})\Z")
_EXPORT = (
    "If it is to be a plugin, include the contract's header, or use a kit for its language, and export the symbols"
)
_CONTRACT_MARKER = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,99}?)_abi_(0|[1-9][0-9]{0,5})_(0|[1-9][0-9]{0,5})\Z")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file whose handshake held. It may be loaded once it is trusted.

    `version` is the (major, minor) that the plugin was built against, `missing` the contract's optional
    functions that it does not have, `promises` the functions that it promises never to block in (calls of these keep
    the GIL), `fingerprint` what it says of the declarations that it was built against, None if nothing.
    """

    image: Image
    contract: Contract
    version: tuple[int, int]
    missing: frozenset[str]
    promises: frozenset[str] = frozenset()
    fingerprint: str | None = None

    @property
    def path(self) -> str:
        """The file, as the user named it, absolute."""
        return self.image.path


def markers(image: Image) -> dict[str, list[tuple[int, int]]]:
    """The contracts that a file says it implements: name -> versions, by its exported marker symbols."""
    found: dict[str, list[tuple[int, int]]] = {}
    for export in image.exports:
        match = _CONTRACT_MARKER.match(export) if "_abi_" in export else None
        if match and match[1] != "loader":  # which says what of the base ABI it needs
            found.setdefault(match[1], []).append((int(match[2]), int(match[3])))
    for versions in found.values():
        versions.sort()
    return found


def fingerprints(image: Image, name: str, version: tuple[int, int]) -> list[str]:
    """What a file says of the declarations of a contract's version that it was built against: one, or none.

    As its markers have it: more than one, or not of the form 0x0123456789abcdef, if something is wrong with it.
    """
    start = f"{name}_abi_{version[0]}_{version[1]}_is_"
    return sorted(each[len(start) :] for each in image.exports if each.startswith(start))


def shake_hands(image: Image, contract: Contract, *, built_with: Contract | None = None) -> Candidate:
    """Accepts a plugin of the same major version and a minor that is not newer, else raises HandshakeError.

    built_with: what its author's header says, if that is known: then the error for a plugin that was built against
    other declarations names them.
    """
    check_abi(image)
    # Whoever has the marker of this very version need not be searched for others.
    same = contract.marker in image.exports
    version = (contract.major, contract.minor) if same else _version(image, contract)
    fingerprint = _fingerprint(image, contract, version, built_with)
    if not image.exports.issuperset(contract.required):
        raise _incomplete(image, contract)
    if not (image.data_exports.isdisjoint(contract.required) and image.data_exports.isdisjoint(contract.optional)):
        raise _not_functions(image, contract)
    check_sanitizer(image)
    missing = frozenset(contract.optional) - image.exports
    if contract.classes and missing:
        _check_classes(image, contract, missing)
    return Candidate(image, contract, version, missing, _promises(image, contract), fingerprint)


def check_abi(image: Image) -> None:
    """What comes first, whatever the contract: the file is for this machine, and speaks this host's loader ABI."""
    misfit = image.misfit()
    if misfit is not None:
        what, expected, found, cure = misfit
        raise HandshakeError(what, path=image.path, expected=expected, found=found, cure=cure)
    if _MARKER not in image.exports:
        raise _other_abi(image)
    needed = loader_minor(image)
    if needed > LOADER_ABI_MINOR:
        raise HandshakeError(
            "needs a newer loader",
            path=image.path,
            expected=f"loader ABI {LOADER_ABI}.0 to {LOADER_ABI}.{LOADER_ABI_MINOR}",
            found=f"{_MARKER}_{needed}",
            cure="Update native-plugin-loader, or build the plugin to need less (LOADER_NEEDS)",
        )


def loader_minor(image: Image) -> int:
    """The least minor of the loader ABI that a file says it needs: LOADER_NEEDS."""
    needs = (_NEED.match(each) for each in image.exports if each.startswith(_MARKER))
    return max((int(match[1]) for match in needs if match), default=0)


def check_plugin(image: Image) -> None:
    """What every contract asks of a file. Raises HandshakeError if it can be a plugin for none."""
    check_abi(image)
    if not markers(image):
        raise _no_contract(image, "<contract>_abi_<major>_<minor>")
    check_sanitizer(image)


def _promises(image: Image, contract: Contract) -> frozenset[str]:
    """The contract's functions that the plugin never blocks in, as it says."""
    names = [*contract.required, *contract.optional]
    return frozenset(name for name in names if name + _NEVER_BLOCKS in image.exports)


def _version(image: Image, contract: Contract) -> tuple[int, int]:
    """The newest version of the contract that the file has a marker of and that fits."""
    offered = markers(image)
    versions = offered.get(contract.name, [])
    if not offered:
        raise _no_contract(image, contract.marker)
    accepted = [version for version in versions if version[0] == contract.major and version[1] <= contract.minor]
    if accepted:
        return accepted[-1]
    listed = [f"{name} {major}.{minor}" for name in sorted(offered) for major, minor in offered[name]]
    oldest = "" if contract.minor == 0 else f"{contract.major}.0 to "
    if not versions:
        what, cure = "implements another contract", f"Build it against the header of {contract}"
    elif any(major == contract.major for major, _ in versions):
        what, cure = "wants a newer host", f"Update the application, or build the plugin for {contract}"
    else:
        what = "implements another major version"
        cure = "Update the application" if versions[0][0] > contract.major else f"Rebuild it for {contract}"
    raise HandshakeError(
        what,
        path=image.path,
        expected=f"{contract.name} {oldest}{contract.version}",
        found=", ".join(listed),
        cure=cure,
    )


def _fingerprint(
    image: Image, contract: Contract, version: tuple[int, int], built_with: Contract | None
) -> str | None:
    """What the plugin says of the declarations, which are those that the host knows of this version."""
    found = fingerprints(image, contract.name, version)
    if not found:
        return None  # not stamped, or in a language whose author did not say it
    own = version == (contract.major, contract.minor)
    known = contract.fingerprint if own else contract.stamp(*version)
    if found != [f"0x{known}"]:
        from loader.trust.drift import check_drift  # noqa: PLC0415 - only wanted here

        check_drift(image, contract, version, found, known, built_with)
    return found[0].removeprefix("0x")


# ---- What does not hold ------------------------------------------------------------------------------------


def _other_abi(image: Image) -> HandshakeError:
    expected = f"an exported symbol {_MARKER}"
    abis = sorted(int(match[1]) for match in map(_LOADER_MARKER.match, image.exports) if match)
    if not abis:
        what = "is a shared library but not a plugin"
        found = f"none among its {len(image.exports)} exports"
        cure = _EXPORT
    else:
        what = "speaks another loader ABI"
        found = ", ".join(f"loader_abi_{abi}" for abi in abis)
        cure = "Update native-plugin-loader" if abis[0] > LOADER_ABI else "Rebuild it with today's headers"
    return HandshakeError(what, path=image.path, expected=expected, found=found, cure=cure)


def _no_contract(image: Image, marker: str) -> HandshakeError:
    return HandshakeError(
        "has no marker of a contract",
        path=image.path,
        expected=f"an exported symbol {marker}",
        found=f"none among its {len(image.exports)} exports, {_MARKER} alone",
        cure=_EXPORT,
    )


def _incomplete(image: Image, contract: Contract) -> HandshakeError:
    missing = [name for name in contract.required if name not in image.exports]
    cure = "Define them with C linkage and default visibility"
    if len(missing) == len(contract.required):
        cure += f". In C++, where loader bindings wrote what exports them: {contract.name.upper()}_EXPORT(YourClass);"
    return HandshakeError(
        f"is incomplete for {contract}",
        path=image.path,
        expected=", ".join(contract.required),
        found="no " + ", ".join(missing),
        cure=_nearly_exported(image, contract, missing) or cure,
    )


def _nearly_exported(image: Image, contract: Contract, missing: list[str]) -> str | None:
    """What to do about a function that is exported under a name which comes near, or as C++ names it."""
    from loader.cures import did_you_mean  # noqa: PLC0415 - only wanted here

    known = {function.name for function in contract.functions}
    for name in missing:
        mangled = sorted(each for each in image.exports if each.startswith(f"_Z{len(name)}{name}"))
        if mangled:
            return f'It exports {mangled[0]}, which is C++: write extern "C" before {name}'
        question = did_you_mean(name, image.exports - image.data_exports - known)
        if question:
            return f"{question} It exports that, and the contract has {name}"
    return None


def check_sanitizer(image: Image) -> None:
    """Raises HandshakeError for a file that would end the process when it is loaded."""
    if image.sanitizer is None or not lacks_runtime(image):
        return
    what, expected = RULE
    found = f"-fsanitize={image.sanitizer}"
    raise HandshakeError(what, path=image.path, expected=expected, found=found, cure=sanitizer_cure(image))


def _check_classes(image: Image, contract: Contract, missing: frozenset[str]) -> None:
    """An optional class is there with the function that frees its instances, or not at all."""
    free = {each.cls: each.name for each in contract.functions if each.role == "free"}
    for function in contract.functions:
        for cls in {part.cls for part in (*function.parameters, *function.results)} - {""}:
            if free[cls] in missing and function.name not in missing:
                raise HandshakeError(
                    f"is incomplete for {contract}",
                    path=image.path,
                    expected=f"{free[cls]}, since it has {function.name}",
                    found=f"no {free[cls]}",
                    cure=f"Define the function that frees instances of {cls}",
                )


def _not_functions(image: Image, contract: Contract) -> HandshakeError:
    data = [function.name for function in contract.functions if function.name in image.data_exports]
    return HandshakeError(
        f"is not as {contract} has it",
        path=image.path,
        expected="functions",
        found="data named " + ", ".join(data),
        cure="Export functions",
    )
