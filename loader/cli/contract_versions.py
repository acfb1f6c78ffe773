"""`loader contract --stamp` and `--compare`: versions of a contract that cannot drift."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING

from loader.author.sdk import include_dir
from loader.cli import streams
from loader.cli.contracts import contract_named
from loader.contract.compare import changes
from loader.contract.stamp import Stamped, stamp_header
from loader.cures import from_here
from loader.errors import ContractError

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["compare", "stamp", "write_stamp"]


def stamp(options: Namespace) -> int:
    """Writes the fingerprint into the header."""
    made = stamp_header(options.words[0], include=[*options.include, include_dir()], again=options.again)
    changed = made.content != made.before
    if changed:
        write_stamp(made)
    if options.json:
        values = {"path": made.path, "contract": str(made.contract), "fingerprint": made.contract.fingerprint}
        streams.write_json({**values, "changed": changed, "was": made.was if changed else None})
        return 0
    was = f", was 0x{made.was}" if made.was and changed else ""
    done = f"stamped as 0x{made.contract.fingerprint}{was}" if changed else "stamped already, and has not changed"
    streams.write(f"{streams.printable(from_here(made.path))}: {made.contract} is {done}\n")
    return 0


def write_stamp(made: Stamped) -> None:
    """Puts the header in the place of the old one: whole or not at all, with its mode. Raises OSError."""
    target = os.path.realpath(made.path)  # a link stays one
    descriptor, temporary = tempfile.mkstemp(prefix=".loader-stamp.", dir=os.path.dirname(target))
    try:
        with open(descriptor, "wb") as file:
            file.write(made.content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        with open(target, "rb") as file:
            if file.read() != made.before:
                cure = "Save it, and stamp it once more"
                raise ContractError("changed while it was being stamped", path=made.path, cure=cure)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def compare(options: Namespace) -> int:
    """What changed from one header to another, and whether it may within a major version."""
    old, new = (contract_named(word, options, check_stamp=False) for word in options.words)
    found = changes(old, new)
    allowed = all(each.allowed for each in found)
    if options.json:
        values = {"old": str(old), "new": str(new), "fingerprints": [old.fingerprint, new.fingerprint]}
        streams.write_json({**values, "changes": [asdict(each) for each in found], "allowed": allowed})
        return 0 if allowed else 1
    for each in found:
        mark = "allowed" if each.allowed else "breaks "
        streams.write(f"{mark}  {streams.printable(f'{each.part} {each.name}: {each.what}')}\n")
    if not found:
        streams.write(f"{old}: nothing changed\n")
    elif not allowed:
        streams.write(f"Not allowed in {new}: plugins that were built for {old} would not go on\n")
    elif new.major > old.major:
        streams.write(f"Allowed: {new} is another major version, for which plugins are built anew\n")
    return 0 if allowed else 1
