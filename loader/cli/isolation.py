"""Options of the commands that can run plugins in a process of their own: `loader call` and `htmlize`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from loader.cli.parser import UsageError, some_path
from loader.isolation import Isolation

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["add_isolation", "isolation_of"]

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30}


def add_isolation(parser: Parser) -> None:
    """Adds the options, in a group of their own."""
    group = parser.add_argument_group("a process of the plugins' own, without Python")
    group.add_argument(
        "--isolated", action="store_true", help="open them there, confined (see loader doctor --isolation)"
    )
    group.add_argument(
        "--sandbox",
        choices=("default", "strict", "off"),
        help="default: as far as the kernel allows; strict: or not at all; off: not confined",
    )
    group.add_argument("--memory", metavar="BYTES", type=_bytes, help="the most that it may have: 64M, 2G")
    for name in ("read", "write"):
        what = "a file or folder that they may read" + (" and write" if name == "write" else "") + "; may be repeated"
        group.add_argument(f"--{name}", metavar="PATH", type=some_path, action="append", help=what)


def isolation_of(options: Namespace, **more: Any) -> Isolation | None:
    """What the options ask for, and `more`; None: not --isolated. Raises UsageError."""
    asked = {name: getattr(options, name) for name in ("sandbox", "memory", "read", "write")}
    given = {name: value for name, value in asked.items() if value is not None}
    if not options.isolated:
        if given:
            raise UsageError(f"--{min(given)} is about a process of the plugins' own", cure="Say --isolated too")
        return None
    if options.in_process:
        raise UsageError("--isolated and --in-process are two places", cure="Give one of them")
    return Isolation(**given, **more)


def _bytes(value: str) -> int:
    """Type of an option: a number of bytes, or of KiB, MiB or GiB."""
    match = re.fullmatch(r"([0-9]{1,18})([KMG]?)", value)
    found = int(match[1]) << _UNITS[match[2]] if match else 0
    if not 1 << 20 <= found < 1 << 62:
        raise argparse.ArgumentTypeError(f"{value} is not a number of bytes from 1M on, such as 512M or 2G")
    return found
