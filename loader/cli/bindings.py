"""`loader bindings`: a contract's header as source of C++, Rust, Go or Zig, in which a plugin's author fills in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from loader.author.bindings import LANGUAGES, bindings, is_generated
from loader.cli import streams
from loader.cli.contracts import add_include, contract_named, header_named
from loader.cli.files import WriteError, outdated, write_file
from loader.cli.parser import UsageError, some_path
from loader.cures import command_line, from_here

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
    folder = _folder(options, list(made))
    stale = [file for file, text in made.items() if outdated(str(folder / file), text, is_generated)]
    if options.check:
        _tell(options, made, stale, folder, f"is not what the header says. Write it anew: {_command(options)}")
        return 1 if stale else 0
    if stale:
        _make(folder)
    for file in stale:
        write_file(str(folder / file), made[file], 0o666)
    _tell(options, made, stale, folder, "written")
    return 0


def _folder(options: Namespace, files: list[str]) -> Path:
    """What -o names. A file in its place, or a name as these files have it, is a mistake."""
    folder = Path(options.output)
    there = os.path.exists(folder)
    if os.path.isdir(folder) or not (there or folder.suffix in {Path(file).suffix for file in files}):
        return folder
    listed = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    raise UsageError(
        f"-o {options.output}: the files go into a folder",
        expected=f"the folder for {listed}",
        found="a file" if there else "a name as of a file",
        cure=f"Write: {_command(options, str(folder.parent))}",
    )


def _command(options: Namespace, folder: str | None = None) -> str:
    """What writes these bindings, typed in the current folder."""
    include = [word for each in options.include for word in ("-I", each)]
    where = options.output if folder is None else folder
    return command_line("loader", "bindings", options.words[0], "--lang", options.lang, "-o", where, *include)


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


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError("cannot be made", path=str(folder), found=error.strerror or str(error)) from error
