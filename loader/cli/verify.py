"""`loader verify`: checks files against a policy without running them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from loader.cli import streams
from loader.cli.contracts import add_contract, contract_of, read_images
from loader.cli.parser import UsageError
from loader.cli.policy import add_policy, policy_of
from loader.errors import LoaderError, TrustError
from loader.trust import Policy, check_file
from loader.trust.lockfile import DEFAULT

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader verify FILE [FILE ...] [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "a plugin, or a library that one needs", least=1)
    add_policy(parser, runs=False)
    add_contract(parser)


def run(options: Namespace) -> int:
    """Checks files against a lock file, public keys, permissions or a policy. No code of theirs is run."""
    contract = contract_of(options)
    policy = policy_of(options)
    if policy is None:
        if not os.path.lexists(DEFAULT):
            cure = "Give --lock, --key, --permissions, --quarantine or --policy"
            raise UsageError("there is nothing to check against, and no loader.lock here", cure=cure)
        policy = Policy(lock=DEFAULT)
    results: list[dict[str, Any]] = []
    failures: list[LoaderError] = []
    for path in options.words:
        try:
            (image,) = read_images([path], contract)
            checks = check_file(image, policy)
            if not checks:
                raise TrustError("is not covered by the policy", path=image.path, found="no rule for its folder")
            results.append({"file": image.path, "holds": True, "checks": list(checks)})
        except LoaderError as error:
            failures.append(error)
            results.append({"file": os.path.abspath(path), "holds": False, "failure": error.to_dict()})
    if options.json:
        streams.write_json({"files": results, "failed": len(failures)})
    else:
        for each in results:
            if each["holds"]:
                streams.write(streams.printable(f"{each['file']}: {'; '.join(each['checks'])}") + "\n")
        for failure in failures:
            streams.message("loader", "error", str(failure))
    return max((failure.exit_code for failure in failures), default=0)
