"""Debug mode: who changed the state of the process?

A plugin shares rounding mode, signal handlers, umask, working folder, locale, environment, descriptors and
threads with the application and all other plugins. Here they are compared before and after the load of a
plugin and each of its calls, documents included, and a warning names plugin, function and change:

    host = loader.Host(contract, debug=True)             # from the load on
    with loader.process_state.watch(plugin):             # or calls only, for a while
        plugin.greet("World")

A watch also finds out who holds a lock across a service, and who breaks a promise never to block: waits.py.

It costs about half a millisecond a call, and is for finding things out. What other threads of the application
change meanwhile looks like the plugin's doing: watch with as few threads as possible. Where two watched calls
overlap, the change is told of both.
"""

from __future__ import annotations

import locale
import logging
import os
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

from loader._core._call import environment, float_state, signal_state
from loader.errors import PluginError
from loader.observe.waits import Waits
from loader.plugin import Plugin
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loader._core._call import Owner
    from loader.observe.waits import WatchedCall

__all__ = ["Change", "ProcessState", "PromiseError", "StateError", "StateWatch", "snapshot", "watch"]

_logger = logging.getLogger("loader.process_state")


class StateError(PluginError):
    """A plugin changed the state of the process, and the watch is strict. `changes` are what it changed."""

    changes: tuple[Change, ...] = ()


