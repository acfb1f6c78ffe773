"""`loader list`: the plugin files that are there, without running any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import loader
from loader.cli import report, streams
from loader.cli.contracts import add_contract, contract_of
from loader.cli.policy import add_policy, policy_of

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["configure", "run"]

USAGE = "loader list [PATH ...] [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("PATH", "folder or file (default: the current folder)")
    parser.add_argument("--entry-points", metavar="GROUP", help="entry points of installed packages as well")
    parser.add_argument("--environment", metavar="VAR", help="paths in this variable as well, as in PATH")
    parser.add_argument("--strict", action="store_true", help="stop at the first failure, with its exit code")
    add_policy(parser, runs=False)
    add_contract(parser)


def run(options: Namespace) -> int:
    """Shows the plugin files that are there, without running any: a row each, with why it would not load."""
    policy = policy_of(options)
    several = loader.discover(
        options.words or ([] if options.entry_points or options.environment else ["."]),
        entry_points=options.entry_points,
        environment=options.environment,
        contract=contract_of(options),
        strict=options.strict,
    )
    several = report.examined(several, policy)
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
