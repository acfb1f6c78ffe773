"""`loader stubs`: a contract's types for type checkers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.contracts import add_include, contract_named
from loader.cli.files import outdated, write_file
from loader.cli.parser import UsageError, some_path
from loader.contract.stubs import is_generated, stub_of
from loader.cures import command_line

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader stubs HEADER [-o FILE.pyi [--check]] [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("HEADER", "a C header, or the name of one that ships", least=1, most=1)
    out = "where to (default: standard output): beside a FILE.py that reads the header"
    parser.add_argument("-o", "--output", metavar="FILE.pyi", type=some_path, default=None, help=out)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if FILE.pyi would change")
    add_include(parser)


def run(options: Namespace) -> int:
    """Writes the stub (.pyi) of a contract, with which mypy and pyright check calls of its plugins: functions,
    classes, enums, rows, and what an application lends. The same header gives the same text.
    """
    if options.check and options.output is None:
        raise UsageError("--check without -o", cure=f"Usage: {USAGE}")
    contract = contract_named(options.words[0], options)
    text = stub_of(contract, os.path.basename(options.words[0]))
    path = options.output
    if path is not None:
        _check_name(path, contract.name)
    if path is None:
        values = {"contract": str(contract), "stub": text}
        streams.write_json(values) if options.json else streams.write(text)
        return 0
    changed = outdated(path, text, is_generated)
    if changed and not options.check:
        write_file(path, text, 0o666)
    if options.json:
        streams.write_json({"contract": str(contract), "path": path, "changed": changed})
    elif not changed:
        streams.write(f"{streams.printable(path)}: has the types of {contract} already\n")
    elif options.check:
        include = [word for each in options.include for word in ("-I", each)]
        again = streams.printable(command_line("loader", "stubs", options.words[0], "-o", path, *include))
        streams.write(f"{streams.printable(path)}: does not have the types of {contract}. Write it anew: {again}\n")
    else:
        streams.write(f"{streams.printable(path)}: written, the types of {contract}\n")
    return 1 if changed and options.check else 0


def _check_name(path: str, name: str) -> None:
    """A type checker reads a stub by its ending, beside the module that it is of."""
    stem = os.path.splitext(path)[0]
    if os.path.isdir(path):
        found, meant = "a folder", os.path.join(path, f"{name}.pyi")
    elif not path.endswith(".pyi"):
        found, meant = "another ending", f"{stem}.pyi"
    else:
        return
    what = f"-o {path}: a stub is a file whose name ends with .pyi"
    raise UsageError(what, expected="-o FILE.pyi, beside FILE.py", found=found, cure=f"Write: -o {meant}")
