"""`loader lock`: writes what files are to a lock file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.contracts import add_contract, contract_of, read_images
from loader.cli.files import WriteError
from loader.cli.keys import check_version
from loader.trust.identity import identify
from loader.trust.lockfile import DEFAULT, LockFile

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader lock FILE [FILE ...] [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "a plugin, or a library that one needs", least=1)
    parser.add_argument("--lock", metavar="FILE", default=DEFAULT, help=f"(default: {DEFAULT})")
    parser.add_argument("--version", metavar="V", help="the files' version, for instance 1.2.0")
    newer = "whether newer signed versions may take their place"
    parser.add_argument("--newer", choices=("signed", "no"), help=newer)
    add_contract(parser)


def run(options: Namespace) -> int:
    """Writes what files are to a lock file. What stands there of other plugins and platforms stays."""
    contract = contract_of(options)
    if options.version is not None:
        check_version(options.version)
    path = os.path.abspath(options.lock)
    lock_file = LockFile.read(path) if os.path.lexists(path) else LockFile(path)
    newer = None if options.newer is None else options.newer == "signed"
    locked = []
    for image in read_images(options.words, contract):
        identity = identify(image)
        lock_file = lock_file.add(identity, file=image.path, size=image.size, version=options.version, newer=newer)
        locked.append({"file": image.path, **identity.facts()})
    try:
        lock_file.write()
    except OSError as error:
        raise WriteError("cannot be written", path=path, found=error.strerror or str(error)) from error
    if options.json:
        streams.write_json({"lock": path, "locked": locked})
    else:
        lines = [f"{each['name']} for {each['platform']}: {each['sha256']}" for each in locked]
        streams.write("".join(streams.printable(line) + "\n" for line in lines))
    return 0
