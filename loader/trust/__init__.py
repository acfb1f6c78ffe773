"""Candidate -> TrustedImage: may this file run? Nothing of it has run yet.

In: an Image and a Contract (handshake.py gives a Candidate), and a Policy. Out: a TrustedImage, the one thing that
library/ opens. Open first: trust.py; each thing that a policy can ask for has a file of its own.
"""

from loader.trust.policy import DEFAULT_POLICY, Policy
from loader.trust.trust import (
    NAMED,
    TrustedImage,
    asks_for_steps,
    asks_nothing,
    check_file,
    check_image,
    may_isolate,
    minimum,
    require,
    signed_version,
    trust,
)

__all__ = [
    "DEFAULT_POLICY",
    "NAMED",
    "Policy",
    "TrustedImage",
    "asks_for_steps",
    "asks_nothing",
    "check_file",
    "check_image",
    "may_isolate",
    "minimum",
    "require",
    "signed_version",
    "trust",
]
