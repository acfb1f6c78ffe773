"""Options of the commands that load or check plugins: what must hold of a file before its code runs.

They stand here once, so that `loader call`, `loader list`, `loader verify`, `loader load-report` and
`htmlize` have the same names and mean the same by them. No command looks for a policy in the current folder:
what holds would then depend on where the command is started, and be lost without a word in other folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader.cli.parser import some_path
from loader.observe import crash
from loader.trust import Policy
from loader.trust.signature import PublicKey

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser

__all__ = ["add_policy", "policy_of", "record_crashes"]


def add_policy(parser: Parser, *, runs: bool) -> None:
    """Adds the options, in a group of their own. `runs`: the command runs plugins, so they can crash."""
    group = parser.add_argument_group("what must hold of a plugin before its code runs")
    what = "a policy: pyproject.toml, or another TOML file with [policy]; the options below tighten it"
    group.add_argument("--policy", metavar="FILE", type=some_path, help=what)
    what = "nobody but root and this user can have changed it or its folders"
    group.add_argument("--permissions", action="store_true", help=what)
    group.add_argument(
        "--lock", metavar="FILE", type=some_path, help="this lock file has its digest (see loader lock)"
    )
    what = "this public key (text, or a .pub file) signed it; repeated: one of them (see loader sign)"
    group.add_argument("--key", metavar="FILE", action="append", type=some_path, default=[], help=what)
    what = "it has not crashed by this report" + ("; a crash of this run is added to it" if runs else "")
    group.add_argument("--quarantine", metavar="REPORT", type=some_path, help=what + " (see loader crashes)")


def policy_of(options: Namespace) -> Policy | None:
    """The policy that the options ask for, or None. Raises TrustError."""
    asked: dict[str, Any] = {"permissions": True} if options.permissions else {}
    asked |= {name: value for name in ("lock", "quarantine") if (value := getattr(options, name)) is not None}
    if options.key:
        asked["keys"] = [PublicKey.read(key) if key.endswith(".pub") else PublicKey.parse(key) for key in options.key]
    if options.policy is not None:
        return Policy.from_file(options.policy).tightened(**asked)
    return Policy(**asked) if asked else None


def record_crashes(options: Namespace) -> None:
    """Has this process write its crashes to the report of --quarantine, if there is one. Raises OSError."""
    if options.quarantine is not None:
        crash.enable(options.quarantine)
