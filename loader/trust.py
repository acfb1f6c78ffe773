"""Candidate -> TrustedImage: may this file run?

Whoever loads a plugin runs its code with all of the application's rights; this is the place where the answer
is given, between the handshake and dlopen. Today there is one policy: what the user names is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.handshake import Candidate

__all__ = ["Policy", "TrustedImage", "trust"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What must hold of a file before its code runs.

    ``Policy()`` allows every file that the user names.
    """


@dataclass(frozen=True, slots=True)
class TrustedImage:
    """A candidate that the policy allows to run. Only this can be opened.

    `held` says what was checked and held, for reports.
    """

    candidate: Candidate
    policy: Policy
    held: tuple[str, ...]


def trust(candidate: Candidate, policy: Policy) -> TrustedImage:
    """The candidate, allowed under `policy`; raises TrustError if it is not."""
    return TrustedImage(candidate, policy, ("named by the user",))
