"""Deadlines and cancel tokens: how a host stops a plugin that asks loader_cancelled().

A limit belongs to the current context (``contextvars``): threads and asyncio tasks each have their own, and
``asyncio.to_thread`` carries it along. It is cooperative: a plugin that never asks is never stopped.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from loader._core._call import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Token
    from types import TracebackType

__all__ = ["CancelToken", "deadline"]


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Calls made inside see ``loader_cancelled`` say LOADER_DEADLINE once `seconds` have passed.

    The GIL is released around every call under a deadline. Deadlines nest; the nearest one counts. A plugin
    that stops because of it raises :class:`loader.DeadlineExceeded`.
    """
    limit = Limit(seconds, Limit.current())
    token = limit.enter()
    try:
        yield
    finally:
        limit.leave(token)


class CancelToken:
    """A flag that any thread may raise to stop the calls made under it.

    Use: ``with token: plugin.work(...)`` in one thread, ``token.cancel()`` in another. It may be entered by
    several threads at once and stays cancelled for good. A plugin that stops because of it raises
    :class:`loader.CallCancelled`.
    """

    __slots__ = ("_entered", "_flag")

    def __init__(self) -> None:
        self._flag = Limit()
        self._entered: dict[Limit, Token[Limit]] = {}

    def cancel(self) -> None:
        """Asks every call under this token to stop, those that run now included."""
        self._flag.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._flag.status() != 0

    def __enter__(self) -> CancelToken:
        limit = Limit(None, Limit.current(), self._flag)
        token = limit.enter()
        try:
            self._entered[limit] = token
        except BaseException:  # no memory: __exit__ will not be called
            limit.leave(token)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Several threads may be inside: end the scope that is in force in this context, not the newest.
        limit = Limit.current()
        token = None if limit is None else self._entered.pop(limit, None)
        if limit is not None and token is not None:
            limit.leave(token)
