"""Locks of ours around code that is not ours, and fork while they are held.

While a library is opened its constructors run, and at any moment a signal handler, a ``__del__`` or an audit hook of
the application may: what they do on the same thread must not wait for that thread, and a forked child must not wait
for a thread that it does not have. The same of Python's own lock on a module that is being imported: a child that
was forked meanwhile would hang in its next import (CPython does not mend those).

loader/__init__.py imports this before all else, so it imports next to nothing itself. A fork in the half millisecond
before that, while these first lines are read, is CPython's own and cannot be helped from here.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import RLock, get_ident
from importlib import _bootstrap

TYPE_CHECKING = False  # of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Lock"]

PATIENCE = 30.0  # seconds for which one and the same holder is waited for
#: Seconds that a fork waits for other threads. It goes on then: a handler cannot refuse a fork, and one that waits
#: for a constructor that waits for it would hang.
FORK_PATIENCE = 5.0


# ---- Imports -----------------------------------------------------------------------------------------------

# Private to CPython, and the only place where it says who imports what. Without it forks are as they were.
_module_locks: dict[str, Any] = getattr(_bootstrap, "_module_locks", {})
_PACKAGE = __name__.partition(".")[0]


def _importers() -> set[int]:
    """Other threads that import something now."""
    owners = {getattr(reference(), "owner", None) for reference in list(_module_locks.values())}
    return {owner for owner in owners if owner is not None and owner != get_ident()}


def _is_ours(thread: int) -> bool:
    """Whether a thread is in code of this package: it imports that, or what that wants."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if isinstance(name, str) and (name == _PACKAGE or name.startswith(_PACKAGE + ".")):
            return True
        frame = frame.f_back
    return any(
        name.startswith(_PACKAGE) and getattr(reference(), "owner", None) == thread
        for name, reference in list(_module_locks.items())
    )


def _let_imports_end() -> None:
    until = time.monotonic() + FORK_PATIENCE
    while any(map(_is_ours, _importers())) and time.monotonic() < until:
        time.sleep(0.001)


def _forget_imports() -> None:
    """In a child: what another thread was at is imported anew. (Who asked for it here would wait for ever.)"""
    gone = _importers()
    for name, reference in list(_module_locks.items()):
        if getattr(reference(), "owner", None) in gone:
            del _module_locks[name]
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if getattr(spec, "_initializing", False):
                del sys.modules[name]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_let_imports_end, after_in_child=_forget_imports)


# ---- Loading -----------------------------------------------------------------------------------------------


class Lock:
    """Lets one thread at a time pass, and one that is inside as often as it comes.

    An interrupt may come between any two steps of Python, and must not leave it taken. So whoever goes in asks first
    whether it is inside already (then it has nothing to do), acquires in a `try`, and leaves in its `finally`, in one
    step of C:

        again = lock.inside()
        try:
            other = None if again else lock.acquire("loads x.so")
            ...
        finally:
            if not again:
                try:
                    lock.leave()
                except RuntimeError:  # it was not inside
                    pass

    Attributes:
        what: what the thread that is inside does there, for messages.
        inside: whether this thread is inside.
        leave: goes out. Raises RuntimeError where this thread is not inside.
    """

    inside: Callable[[], bool]
    leave: Callable[[], object]

    def __init__(self) -> None:
        self.what = ""
        self._new_lock()
        self._turn = 0  # counts who went in, to tell a slow holder from a queue
        self._forking: dict[int, bool] = {}  # thread that forks: whether it was let in
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child
            )

    def _new_lock(self) -> None:
        self._lock = RLock()
        self.inside = self._lock._is_owned  # type: ignore[attr-defined] # noqa: SLF001 - as threading.Condition does
        self.leave = self._lock.release  # it looks whose lock it is

    def acquire(self, what: str) -> str | None:
        """Goes in, where this thread is not, or says after `PATIENCE` seconds what the other thread does."""
        if not self._lock.acquire(False) and not self._wait():
            return self.what or "something else"
        self.what = what
        self._turn += 1
        return None

    def _wait(self) -> bool:
        turn, until = self._turn, time.monotonic() + PATIENCE
        while not self._lock.acquire(True, 1.0):
            if turn != self._turn:
                turn, until = self._turn, time.monotonic() + PATIENCE
            elif time.monotonic() > until:
                return False
        return True

    def _before_fork(self) -> None:
        self._forking[get_ident()] = self._lock.acquire(True, FORK_PATIENCE)

    def _after_fork(self) -> None:
        if self._forking.pop(get_ident(), False):
            self._lock.release()

    def _in_child(self) -> None:
        if self._forking.pop(get_ident(), False):
            self._lock.release()
        else:  # its holder is not in this process
            self._new_lock()
        self._forking.clear()
