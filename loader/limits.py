"""Deadlines and cancel tokens: how a host stops a plugin that asks loader_cancelled().

A limit belongs to the current context (``contextvars``): threads and asyncio tasks each have their own, and
``asyncio.to_thread`` carries it along. It is cooperative: a plugin that never asks is never stopped. What begins and
ends a block is C (loader/_core/call/limit_scope.c), so that no interrupt leaves a limit in force.
"""

from __future__ import annotations

import operator
import sys
from contextlib import ContextDecorator
from typing import Any

from loader._core._call import CancelToken, Deadline

__all__ = ["CancelToken", "deadline", "output_limit"]


class deadline(Deadline, ContextDecorator):  # noqa: N801 - used like a function
    """Calls made inside see ``loader_cancelled`` say LOADER_DEADLINE once `seconds` have passed.

    Use: ``with loader.deadline(2): plugin.work(...)``, one for each block, or ``@loader.deadline(2)`` for each call
    of a function; the time begins with the block. Deadlines nest; the nearest one counts. A plugin that stops because
    of it raises :class:`loader.DeadlineExceeded`. With 0 or less it has passed already. Raises ValueError for NaN and
    bools, TypeError for what is no number.
    """

    def _recreate_cm(self) -> deadline:
        return deadline(self.seconds)


def output_limit(max_output: Any) -> int | None:
    """`max_output` of hosts, the most bytes that a call may write, or None. Raises ValueError for what is neither."""
    if max_output is None:
        return None
    try:
        number = -1 if isinstance(max_output, bool) else operator.index(max_output)
    except TypeError:
        number = -1
    if not 0 <= number <= sys.maxsize:
        raise ValueError(f"max_output is None or a whole number of bytes from 0 to {sys.maxsize}, not {max_output!r}")
    return number
