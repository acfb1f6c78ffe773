"""`loader inspect`: what a shared library is, from its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import loader
from loader.cli import report, streams
from loader.cli.contracts import add_built_with, add_contract, built_with, contract_of
from loader.errors import HandshakeError
from loader.trust.handshake import shake_hands

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.trust.handshake import Candidate

__all__ = ["configure", "run"]

USAGE = "loader inspect FILE [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "any shared library; no code of it is run", least=1, most=1)
    add_contract(parser)
    add_built_with(parser)


def run(options: Namespace) -> int:
    """Shows what a shared library is, from its bytes: format, CPU, exports, contracts, needs, runtime."""
    contract = contract_of(options)
    image = loader.read_image(options.words[0])
    outcome: Candidate | HandshakeError | None = None
    if contract is not None:
        try:
            outcome = shake_hands(image, contract, built_with=built_with(options))
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
            notes = "".join(f"\nMind: {each}." for each in report.stamp_notes(image, contract))
            streams.write(f"{notes}\nThe handshake with {contract} holds: version {version}{missing}.\n")
        elif outcome is not None:
            raise outcome
    return outcome.exit_code if isinstance(outcome, HandshakeError) else 0