class PromiseError(PluginError):
    """A plugin blocked in a function that it promised never to block in, and the watch is strict."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different: of `what` ("umask"), `which` ("SIGINT", "" where there is but one), from, to."""

    what: str
    which: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        name = f"{self.what} {self.which}" if self.which else self.what
        if self.before is None:
            return f"{name} is new ({self.after})" if self.after else f"{name} is new"
        if self.after is None:
            return f"{name} is gone ({self.before})" if self.before else f"{name} is gone"
        return f"{name}: {self.before} before, {self.after} after"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What all share, each as name -> value. `floating_point` and `blocked_signals` are the calling thread's.

    Empty where this system does not tell: descriptors and threads are read from /proc or /dev/fd.
    """

    floating_point: Mapping[str, str]
    signal_handlers: Mapping[str, str]
    blocked_signals: Mapping[str, str]
    umask: Mapping[str, str]
    working_folder: Mapping[str, str]
    locale: Mapping[str, str]
    environment: Mapping[str, str]
    descriptors: Mapping[str, str]
    threads: Mapping[str, str]

    def changes(self, after: ProcessState) -> list[Change]:
        """What is different in `after`, by kind and name."""
        found: list[Change] = []
        for each in fields(self):
            old: Mapping[str, str] = getattr(self, each.name)
            new: Mapping[str, str] = getattr(after, each.name)
            what = each.name.replace("_", " ")
            found += [
                Change(what, name, old.get(name), new.get(name))
                for name in sorted({*old, *new})
                if old.get(name) != new.get(name)
            ]
        return found


def snapshot() -> ProcessState:
    """The state now."""
    handlers = signal_state()
    return ProcessState(
        floating_point=_floating_point(),
        signal_handlers={_signal_name(n): _handler(address) for n, (address, _) in enumerate(handlers, 1)},
        blocked_signals={_signal_name(n): "blocked" for n, (_, blocked) in enumerate(handlers, 1) if blocked},
        umask={"": f"{_umask():03o}"},
        working_folder={"": _working_folder()},
        locale={"": locale.setlocale(locale.LC_ALL)},
        environment=dict(_variable(line) for line in environment()),
        descriptors=_descriptors(),
        threads=_threads(),
    )


# ---- Parts of the state ------------------------------------------------------------------------------------

_ROUNDING = {  # FE_* of <fenv.h>
    "x86_64": {0: "to nearest", 0x400: "downward", 0x800: "upward", 0xC00: "towards zero"},
    "aarch64": {0: "to nearest", 0x400000: "upward", 0x800000: "downward", 0xC00000: "towards zero"},
}


def _floating_point() -> dict[str, str]:
    mode, control = float_state()
    known = _ROUNDING.get(os.uname().machine if hasattr(os, "uname") else "", {})
    # 0x8040 of x86's MXCSR: tiny numbers are taken for 0, which -ffast-math turns on in a constructor.
    return {"rounding": known.get(mode, hex(mode)), "control": f"{control:#06x}"}


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _handler(address: int) -> str:
    return {0: "default", 1: "ignored"}.get(address, f"function at {address:#x}")


def _umask() -> int:
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)  # there is no other way to ask; strict meanwhile, for files of other threads
    os.umask(mask)
    return mask


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        return f"({error.strerror})"


def _variable(line: bytes) -> tuple[str, str]:
    name, _, value = os.fsdecode(line).partition("=")
    return name, value


def _descriptors() -> dict[str, str]:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    found = {}
    with suppress(OSError):
        for number in os.listdir(folder):
            try:
                found[number] = os.readlink(f"{folder}/{number}") if folder.startswith("/proc") else ""
            except OSError:  # the one of listdir itself
                continue
    return found


def _threads() -> dict[str, str]:
    found = {}
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError), open(f"/proc/self/task/{thread}/comm", "rb") as file:
                found[thread] = os.fsdecode(file.read().strip())
    return found


# ---- Watching ----------------------------------------------------------------------------------------------


class _Call:
    """A watched call that runs now. `others`: those that ran at the same time, at any moment of it."""

    __slots__ = ("before", "name", "others", "wait")

    def __init__(self, name: str, others: list[_Call]) -> None:
        self.name = name
        self.before: ProcessState
        self.wait: WatchedCall | None = None  # of a load: None
        self.others = others[:]
        for other in others:
            other.others.append(self)


class StateWatch:
    """Looks around loads and calls of plugins.

    Args:
        strict: a change raises :class:`StateError` after the call, whose result is lost; a change in a load
            refuses the plugin. In a document it fails the role, with the StateError as its cause.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        #: Every change seen: (plugin, function, change). The function of a load is "dlopen".
        self.seen: list[tuple[str, str, Change]] = []
        self._running: list[_Call] = []
        #: The calls as those see them who wait; `waits.said` are the warnings.
        self.waits = Waits()
        self._watched: set[Owner] = set()

    def add(self, plugin: Plugin) -> None:
        """Looks around all calls of this plugin from now on, those of other hosts and engines included."""
        self._watched.add(plugin.owner)
        plugin.owner.watch = self._around

    def remove(self, plugin: Plugin) -> None:
        """Looks no longer, at calls that run now neither."""
        self._watched.discard(plugin.owner)
        plugin.owner.watch = None

    @contextmanager
    def load(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """Looks around the load of a file. Its own memory file, and the file's mapping, are no change."""
        name = os.fspath(path)
        call = self._begin(plugin_name(name))
        try:
            yield
        except BaseException:
            self._running.remove(call)
            raise
        self._end(call, plugin_name(name), name, "dlopen")

    def _around(self, owner: Owner, function: str, token: object, what: str | float | None) -> object:
        """Called by loader/_core/call/watch.c: before a call, with None and None; after it, with what this gave and
        the seconds that the call took; with None and a service's id, or "", when the call enters and leaves it.
        """
        if isinstance(what, str):
            self.waits.service(what)
            return None
        if token is None:
            call = self._begin(owner.name)
            call.wait = self.waits.begin(owner, function)
            return call
        assert isinstance(token, _Call)  # noqa: S101 - for the type checker
        if owner in self._watched:
            self._leave(token, owner, function, what or 0.0)
        else:  # no longer: it has ended while the call ran
            self._running.remove(token)
            self.waits.forget(token.wait)
        return None

    def _leave(self, call: _Call, owner: Owner, function: str, seconds: float) -> None:
        broken = None if call.wait is None else self.waits.end(call.wait, seconds)
        self._end(call, owner.name, owner.path, function)
        if broken is not None and self.strict:
            raise PromiseError(
                f"plugin {owner.name} promised never to block in {function}",
                path=owner.path,
                plugin=owner.name,
                function=function,
                found=f"that it {broken}",
                cure=f"Take LOADER_NEVER_BLOCKS({function}) out of it",
            )

    def _begin(self, name: str) -> _Call:
        call = _Call(name, self._running)
        self._running.append(call)
        call.before = snapshot()
        return call

    def _end(self, call: _Call, name: str, path: str, function: str) -> None:
        after = snapshot()
        self._running.remove(call)
        changes = call.before.changes(after)
        if function == "dlopen":  # the copy that runs stays open on purpose; see library_sealed.c
            changes = [c for c in changes if not (c.what == "descriptors" and "memfd:" in (c.after or ""))]
        if not changes:
            return
        self.seen += [(name, function, change) for change in changes]
        beside = sorted({other.name for other in call.others} - {name})
        text = "; ".join(map(str, changes))
        if beside:
            text += f" (or it was one of those that ran at the same time: {', '.join(beside)})"
        where = "while it was loaded" if function == "dlopen" else f"in {function}"
        _logger.warning("plugin %s (%s) changed the state of the process %s: %s", name, path, where, text)
        if self.strict:
            error = StateError(
                f"plugin {name} changed the state of the process {where}",
                path=path,
                plugin=name,
                function=function,
                found=text,
                cure="A plugin puts back what it changes before it returns",
            )
            error.changes = tuple(changes)
            raise error


class HasPlugins(Protocol):
    """A host, of which only the plugins matter here."""

    @property
    def plugins(self) -> tuple[Plugin, ...]: ...


@contextmanager
def watch(what: HasPlugins | Plugin, *, strict: bool = False) -> Iterator[StateWatch]:
    """Looks around all calls of a plugin, or of all plugins that a host has now, until the block ends."""
    plugins = (what,) if isinstance(what, Plugin) else what.plugins
    state = StateWatch(strict=strict)
    before = [plugin.owner.watch for plugin in plugins]
    for plugin in plugins:
        state.add(plugin)
    try:
        yield state
    finally:
        for plugin, old in zip(plugins, before, strict=True):
            state.remove(plugin)
            plugin.owner.watch = old
