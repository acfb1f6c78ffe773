"""What files are, for people (aligned text, everything escaped) and for programs (plain values)."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from loader.cli.streams import printable
from loader.cures import from_here
from loader.errors import HandshakeError, LibraryError, LoaderError, TrustError
from loader.image import this_machine
from loader.image.closure import closure_of
from loader.image.needs import problems
from loader.image.read import read_library, read_to_follow
from loader.trust import check_file
from loader.trust.handshake import check_plugin, fingerprints, markers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from loader.contract import Contract
    from loader.image import Image
    from loader.image.closure import Member
    from loader.load import Found
    from loader.trust import Policy
    from loader.trust.handshake import Candidate

__all__ = [
    "examined",
    "failure_of",
    "found_lines",
    "found_values",
    "handshake_values",
    "image_lines",
    "image_values",
    "obstacle",
    "stamp_notes",
]

_SHOWN = 40  # names of a long list that people are shown; JSON has all
_RIGHT = (False, False, False, True, False)  # which columns of the table stand to the right: the sizes


# ---- Image -------------------------------------------------------------------------------------------------


def image_values(image: Image) -> dict[str, Any]:
    """All that is known of an image, as plain values; sets are sorted lists."""
    values: dict[str, Any] = {"path": image.path, "size": image.size, "digest": image.digest}
    values |= {each.name: getattr(image.machine, each.name) for each in fields(image.machine)}
    for each in fields(image):
        if each.name not in ("file", "machine"):
            values[each.name] = _plain(getattr(image, each.name))
    values |= {"rust": image.rust, "musl": image.musl}
    names = ("name", "needed_by", "kind", "path")
    values["libraries"] = [{name: getattr(each, name) for name in names} for each in members_of(image)]
    values["contracts"] = _versions(image)
    values["fingerprints"] = _fingerprints(image)
    values["mismatch"] = image.mismatch()
    stands = obstacle(image)
    values["loads_here"] = stands is None
    if stands is not None:
        values["obstacle"] = stands.to_dict()
    return values


def handshake_values(contract: object, outcome: Candidate | LoaderError) -> dict[str, Any]:
    """Whether the handshake with a contract holds, as plain values."""
    holds = not isinstance(outcome, Exception)
    values: dict[str, Any] = {"contract": str(contract), "holds": holds}
    if not isinstance(outcome, Exception):
        values |= {"version": "{}.{}".format(*outcome.version), "missing": sorted(outcome.missing)}
        values["fingerprint"] = outcome.fingerprint
    return values


def image_lines(image: Image) -> list[str]:
    """An image for people, a fact a line; what is not the case is not mentioned."""
    runtimes = [image.go_version or "Go" if image.go else "", "Rust" if image.rust else ""]
    warnings = {
        f"built with sanitizer {image.sanitizer}": image.sanitizer is not None,
        "asks for an executable stack": image.executable_stack,
        "changes its code when loaded (text relocations)": image.text_relocations,
        "needs static thread-local storage": image.static_tls,
    }
    facts: list[tuple[str, str]] = [
        ("file", image.path),
        ("size", f"{image.size:,} bytes"),
        ("SHA-256", image.digest),
        ("is", f"{image.kind}, {image.machine}"),
        ("loads here", _loads(image)),
        ("contracts", _contracts(image) or "none: not a plugin"),
        ("fingerprint", "; ".join(_said(*each) for each in _fingerprints(image).items())),
        ("exports", _names(image.exports)),
        ("data exports", _names(image.data_exports)),
        ("soname", image.soname or ""),
        ("needs", ", ".join(image.needed)),
        ("comes with", "; ".join(map(_along, members_of(image)))),
        (
            "versions",
            "; ".join(f"{name}: {', '.join(found)}" for name, found in sorted(image.versions.items())),
        ),
        ("rpath", ", ".join(image.rpath)),
        ("runpath", ", ".join(image.runpath)),
        ("C library", image.libc or ""),
        ("system from", image.minimum_system or ""),
        ("slices", ", ".join(image.slices)),
        ("runtime", ", ".join(filter(None, runtimes))),
        ("made by", "; ".join(image.compilers)),
        ("build id", image.build_id or ""),
        ("debug data", "yes" if image.debug else ""),
        ("mind", "; ".join(text for text, holds in warnings.items() if holds)),
    ]
    shown = [(name, value) for name, value in facts if value]
    width = max(len(name) for name, _ in shown)
    return [f"{name:<{width}}  {printable(value)}" for name, value in shown]


def _loads(image: Image) -> str:
    misfit = image.misfit()
    if misfit is not None:
        return f"no: {misfit.found}; this machine is {this_machine()}. {misfit.cure}"
    stands = obstacle(image)
    return "yes" if stands is None else "no: " + str(stands).removeprefix(f"{image.path}: ")


def members_of(image: Image) -> tuple[Member, ...]:
    """What the dynamic linker would bring along with a file that is for this machine; nothing is said of others."""
    here = image.machine == this_machine() and image.machine.format in ("elf", "pe")
    return closure_of(image, read=read_to_follow).members if here else ()


def _along(member: Member) -> str:
    where = member.path or ("absent, which it may be" if member.kind == "auxiliary" else "not found")
    return f"{member.name} ({where})"


def _plain(value: object) -> object:
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "items"):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _versions(image: Image) -> dict[str, list[str]]:
    return {name: [f"{a}.{b}" for a, b in found] for name, found in sorted(markers(image).items())}


def _contracts(image: Image) -> str:
    return ", ".join(f"{name} {version}" for name, found in _versions(image).items() for version in found)


def _fingerprints(image: Image) -> dict[str, list[str]]:
    """What it says of the declarations that it was built against, of each version that it implements."""
    versions = [(name, each) for name, found in sorted(markers(image).items()) for each in found]
    return {"{} {}.{}".format(name, *each): fingerprints(image, name, each) for name, each in versions}


def _said(version: str, found: Sequence[str]) -> str:
    return f"{', '.join(found)} of {version}" if found else f"none of {version}: not stamped"


def stamp_notes(image: Image, contract: Contract | None) -> list[str]:
    """Where only a version number says that a plugin and its host mean the same. No error."""
    said = _fingerprints(image)
    unsaid = [version for version, found in said.items() if not found]
    notes = []
    if unsaid:
        only = "only that version says against which declarations it was built"
        notes.append(f"it says no fingerprint of {', '.join(unsaid)}: {only}")
    if contract is not None and not contract.stamped:
        notes.append(f"the header of {contract} is not stamped: loader contract --stamp HEADER")
    elif contract is not None:
        known = {f"{contract.name} {major}.{minor}" for major, minor, _ in contract.stamps}
        strange = [version for version, found in said.items() if found and version not in known]
        strange = [version for version in strange if version.startswith(f"{contract.name} {contract.major}.")]
        if strange:
            notes.append(f"the header of {contract} has no fingerprint of {', '.join(strange)} to compare with")
    return notes


def _names(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _SHOWN:,} more (--json has all)" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


# ---- What discovery found ----------------------------------------------------------------------------------


def failure_of(found: Found) -> LoaderError | None:
    """Why a file is no plugin for here. Without a contract too, some files can be none for any."""
    image = found.image
    if found.error is not None or image is None or found.candidate is not None or found.needed_by is not None:
        return found.error
    try:
        check_plugin(image)
    except HandshakeError as error:
        return error
    return None


def examined(several: Iterable[Found], policy: Policy | None) -> list[Found]:
    """The same, with why each would not load: what `loader doctor` finds too, and what the policy says. Nothing is
    run.
    """
    read = cache(read_library)  # most plugins need the same libraries
    return [_examined(found, policy, read) for found in several]


def _examined(found: Found, policy: Policy | None, read: Callable[[str], Image]) -> Found:
    error = failure_of(found)
    if error is None and found.image is not None and found.needed_by is None:
        error = obstacle(found.image, read)
    if error is None and found.image is not None and policy is not None:
        try:
            check_file(found.image, policy)
        except (TrustError, LibraryError) as refused:
            error = refused
    return replace(found, error=error)


def obstacle(image: Image, read: Callable[[str], Image] = read_library) -> LoaderError | None:
    """What is certain to end a load of the file on this machine, by whatever contract; the first of several."""
    fatal = (each for each in problems(image, read=read) if each.fatal)
    return next((each.error(image.path) for each in fatal), None)


def found_values(found: Found) -> dict[str, Any]:
    """One file that discovery found, as plain values."""
    failure = failure_of(found)
    values: dict[str, Any] = {"name": found.name, "path": found.path, "source": found.source}
    if found.image is not None:
        image = found.image
        values |= {"size": image.size, "digest": image.digest, "machine": str(image.machine)}
        values["contracts"] = _versions(image)
    if found.needed_by is not None:
        values["needed_by"] = found.needed_by
    values["status"] = "ok" if failure is None else "failed"
    if failure is not None:
        values["failure"] = failure.to_dict()
    return values


def found_lines(several: Sequence[Found]) -> list[str]:
    """A table with a row for each file: name, contract, what it was built for, size, file, status."""
    rows = [("NAME", "CONTRACT", "BUILT FOR", "SIZE", "FILE", "STATUS")]
    for found in several:
        image, failure = found.image, failure_of(found)
        fine = "ok" if found.needed_by is None else f"a library that {from_here(found.needed_by)} needs"
        reason = fine if failure is None else str(failure).removeprefix(f"{failure.path}: ")
        rows.append(
            (
                found.name,
                "-" if image is None else _contracts(image) or "-",
                "-" if image is None else str(image.machine),
                "-" if image is None else f"{image.size:,}",
                from_here(found.path),
                reason,
            )
        )
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(_width(row[i]) for row in cells) for i in range(5)]
    return ["  ".join([*map(_padded, row[:5], widths, _RIGHT), row[5]]) for row in cells]


def _width(text: str) -> int:
    """Columns that a terminal gives to a text."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) != 0 for each in text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
