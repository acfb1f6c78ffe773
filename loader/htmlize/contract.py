"""The contract htmlize 1.0, as include/htmlize/htmlize.h has it.

Read from contract.json, so that starting the application needs no parser and no cache. After a change of the
header write it anew (a test holds the two against each other):

    loader contract include/htmlize/htmlize.h --json > loader/htmlize/contract.json
"""

from pathlib import Path

from loader.contract import Contract

__all__ = ["HTMLIZE"]

HTMLIZE = Contract.from_json(Path(__file__).with_name("contract.json").read_bytes(), believe=True)
