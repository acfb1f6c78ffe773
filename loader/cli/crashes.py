"""`loader crashes`: what a crash report says, and forgiving a file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from loader.cli import streams
from loader.cli.parser import EXIT_CODES, UsageError
from loader.errors import PluginNotFound

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.trust.quarantine import Crash

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Adds the command to those of `loader`."""
    usage = "loader crashes REPORT [--release FILE ...] [option ...]"
    add = commands.add_parser(
        "crashes",
        usage=usage,
        help="what a crash report says",
        description=_crashes.__doc__,
        epilog=EXIT_CODES,
    )
    add.add_words("REPORT", "written by loader.crash.enable, or by --quarantine", least=1, most=1)
    what = "forgive this file (or SHA-256) its crashes up to now; may be repeated"
    add.add_argument("--release", metavar="FILE", action="append", default=[], help=what)
    add.add_argument("--json", action="store_true", help="as a JSON object, errors too")
    add.set_defaults(command=_crashes)


def _crashes(options: Namespace) -> int:
    """Shows the crashes in a report, oldest first, and which of them keep a file from being loaded."""
    from loader.trust.quarantine import read_released, release  # noqa: PLC0415

    (path,) = options.words
    if not os.path.exists(path):
        raise PluginNotFound("there is no such report", path=path)
    digests = [_digest(each) for each in options.release]
    known = read_released(path)
    for digest, name in zip(digests, options.release, strict=True):
        if all(crash.digest != digest for crash, _ in known):
            raise UsageError(f"{path} has no crash of {name}", found=f"SHA-256 {digest}")
        release(digest, path)
    several = read_released(path) if digests else known
    if options.json:
        streams.write_json({"report": path, "crashes": [_values(*each) for each in several]})
    else:
        streams.write("".join(streams.printable(_line(*each)) + "\n" for each in several))
        if not several:
            streams.message("loader", "info", f"{path}: no crashes")
    return 0


def _digest(name: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", name):
        return name.lower()
    from loader.image import read_image  # noqa: PLC0415

    try:
        return read_image(name).digest
    except PluginNotFound as error:
        error.cure = "If it is gone, say its SHA-256: loader crashes REPORT shows it"
        raise


def _values(crash: Crash, released: bool) -> dict[str, Any]:
    import dataclasses  # noqa: PLC0415 - not for --help

    return dataclasses.asdict(crash) | {"quarantined": _counts(crash, released), "released": released}


def _line(crash: Crash, released: bool) -> str:
    import time  # noqa: PLC0415 - as above

    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(crash.time))
    state = "quarantined" if _counts(crash, released) else "released" if released else "-"
    return f"{when}  {state:<11}  {crash}" + (f"  SHA-256 {crash.digest}" if crash.digest else "")


def _counts(crash: Crash, released: bool) -> bool:
    return crash.digest is not None and not crash.in_service and not released
