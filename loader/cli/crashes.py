"""`loader crashes`: what a crash report says, and forgiving a file."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from typing import TYPE_CHECKING, Any

from loader.cli import streams
from loader.cli.parser import UsageError, add_json
from loader.errors import PluginNotFound
from loader.image import read_image
from loader.trust.quarantine import read_released, release

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.trust.quarantine import Crash

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader crashes REPORT [--release FILE ...] [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("REPORT", "written by loader.crash.enable, or by --quarantine", least=1, most=1)
    what = "forgive this file (or SHA-256) its crashes up to now; may be repeated"
    parser.add_argument("--release", metavar="FILE", action="append", default=[], help=what)
    add_json(parser)


def run(options: Namespace) -> int:
    """Shows the crashes in a report, oldest first, and which of them keep a file from being loaded."""
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
    try:
        return read_image(name).digest
    except PluginNotFound as error:
        error.cure = "If it is gone, say its SHA-256: loader crashes REPORT shows it"
        raise


def _values(crash: Crash, released: bool) -> dict[str, Any]:
    return dataclasses.asdict(crash) | {"quarantined": _counts(crash, released), "released": released}


def _line(crash: Crash, released: bool) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(crash.time))
    state = "quarantined" if _counts(crash, released) else "released" if released else "-"
    return f"{when}  {state:<11}  {crash}" + (f"  SHA-256 {crash.digest}" if crash.digest else "")


def _counts(crash: Crash, released: bool) -> bool:
    return crash.digest is not None and not crash.in_service and not released
