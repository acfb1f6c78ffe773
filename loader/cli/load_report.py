"""`loader load-report`: loads one file as an application would, with what each stage checked and its time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.contracts import add_contract, required_contract
from loader.cli.policy import add_policy, policy_of
from loader.cli.supervise import supervise
from loader.observe.report import load_report
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader load-report FILE --contract HEADER [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "the plugin; its constructors run", least=1, most=1)
    add_policy(parser, runs=True)
    add_contract(parser, required=True)


def run(options: Namespace) -> int:
    """Loads a plugin as an application would and shows what each stage checked, and how long it took."""
    contract = required_contract(options)
    policy = policy_of(options)
    path = os.path.abspath(options.words[0])

    def work() -> int:
        report = load_report(path, contract=contract, policy=policy)
        if options.json:
            streams.write_json(report.to_dict())
        else:
            streams.write("".join(streams.printable(line) + "\n" for line in str(report).splitlines()))
        return 0 if report.error is None else report.error.exit_code

    if not options.own_process:
        return work()
    return supervise(work, keep=options.quarantine, plugin=plugin_name(path), path=path)
