"""The command `loader`: what plugin files are, and calls to them.

Each command is a function below that takes its options and returns an exit code or raises. Imports that only
one of them needs stand in it, so that `loader --help` is quick.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import loader
from loader.cli import crashes, examine, streams, trust
from loader.cli.parser import EXIT_CODES, Parser, UsageError, seconds, wants_json
from loader.cli.policy import add_policy, policy_of, record_crashes
from loader.cli.run import run
from loader.errors import HandshakeError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from loader.contract import Contract, Function
    from loader.trust import Policy
    from loader.trust.handshake import Candidate

__all__ = ["main"]

_CALL_HELP = """\
Arguments stand in the order of the function's parameters:
  text      as it stands
  integer   decimal or 0x...
  bytes     hex:00ff..., @FILE, or text
  struct    FIELD=VALUE words, or one JSON object; fields that are left out are 0 or empty
@- as a text or bytes is standard input. What begins with - comes after --.

The result goes to standard output, bytes as they are; what the plugin logs goes to standard error.
"""

_EXAMPLES = """\
examples:
  loader list plugins/ --contract app.h
  loader inspect plugins/hello.so --json
  loader doctor plugins/hello.so
  loader call hello.so greet World --contract greeter.h
  loader call hello.so greet World --contract greeter.h --policy loader.trust.toml
  cc -shared -fPIC -I"$(loader include-dir)" -o hello.so hello.c
  cmake -B build -Dloader_DIR="$(loader cmake-dir)"
