"""`loader doctor --isolation`: what a plugin's own process is confined by on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from loader.cli import streams
from loader.isolation.probe import confinement_here
from loader.isolation.settings import PARTS

if TYPE_CHECKING:
    from loader.isolation import Confinement

__all__ = ["examine"]

_MEANS = {
    "no_new_privs": "no program that it starts could gain rights",
    "landlock": "it opens the system's libraries, and files that Isolation(read=, write=) names",
    "seccomp": "system calls that a plugin has no use for are refused",
    "rlimits": "limits to descriptors and, if asked for, memory; no core file",
    "descriptors": "it has none of the application's open files",
    "environment": "it has none of the application's environment",
    "namespaces": "network, IPC, mounts and cgroups are its own",
    "capabilities": "it has none of root's rights, and shows nobody its memory",
    "network": "it opens no sockets unless Isolation(network=True) says so",
}


def examine() -> tuple[dict[str, Any], list[str]]:
    """Starts a worker, and says what it is confined by: as values, and as lines. Raises IsolationError."""
    found = confinement_here()
    kernel = f"{os.uname().sysname} {os.uname().release} {os.uname().machine}"
    values = {
        "kernel": kernel,
        "landlock": found.landlock,
        "engaged": list(found.engaged),
        "missing": found.missing,
        "strict": not found.lacks,
    }
    return values, [*_lines(found, kernel), *_verdict(found)]


def _lines(found: Confinement, kernel: str) -> list[str]:
    landlock = f"Landlock's ABI {found.landlock}" if found.landlock else "no Landlock"
    lines = [f"a process of a plugin's own on {kernel}, {landlock}:"]
    for name in PARTS:
        mark = "holds  " if name in found.engaged else "missing"
        why = found.missing.get(name)
        lines.append(f"  {mark}  {name:<13} {_MEANS[name] if why is None else streams.printable(why)}")
    return lines


def _verdict(found: Confinement) -> list[str]:
    if not found.lacks:
        return ['sandbox="strict" starts here']
    names = ", ".join(found.lacks)
    return [
        f'sandbox="strict" does not start here for want of {names}; sandbox="default" goes on without, and says so'
    ]
