"""`loader call`: one function of a plugin, called in a child process."""

from __future__ import annotations

import json
import logging
import os
from base64 import b64encode
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import loader
from loader.cli import streams
from loader.cli.contracts import add_contract, required_contract
from loader.cli.instances import run_steps, steps_of
from loader.cli.isolation import add_isolation, isolation_of
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
    from collections.abc import Callable, Iterator

    from loader.cli.parser import Parser
    from loader.contract import Contract
    from loader.contract.kinds import Function

__all__ = ["EPILOG", "USAGE", "configure", "run"]

USAGE = "loader call FILE FUNCTION [ARG ...] --contract HEADER [option ...]"
EPILOG = """\
Arguments stand in the order of the function's parameters:
  text      as it stands
  integer   decimal or 0x..., or a name that the enum has; true and false for a bool
  bytes     hex:00ff..., @FILE, or text
  struct    FIELD=VALUE words, or one JSON object; fields that are left out are 0 or empty
  interface -, and each call of it is a line on standard error
A class of the contract is called with what makes an instance; then come its methods with a full stop before them:
  loader call zip.so deflater 9 .feed @book.txt .finish --contract zip.h
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
    add_isolation(parser)
    add_policy(parser, runs=True)
    add_contract(parser, required=True)


def run(options: Namespace) -> int:
    """Loads a plugin and calls one function of it."""
    isolation_of(options)  # what cannot be meant is told before anything is read
    contract = required_contract(options)
    options.file, wanted, *words = options.words
    function = next((each for each in contract.functions if each.name == wanted), None)
    classes = {each.name for each in contract.classes}
    if wanted in classes:
        return _call_class(options, contract, wanted, words)
    if function is not None and function.cls:
        raise UsageError(f"{wanted} belongs to class {function.cls}", cure=_class_usage(function))
    if function is None:
        known = [*(each.name for each in contract.functions if not each.cls), *classes]
        raise UsageError(
            f"{contract} has no function {wanted}",
            expected=f"one of: {', '.join(known)}",
            cure=did_you_mean(wanted, known),
        )

    limit = TimeLimit(options.deadline)

    def work() -> int:  # standard input is read here too: the child ends by Ctrl-C whatever it is doing
        arguments = arguments_of(function, words, streams.read_input)
        with limit, _loaded(options, contract) as plugin:
            result = _call_it(plugin, function, arguments)
        changed = {
            each.name: argument.tolist()
            for each, argument in zip(function.parameters, arguments, strict=True)
            if each.writable
        }
        return _show(options, plugin, function, result, changed)

    return _supervised(options, work, limit, function.name)


def _call_class(options: Namespace, contract: Contract, cls: str, words: list[str]) -> int:
    limit = TimeLimit(options.deadline)

    def work() -> int:
        steps = steps_of(contract, cls, words, streams.read_input)
        with limit, _loaded(options, contract) as plugin:
            if cls not in plugin.classes:
                raise HandshakeError(f"does not have the optional class {cls} of {contract}", path=plugin.path)
            results = run_steps(plugin, steps)
        if options.json:
            told = [{"function": function.name, **_result_values(result)} for function, result in results]
            streams.write_json({**_plugin_values(plugin), "class": cls, "results": told})
        else:
            for _, result in results:
                _write(result)
        return 0

    return _supervised(options, work, limit, cls)


def _class_usage(function: Function) -> str:
    use = "" if function.role in ("new", "free") else f" .{function.method}"
    return f"loader call FILE {function.cls} ARG ...{use}"


def _supervised(options: Namespace, work: Callable[[], int], limit: TimeLimit, function: str) -> int:
    if not options.own_process:
        return work()
    if options.in_process:
        record_crashes(options)
        return work()
    path = os.path.abspath(options.file)
    keep = options.quarantine
    return supervise(work, keep=keep, limit=limit, plugin=plugin_name(path), path=path, function=function)


@contextmanager
def _loaded(options: Namespace, contract: Contract) -> Iterator[loader.Plugin]:
    """The plugin, whose log is shown, and which is asked to stop when its time is up."""
    with log_to_stderr("loader", logging.DEBUG):
        plugin = loader.load(
            options.file, contract=contract, policy=policy_of(options), isolation=isolation_of(options)
        )
        with nullcontext() if options.deadline is None else loader.deadline(options.deadline):
            try:
                yield plugin
            except loader.LoaderError:
                raise
            except (TypeError, OverflowError, ValueError) as error:  # a number that its type does not have
                raise UsageError(str(error)) from None


def _call_it(plugin: loader.Plugin, function: Function, arguments: list[Any]) -> object:
    if function.name not in plugin.functions:
        raise HandshakeError(
            f"does not have the optional function {function.name} of {plugin.contract}", path=plugin.path
        )
    return plugin.functions[function.name](*arguments)


def _show(
    options: Namespace, plugin: loader.Plugin, function: Function, result: object, changed: dict[str, Any]
) -> int:
    if options.json:
        named = {**_plugin_values(plugin), "function": function.name}
        streams.write_json(named | _result_values(result) | changed)
    elif changed:
        streams.write(json.dumps({"result": json_of(result)} | changed) + "\n")
    else:
        _write(result)
    return 0


def _write(result: object) -> None:
    """Text and bytes as they are, all else as JSON."""
    if not isinstance(result, (str, bytes)):
        streams.write(json.dumps(json_of(result)) + "\n")
    elif isinstance(result, str) and streams.to_terminal():
        streams.write(streams.printable(result, keep="\n\t") + ("" if result.endswith("\n") else "\n"))
    else:
        streams.write(result if isinstance(result, bytes) else result.encode())


def _plugin_values(plugin: loader.Plugin) -> dict[str, Any]:
    return {
        "plugin": plugin.name,
        "path": plugin.path,
        "contract": plugin.contract.name,
        "version": ".".join(map(str, plugin.version)),
    }


def _result_values(result: object) -> dict[str, Any]:
    return {"base64": b64encode(result).decode()} if isinstance(result, bytes) else {"result": json_of(result)}
