"""`loader include-dir` and its like: where a plugin author's headers, kits and CMake functions lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author import sdk
from loader.cli import streams
from loader.cli.parser import add_json

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["configure", "run"]

#: Commands that print a folder; each is a function of loader.author.sdk.
FOLDERS = {
    "include-dir": "the C and C++ headers, for a compiler's -I",
    "cmake-dir": "the CMake package, for -Dloader_DIR=",
    "rust-dir": "the Rust crate, for a path dependency",
    "go-dir": "the Go module, for a replace directive",
    "zig-dir": "loader.zig, for a module named loader",
}


def configure(parser: Parser) -> None:
    """Adds the command's options."""
    add_json(parser)


def run(options: Namespace) -> int:
    """Prints the folder."""
    folder = getattr(sdk, options.folder.replace("-", "_"))()
    if options.json:
        streams.write_json({"path": str(folder)})
    else:
        streams.write(f"{folder}\n")
    return 0