"""

#: Commands that print a folder for plugin authors; each is a function of loader.author.sdk.
_FOLDERS = {
    "include-dir": "the C and C++ headers, for a compiler's -I",
    "cmake-dir": "the CMake package, for -Dloader_DIR=",
    "rust-dir": "the Rust crate, for a path dependency",
    "go-dir": "the Go module, for a replace directive",
}


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
        code: int = options.command(options)
        return code

    return run("loader", command, json=wants_json(given), own_process=own_process)


# ---- The command line --------------------------------------------------------------------------------------


def _parse(arguments: Sequence[str]) -> Namespace:
    parser = Parser(
        prog="loader",
        description="Plugins compiled to native code: find them, look into them, call them.",
        epilog=_EXAMPLES + "\n" + EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"loader {loader.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)

    usage = "loader list [PATH ...] [option ...]"
    add = commands.add_parser("list", usage=usage, help="plugin files in folders", description=_list.__doc__)
    add.add_words("PATH", "folder or file (default: the current folder)")
    add.add_argument("--entry-points", metavar="GROUP", help="entry points of installed packages as well")
    add.add_argument("--environment", metavar="VAR", help="paths in this variable as well, as in PATH")
    add.add_argument("--strict", action="store_true", help="stop at the first failure, with its exit code")
    add_policy(add, runs=False)
    _finish(add, _list)

    usage = "loader inspect FILE [option ...]"
    add = commands.add_parser("inspect", usage=usage, help="what one file is", description=_inspect.__doc__)
    add.add_words("FILE", "any shared library; no code of it is run", least=1, most=1)
    _finish(add, _inspect)

    usage = "loader call FILE FUNCTION [ARG ...] --contract HEADER [option ...]"
    epilog = _CALL_HELP + "\n" + EXIT_CODES
    add = commands.add_parser(
        "call", usage=usage, help="call one function", description=_call.__doc__, epilog=epilog
    )
    what = "a plugin, a function of the contract, its arguments (see below)"
    add.add_words("FILE FUNCTION ARG", what, least=2, paths=False)
    add.add_argument("--deadline", metavar="SECONDS", type=seconds, help="when to ask the plugin to stop")
    add.add_argument("--in-process", action="store_true", help="no child process: for debuggers")
    add_policy(add, runs=True)
    _finish(add, _call, contract_required=True)

    examine.add_commands(commands, _finish, _contract)
    trust.add_commands(commands, _finish, _contract)
    crashes.add_commands(commands)

    for name, what in _FOLDERS.items():
        add = commands.add_parser(name, help=f"folder of {what}", description=f"Prints the folder of {what}.")
        add.add_argument("--json", action="store_true", help="as a JSON object")
        add.set_defaults(command=_folder, folder=name)

    chosen = commands.choices.get(arguments[0]) if arguments else None
    return parser.parse_args(arguments) if chosen is None else chosen.parse(arguments[1:])


def _finish(
    parser: Parser,
    command: Callable[[Namespace], int],
    *,
    contract_required: bool = False,
) -> None:
    """What list, inspect and call have in common."""
    parser.add_argument(
        "--contract",
        metavar="HEADER",
        required=contract_required,
        help="the contract's C header, or the name of one in the folder that `loader include-dir` prints",
    )
    includes = "folder of headers that it includes; may be repeated"
    parser.add_argument("-I", "--include", metavar="DIR", action="append", default=[], help=includes)
    parser.add_argument("--json", action="store_true", help="as a JSON object, errors too")
    parser.set_defaults(command=command)


def _contract(options: Namespace) -> Contract | None:
    """The contract that --contract names: a header, or NAME for NAME/NAME.h among the shipped headers."""
    if options.contract is None:
        return None
    from pathlib import Path  # noqa: PLC0415

    from loader.author.sdk import include_dir  # noqa: PLC0415
    from loader.contract import Contract  # noqa: PLC0415

    shipped = include_dir()
    header = Path(options.contract)
    if not header.exists() and options.contract.isidentifier():
        header = shipped / options.contract / f"{options.contract}.h"
        if not header.is_file():
            known = sorted(path.stem for path in shipped.glob("*/*.h") if path.stem == path.parent.name)
            raise UsageError(
                f"there is no contract {options.contract}",
                expected=f"the path of a C header, or one of: {', '.join(known)}",
            )
    return Contract.from_header(header, include=[*options.include, shipped])


# ---- The commands ------------------------------------------------------------------------------------------


def _list(options: Namespace) -> int:
    """Shows the plugin files that are there, without running any: a row each, with why it would not load."""
    from loader.cli import report  # noqa: PLC0415

    policy = policy_of(options)
    several = loader.discover(
        options.words or ([] if options.entry_points or options.environment else ["."]),
        entry_points=options.entry_points,
        environment=options.environment,
        contract=_contract(options),
        strict=options.strict,
    )
    if policy is not None:
        several = [report.judged(found, policy) for found in several]
    failures = [failure for failure in map(report.failure_of, several) if failure is not None]
    if options.strict and failures:
        raise failures[0]
    if options.json:
        plugins = [report.found_values(found) for found in several]
        streams.write_json({"plugins": plugins, "failed": len(failures)})
    elif several:
        streams.write("\n".join([*report.found_lines(several), ""]))
    else:
        streams.message("loader", "info", "no plugin files there")
    return 1 if failures else 0


def _inspect(options: Namespace) -> int:
    """Shows what a shared library is, from its bytes: format, CPU, exports, contracts, needs, runtime."""
    from loader.cli import report  # noqa: PLC0415
    from loader.trust.handshake import shake_hands  # noqa: PLC0415

    contract = _contract(options)
    image = loader.read_image(options.words[0])
    outcome: Candidate | HandshakeError | None = None
    if contract is not None:
        try:
            outcome = shake_hands(image, contract)
        except HandshakeError as error:
            outcome = error
    if options.json:
        values = report.image_values(image)
        if outcome is not None:
            values["handshake"] = report.handshake_values(contract, outcome)
        if isinstance(outcome, HandshakeError):
            values |= outcome.to_dict()
        streams.write_json(values)
    else:
        streams.write("\n".join([*report.image_lines(image), ""]))
        if outcome is not None and not isinstance(outcome, HandshakeError):
            version = "{}.{}".format(*outcome.version)
            missing = f", without {', '.join(sorted(outcome.missing))}" if outcome.missing else ""
            streams.write(f"\nThe handshake with {contract} holds: version {version}{missing}.\n")
        elif outcome is not None:
            raise outcome
    return outcome.exit_code if isinstance(outcome, HandshakeError) else 0


def _call(options: Namespace) -> int:
    """Loads a plugin and calls one function of it."""
    from loader.cli.supervise import supervise  # noqa: PLC0415
    from loader.cli.values import arguments_of  # noqa: PLC0415
    from loader.trust.identity import plugin_name  # noqa: PLC0415

    contract = _contract(options)
    if contract is None:  # cannot be: argparse asks for it
        raise UsageError("there is no --contract")
    options.file, wanted, *words = options.words
    function = next((each for each in contract.functions if each.name == wanted), None)
    if function is None:
        known = ", ".join(each.name for each in contract.functions)
        raise UsageError(f"{contract} has no function {wanted}", expected=f"one of: {known}")

    policy = policy_of(options)

    def work() -> int:  # standard input is read here too: the child ends by Ctrl-C whatever it is doing
        arguments = arguments_of(function, words, streams.read_input)
        return _call_it(options, contract, policy, function, arguments)

    if not options.own_process:
        return work()
    if options.in_process:
        record_crashes(options)
        return work()
    path = os.path.abspath(options.file)
    keep = options.quarantine
    return supervise(work, keep=keep, plugin=plugin_name(path), path=path, function=function.name)


def _call_it(
    options: Namespace, contract: Contract, policy: Policy | None, function: Function, arguments: list[Any]
) -> int:
    import logging  # noqa: PLC0415
    from contextlib import nullcontext  # noqa: PLC0415

    from loader.cli.logs import log_to_stderr  # noqa: PLC0415

    with log_to_stderr("loader", logging.DEBUG):
        plugin = loader.load(options.file, contract=contract, policy=policy)
        if function.name not in plugin.functions:
            raise HandshakeError(
                f"does not have the optional function {function.name} of {contract}", path=plugin.path
            )
        with nullcontext() if options.deadline is None else loader.deadline(options.deadline):
            try:
                result = plugin.functions[function.name](*arguments)
            except (TypeError, OverflowError) as error:  # an integer that is too large for its parameter
                raise UsageError(str(error)) from None
    if options.json:
        streams.write_json(_call_values(plugin, function, result))
    elif isinstance(result, str) and streams.to_terminal():
        streams.write(streams.printable(result, keep="\n\t") + ("" if result.endswith("\n") else "\n"))
    else:
        streams.write(result if isinstance(result, bytes) else result.encode())
    return 0


def _call_values(plugin: loader.Plugin, function: Function, result: str | bytes) -> dict[str, Any]:
    values: dict[str, Any] = {
        "plugin": plugin.name,
        "path": plugin.path,
        "contract": plugin.contract.name,
        "version": ".".join(map(str, plugin.version)),
        "function": function.name,
    }
    if isinstance(result, bytes):
        from base64 import b64encode  # noqa: PLC0415

        return values | {"base64": b64encode(result).decode()}
    return values | {"result": result}


def _folder(options: Namespace) -> int:
    from loader.author import sdk  # noqa: PLC0415

    folder = getattr(sdk, options.folder.replace("-", "_"))()
    if options.json:
        streams.write_json({"path": str(folder)})
    else:
        streams.write(f"{folder}\n")
    return 0

