"""The command `loader`: which commands there are, and the way into each.

A command is a file here with `configure`, which adds its options, and `run`, whose docstring is its description and
which returns an exit code or raises. Its help ends with its EPILOG, if it has one, and with the exit codes. It is
imported when it is called: `loader --help` and the other commands do not pay for what one of them needs.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import loader
from loader.cli.folders import FOLDERS
from loader.cli.parser import EXIT_CODES, Parser, UsageError, wants_json
from loader.cli.run import run
from loader.cures import did_you_mean

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["main"]

#: Command -> what it is for. Its file has its name, with _ for -.
COMMANDS = {
    "list": "plugin files in folders",
    "inspect": "what one file is",
    "call": "call one function",
    "doctor": "what would fail here, and the cure",
    "contract": "what a contract's header says",
    "bindings": "a contract's header as C++, Rust, Go or Zig",
    "stubs": "types of a contract for mypy and pyright",
    "keygen": "a new key pair to sign with",
    "sign": "sign files",
    "lock": "write digests to a lock file",
    "verify": "check files without running them",
    "load-report": "load one file, with times",
    "crashes": "what a crash report says",
    **{name: f"folder of {what}" for name, what in FOLDERS.items()},
}

_EXAMPLES = """\
examples:
  loader list plugins/ --contract app.h
  loader inspect plugins/hello.so --json
  loader doctor plugins/hello.so
  loader call hello.so greet World --contract greeter.h
  loader call hello.so greet World --contract greeter.h --policy loader.toml
  cc -shared -fPIC -I"$(loader include-dir)" -o hello.so hello.c
  cmake -B build -Dloader_DIR="$(loader cmake-dir)"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    `arguments`: those after the command's name; None: those of the process, which is then taken to exist for
    the command alone: its streams are set up, and plugins are called in a child process. With a list all
    happens in this process.
    """
    own_process = arguments is None
    given = sys.argv[1:] if arguments is None else list(arguments)

    def command() -> int:
        options = _parse(given)
        options.own_process = own_process
        code: int = options.run(options)
        return code

    return run("loader", command, json=wants_json(given), own_process=own_process)


def _parse(arguments: Sequence[str]) -> Namespace:
    parser = Parser(
        prog="loader",
        description="Plugins compiled to native code: find them, look into them, call them.",
        epilog=_EXAMPLES + "\n" + EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"loader {loader.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    name = arguments[0] if arguments else ""
    for each, what in COMMANDS.items():
        if each != name:
            commands.add_parser(each, help=what)
    if name not in COMMANDS:
        _check_first(name, arguments, ("-h", "--help", "--version"))
        return parser.parse_args(arguments)
    command = _module(name)
    description = f"Prints the {COMMANDS[name]}." if name in FOLDERS else command.run.__doc__
    chosen = commands.add_parser(
        name,
        usage=getattr(command, "USAGE", None),
        description=description,
        epilog=getattr(command, "EPILOG", "") + EXIT_CODES,
    )
    command.configure(chosen)
    chosen.set_defaults(run=command.run, folder=name)
    return chosen.parse(arguments[1:])


def _check_first(word: str, arguments: Sequence[str], options: tuple[str, ...]) -> None:
    """Raises UsageError for a first word that is no command and none of the options that stand alone."""
    if not word or word in options or list(arguments) == ["--json"]:
        return
    if not word.startswith("-"):
        hint = did_you_mean(word, COMMANDS)
        if hint is None and os.path.exists(word):
            hint = f"A command comes first: loader inspect {word}"
        raise UsageError(f"there is no command {word}", expected=f"one of: {', '.join(COMMANDS)}", cure=hint)
    behind = next((each for each in arguments if each in COMMANDS), None)
    hint = f"Options come after the command: loader {behind} {word}" if behind else did_you_mean(word, options)
    raise UsageError(f"there is no option {word} before a command", cure=hint or "See loader --help")


def _module(name: str) -> ModuleType:
    return import_module("loader.cli." + ("folders" if name in FOLDERS else name.replace("-", "_")))
