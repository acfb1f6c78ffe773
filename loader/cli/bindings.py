"""`loader bindings`: a contract's header as source of C++, Rust, Go or Zig, in which a plugin's author fills in."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from loader.author.bindings import LANGUAGES, bindings, is_generated
from loader.cli import streams
from loader.cli.contracts import add_include, contract_named, header_named
from loader.cli.parser import UsageError, some_path
from loader.cures import from_here
from loader.errors import LoaderError

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader bindings HEADER --lang cpp|rust|go|zig [-o DIR [--check]] [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("HEADER", "a C header, or the name of one that ships", least=1, most=1)
    parser.add_argument("--lang", choices=LANGUAGES, required=True, help="the language of what is written")
    where = "folder to write into, made if need be; without it a single file goes to standard output"
    parser.add_argument("-o", "--output", metavar="DIR", type=some_path, default=None, help=where)
    check = "write nothing: exit code 1 if a file in DIR is missing or is not what would be written"
    parser.add_argument("--check", action="store_true", help=check)
    add_include(parser)


def run(options: Namespace) -> int:
    """Writes the bindings of a contract for a language: a file which holds all that is unsafe, and says in its
    first line what it was made from. Only such a file is ever overwritten, and only if it would change. For C
    there are none: the header is all.
    """
    if options.check and options.output is None:
        raise UsageError("--check without -o DIR: where are the files?", cure=f"Usage: {USAGE}")
    name = options.words[0]
    contract = contract_named(name, options)
    made = bindings(contract, options.lang, header_named(name))
    if options.output is None:
        return _print(made, options)
    folder = Path(options.output)
    stale = [file for file, text in made.items() if _read(folder / file) != text.encode()]
    if options.check:
        _tell(options, made, stale, folder, "is not what the header says")
        return 1 if stale else 0
    for file in stale:
        _refuse_own(folder / file)
    for file in stale:
        _write(folder / file, made[file])
    _tell(options, made, stale, folder, "written")
    return 0


def _print(made: dict[str, str], options: Namespace) -> int:
    if options.json:
        streams.write_json({"files": made})
    elif len(made) == 1:
        streams.write(*(text.encode() for text in made.values()))
    else:
        raise UsageError(f"these bindings are {len(made)} files", expected="-o DIR", cure=f"Usage: {USAGE}")
    return 0


def _tell(options: Namespace, made: dict[str, str], stale: list[str], folder: Path, what: str) -> None:
    if options.json:
        files = [{"path": str(folder / file), "changed": file in stale} for file in made]
        streams.write_json({"lang": options.lang, "check": options.check, "files": files})
        return
    for file in stale:
        streams.write(f"{streams.printable(from_here(str(folder / file)))}: {what}\n")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _refuse_own(path: Path) -> None:
    """Raises LoaderError for a file that is there and was not generated."""
    before = _read(path)
    if before is not None and not is_generated(before):
        what = "this file was not generated, and is not overwritten"
        cure = "Name another folder with -o, or move the file away"
        raise LoaderError(what, path=str(path), expected="a first line that says so", cure=cure)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a build that reads it at the same time must not find half of it. Raises OSError."""
    target = Path(os.path.realpath(path))  # a link stays one
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".loader-bindings.", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
        mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    """What it is: there is no way to ask without setting it. A command has no other thread that makes files."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
