"""What is played while memory is short: a scene, and what holds of all."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MODE, FOLDER = sys.argv[1], Path(sys.argv[2])


@dataclass
class Scene:
    """What is done, and asserts that its result is right; what must hold after it, given whether it succeeded."""

    play: Callable[[], object]
    after: Callable[[bool], object] = lambda succeeded: None  # noqa: ARG005
    before: Callable[[], object] = lambda: None
    grows: bool = False  # by design: it opens libraries for life
    alone: bool = False  # PyContextVar_Set of CPython 3.11 crashes where two in a row find no memory


def equal(found: object, right: object) -> None:
    """Asserts, with a message that takes little memory."""
    assert found == right, "the answer is wrong"


def unnamed(error: object) -> bool:
    """CPython loses what a Python function raised if it has no memory for its frame (take_ownership, 3.11).

    It says it in the first way where C called the function, and in the second where Python did.
    """
    pattern = (
        r"<(function|bound method) .* returned NULL without setting an exception|error return without exception set$"
    )
    return isinstance(error, SystemError) and re.match(pattern, str(error)) is not None
