"""`loader call`: one function of a plugin, called in a child process."""

from __future__ import annotations

import json
import logging
import os
from base64 import b64encode
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import loader
from loader.cli import streams
from loader.cli.contracts import add_contract, required_contract
from loader.cli.logs import log_to_stderr
from loader.cli.parser import UsageError, seconds
from loader.cli.policy import add_policy, policy_of, record_crashes
from loader.cli.supervise import TimeLimit, supervise
from loader.cli.values import arguments_of, json_of
from loader.cures import did_you_mean
from loader.errors import HandshakeError
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.contract import Contract
    from loader.contract.kinds import Function
    from loader.trust import Policy

__all__ = ["EPILOG", "USAGE", "configure", "run"]

USAGE = "loader call FILE FUNCTION [ARG ...] --contract HEADER [option ...]"
EPILOG = """\
Arguments stand in the order of the function's parameters:
  text      as it stands
  integer   decimal or 0x..., or a name that the enum has; true and false for a bool
  bytes     hex:00ff..., @FILE, or text
  struct    FIELD=VALUE words, or one JSON object; fields that are left out are 0 or empty
@- as a text or bytes is standard input. What begins with - comes after --.

The result goes to standard output, text and bytes as they are, all else as JSON; what the plugin logs goes to
standard error.

"""


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    what = "a plugin, a function of the contract, its arguments (see below)"
    parser.add_words("FILE FUNCTION ARG", what, least=2, paths=False)
    when = "when to ask the plugin to stop; a second later it is ended"
    parser.add_argument("--deadline", metavar="SECONDS", type=seconds, help=when)
    parser.add_argument("--in-process", action="store_true", help="no child process: for debuggers")
    add_policy(parser, runs=True)
    add_contract(parser, required=True)


def run(options: Namespace) -> int:
    """Loads a plugin and calls one function of it."""
    contract = required_contract(options)
    options.file, wanted, *words = options.words
    function = next((each for each in contract.functions if each.name == wanted), None)
    if function is None:
        known = [each.name for each in contract.functions]
        raise UsageError(
            f"{contract} has no function {wanted}",
            expected=f"one of: {', '.join(known)}",
            cure=did_you_mean(wanted, known),
        )

    policy = policy_of(options)
    limit = TimeLimit(options.deadline)

    def work() -> int:  # standard input is read here too: the child ends by Ctrl-C whatever it is doing
        arguments = arguments_of(function, words, streams.read_input)
        with limit:
            result = _call_it(options, contract, policy, function, arguments)
        changed = {
            each.name: argument.tolist()
            for each, argument in zip(function.parameters, arguments, strict=True)
            if each.writable
        }
        return _show(options, *result, changed)

    if not options.own_process:
        return work()
    if options.in_process:
        record_crashes(options)
        return work()
    path = os.path.abspath(options.file)
    keep = options.quarantine
    name = plugin_name(path)
    return supervise(work, keep=keep, limit=limit, plugin=name, path=path, function=function.name)


def _call_it(
    options: Namespace, contract: Contract, policy: Policy | None, function: Function, arguments: list[Any]
) -> tuple[loader.Plugin, Function, object]:
    with log_to_stderr("loader", logging.DEBUG):
        plugin = loader.load(options.file, contract=contract, policy=policy)
        if function.name not in plugin.functions:
            raise HandshakeError(
                f"does not have the optional function {function.name} of {contract}", path=plugin.path
            )
        with nullcontext() if options.deadline is None else loader.deadline(options.deadline):
            try:
                result = plugin.functions[function.name](*arguments)
            except loader.LoaderError:
                raise
            except (TypeError, OverflowError, ValueError) as error:  # a number that its type does not have
                raise UsageError(str(error)) from None
    return plugin, function, result


def _show(
    options: Namespace, plugin: loader.Plugin, function: Function, result: object, changed: dict[str, Any]
) -> int:
    if options.json:
        streams.write_json(_call_values(plugin, function, result) | changed)
    elif changed or not isinstance(result, (str, bytes)):
        shown = {"result": json_of(result)} | changed if changed else json_of(result)
        streams.write(json.dumps(shown) + "\n")
    elif isinstance(result, str) and streams.to_terminal():
        streams.write(streams.printable(result, keep="\n\t") + ("" if result.endswith("\n") else "\n"))
    else:
        streams.write(result if isinstance(result, bytes) else result.encode())
    return 0


def _call_values(plugin: loader.Plugin, function: Function, result: object) -> dict[str, Any]:
    values: dict[str, Any] = {
        "plugin": plugin.name,
        "path": plugin.path,
        "contract": plugin.contract.name,
        "version": ".".join(map(str, plugin.version)),
        "function": function.name,
    }
    if isinstance(result, bytes):
        return values | {"base64": b64encode(result).decode()}
    return values | {"result": json_of(result)}
