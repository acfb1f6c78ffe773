"""Isolation: how a plugin's own processes are set up. A value; nothing is started by it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from loader.errors import IsolationError

if TYPE_CHECKING:
    from loader.contract import Contract
    from loader.contract.kinds import Function

__all__ = ["PARTS", "Confinement", "Isolation", "check_available"]

#: What a worker can be confined by, in the order of the bits in confine.h.
PARTS: Final = (
    "no_new_privs",
    "landlock",
    "seccomp",
    "rlimits",
    "descriptors",
    "environment",
    "namespaces",
    "capabilities",
    "network",
)
#: Not every container lets a process make namespaces, and nothing below rests on them: strict does without.
_BEYOND_STRICT: Final = frozenset({"namespaces"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Runs a plugin in processes of its own: what it does there, this one lives on.

    Attributes:
        deadline: seconds that a call may take, beside what :func:`loader.deadline` says; None: any.
        grace: seconds that a call may go on after it was told to stop (loader_cancelled); then its worker is killed.
        start: seconds that a worker may take to start: the plugin's constructors run then.
        memory: bytes that a worker may have for its data; None: no limit.
        sandbox: "default" confines a worker as far as the kernel allows, "strict" refuses to start if a part is
            missing (see :attr:`Confinement.missing`), "off" does not confine.
        workers: processes for the plugin; calls of several threads go to the one with the least to do.
        read, write: files and folders that a worker may read, or read and write; nothing else is there for it but
            the system's libraries.
        network: whether it may open sockets.
        on_crash: "raise" PluginCrashed, or "retry": a call whose worker died is made once more, in a fresh one, if
            its function is said to be safe to repeat. Nobody knows how far the first call came, so without a word for
            that function it raises too. The header says it by LOADER_REPEATABLE, the host by `repeatable`.
        repeatable: names of functions that may be called twice, or True: all that a plugin has. Never those that get
            an instance of a class: it has died with its worker.
        crashes: a worker that dies this many times in a row without answering a call is not started again.

    Raises ValueError for what is none of these.
    """

    deadline: float | None = None
    grace: float = 0.5
    start: float = 30.0
    memory: int | None = None
    sandbox: Literal["default", "strict", "off"] = "default"
    workers: int = 1
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: bool = False
    on_crash: Literal["raise", "retry"] = "raise"
    repeatable: bool | tuple[str, ...] = ()
    crashes: int = 5

    def __post_init__(self) -> None:
        for name in ("read", "write"):
            given = getattr(self, name)
            paths = (given,) if isinstance(given, (str, os.PathLike)) else given
            object.__setattr__(self, name, tuple(os.path.abspath(os.fspath(path)) for path in paths))
        _check(self.sandbox in ("default", "strict", "off"), "sandbox is 'default', 'strict' or 'off'", self.sandbox)
        _check(self.on_crash in ("raise", "retry"), "on_crash is 'raise' or 'retry'", self.on_crash)
        self._keep_repeatable()
        _check(_whole(self.workers, 1, 64), "workers is a number from 1 to 64", self.workers)
        _check(_whole(self.crashes, 1, 1_000_000), "crashes is a number from 1 on", self.crashes)
        _check(
            self.memory is None or _whole(self.memory, 1 << 20, 1 << 62),
            "memory is None or a number of bytes, 1 MiB or more",
            self.memory,
        )
        for name, value in (("grace", self.grace), ("start", self.start), ("deadline", self.deadline)):
            right = value is None if name == "deadline" else False
            right = right or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9)
            _check(right, f"{name} is a number of seconds", value)

    def _keep_repeatable(self) -> None:
        given: object = self.repeatable
        if isinstance(given, (bool, str)):
            given = given if given is True else (given,) if given else ()
        rule = "repeatable is True, or names of functions"
        if given is not True:
            _check(isinstance(given, Iterable) and not isinstance(given, bytes), rule, given)
            given = names = tuple(given)  # type: ignore[arg-type,var-annotated] # it is one
            _check(all(isinstance(each, str) and each for each in names), rule, given)
        _check(not given or self.on_crash == "retry", 'repeatable goes with on_crash="retry"', self.on_crash)
        object.__setattr__(self, "repeatable", given)

    def may_repeat(self, function: Function) -> bool:
        """Whether a call of a contract's function may be made twice."""
        if self.on_crash != "retry" or any(each.cls for each in function.parameters):
            return False
        return function.repeatable or self.repeatable is True or function.name in (self.repeatable or ())

    def check_names(self, contract: Contract) -> None:
        """Raises ValueError for a name in `repeatable` that is no function of the contract: it is misspelt."""
        known = {each.name for each in contract.functions}
        for name in () if self.repeatable is True else self.repeatable or ():
            _check(name in known, f"repeatable names functions of {contract} ({', '.join(sorted(known))})", name)


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _check(right: bool, rule: str, found: object) -> None:
    if not right:
        raise ValueError(f"{rule}, not {found!r}")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a worker is confined by on this kernel.

    `engaged`: names of PARTS that hold. `missing`: those that do not, and why. `landlock`: version of Landlock's ABI
    that the kernel has, 0: none. `settings`: what was asked for.
    """

    engaged: tuple[str, ...]
    missing: dict[str, str]
    landlock: int
    settings: Isolation

    @property
    def lacks(self) -> tuple[str, ...]:
        """What is missing of that which sandbox="strict" asks for."""
        return tuple(name for name in self.missing if name not in _BEYOND_STRICT)


def check_available() -> None:
    """Raises IsolationError with the reason where plugins cannot have a process of their own."""
    reason = None
    if not sys.platform.startswith("linux"):
        reason = f"{sys.platform} has no sealed memory files, futexes and pidfds, which workers are made of"
    elif not hasattr(os, "pidfd_open"):
        reason = "this Python was built without os.pidfd_open"
    elif not os.path.exists(worker_program()):
        reason = f"{worker_program()} is not there"
    if reason is not None:
        raise IsolationError(
            "plugins cannot run in a process of their own here",
            expected="Linux 5.4 or later, and the program loader-worker, which is built with the package",
            found=reason,
            cure="Load them without isolation=, or run them on Linux",
        )


def worker_program() -> str:
    """The file of the program that workers run."""
    from loader import _core  # noqa: PLC0415 - no cycle

    return os.path.join(os.path.dirname(os.path.abspath(_core.__file__)), "loader-worker")
