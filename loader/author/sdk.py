"""Where the files for plugin authors are: headers, the Rust crate, the Go module, the CMake package.

In a shell, for a compiler's command line or a build file:

    python -m loader.author.sdk include      the folder for -I; holds loader/plugin.h and htmlize/htmlize.h
    python -m loader.author.sdk rust         the crate native-plugin, for a path dependency
    python -m loader.author.sdk go           the module native-plugin.example, for a replace directive
    python -m loader.author.sdk zig          the folder of loader.zig, a module that plugins in Zig import
    python -m loader.author.sdk cmake        the folder for -Dloader_DIR= and find_package(loader CONFIG)

Imports nothing of ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["cmake_dir", "go_dir", "include_dir", "rust_dir", "zig_dir"]

_PACKAGE = Path(__file__).resolve().parent.parent


def include_dir() -> Path:
    """The folder of the C and C++ headers, for a compiler's -I.

    In an installed package it is loader/include. A checkout, also an editable install, has it beside loader.

    Raises:
        FileNotFoundError: it is in neither place; the installation is damaged.
    """
    for folder in (_PACKAGE / "include", _PACKAGE.parent / "include"):
        if (folder / "loader" / "plugin.h").is_file():
            return folder
    missing = _PACKAGE / "include" / "loader" / "plugin.h"
    raise FileNotFoundError(f"{missing} does not exist: install native-plugin-loader anew")


def rust_dir() -> Path:
    """The folder of the Rust crate native-plugin. Raises FileNotFoundError as include_dir does."""
    return include_dir() / "rust"


def go_dir() -> Path:
    """The folder of the Go module native-plugin.example. Raises FileNotFoundError as include_dir does."""
    return include_dir() / "go"


def zig_dir() -> Path:
    """The folder of loader.zig. Raises FileNotFoundError as include_dir does."""
    return include_dir() / "zig"


def cmake_dir() -> Path:
    """The folder of the CMake package: loader-config.cmake and what it needs."""
    return _PACKAGE / "cmake"


_FOLDERS = {"include": include_dir, "rust": rust_dir, "go": go_dir, "zig": zig_dir, "cmake": cmake_dir}


def _main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in _FOLDERS:
        print(f"usage: python -m loader.author.sdk {{{','.join(_FOLDERS)}}}", file=sys.stderr)
        return 2
    print(_FOLDERS[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
