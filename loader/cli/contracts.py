"""--contract and --include: the options, the contract that they name, and files that are to implement it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loader.author.sdk import include_dir
from loader.cli.parser import Parser, UsageError, add_json
from loader.contract import Contract
from loader.cures import did_you_mean, near_file
from loader.image import Image, read_image
from loader.trust.handshake import shake_hands

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

__all__ = [
    "add_built_with",
    "add_contract",
    "add_include",
    "built_with",
    "contract_named",
    "contract_of",
    "header_named",
    "read_images",
    "required_contract",
]


def add_contract(parser: Parser, *, required: bool = False) -> None:
    """Adds --contract, and what goes with it."""
    parser.add_argument(
        "--contract",
        metavar="HEADER",
        required=required,
        help="the contract's C header, or the name of one in the folder that `loader include-dir` prints",
    )
    add_include(parser)


def add_include(parser: Parser) -> None:
    """Adds --include and --json, which all commands that read a header have."""
    includes = "folder of headers that it includes; may be repeated"
    parser.add_argument("-I", "--include", metavar="DIR", action="append", default=[], help=includes)
    add_json(parser)


def add_built_with(parser: Parser) -> None:
    """Adds --built-with."""
    text = "the header of the plugin's author: what differs from that of --contract is named"
    parser.add_argument("--built-with", metavar="HEADER", default=None, help=text)


def built_with(options: Namespace) -> Contract | None:
    """The contract that --built-with names, or None."""
    return None if options.built_with is None else contract_named(options.built_with, options)


def contract_of(options: Namespace) -> Contract | None:
    """The contract that --contract names, or None."""
    return None if options.contract is None else contract_named(options.contract, options)


def contract_named(name: str, options: Namespace, *, check_stamp: bool = True) -> Contract:
    """The contract of a header, or NAME for NAME/NAME.h among the shipped headers."""
    include = [*options.include, include_dir()]
    return Contract.from_header(header_named(name), include=include, check_stamp=check_stamp)


def header_named(name: str) -> Path:
    """The path of such a header. Raises UsageError for a name that none ships by."""
    shipped = include_dir()
    header = Path(name)
    if not header.exists() and name.isidentifier():
        header = shipped / name / f"{name}.h"
        if not header.is_file():
            known = sorted(path.stem for path in shipped.glob("*/*.h") if path.stem == path.parent.name)
            raise UsageError(
                f"there is no contract {name}",
                expected=f"the path of a C header, or one of: {', '.join(known)}",
                cure=did_you_mean(name, known) or _near_header(name),
            )
    return header


def _near_header(name: str) -> str | None:
    near = near_file(name, endings=(".h", ".hpp"))
    return None if near is None else f"Did you mean {near}?"


def required_contract(options: Namespace) -> Contract:
    """The same for commands that cannot do without one, which argparse has seen to."""
    contract = contract_of(options)
    if contract is None:
        raise UsageError("there is no --contract")
    return contract


def read_images(paths: Iterable[str], contract: Contract | None) -> list[Image]:
    """The files; each must implement the contract, if there is one. Nothing of them is run."""
    images = [read_image(path) for path in paths]
    if contract is not None:
        for image in images:
            shake_hands(image, contract)
    return images
