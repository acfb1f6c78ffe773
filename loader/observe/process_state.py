"""Debug mode: who changed the state of the process?

A plugin shares rounding mode, signal handlers, umask, working folder, locale, environment, descriptors and
threads with the application and all other plugins. Here they are compared before and after the load of a
plugin and each of its calls, documents included, and a warning names plugin, function and change:

    host = loader.Host(contract, debug=True)             # from the load on
    with loader.process_state.watch(plugin):             # or calls only, for a while
        plugin.greet("World")

A watch also finds out who holds a lock across a service, and who breaks a promise never to block: waits.py.

It costs about half a millisecond a call, and is for finding things out. Threads that Python started, and what others
open for a moment, are not taken for the plugin's (blame.py); whatever else threads and services of the application
change meanwhile looks like its doing: watch with as few threads as possible. Where two watched calls overlap, the
change is told of both.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from loader.errors import PluginError
from loader.observe.blame import to_blame
from loader.observe.snapshot import Change, ProcessState, snapshot
from loader.observe.waits import Waits
from loader.plugin import Plugin
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader._core._call import Owner
    from loader.observe.waits import WatchedCall

__all__ = ["Change", "ProcessState", "PromiseError", "StateError", "StateWatch", "snapshot", "watch"]

_logger = logging.getLogger("loader.process_state")


class StateError(PluginError):
    """A plugin changed the state of the process, and the watch is strict. `changes` are what it changed."""

    changes: tuple[Change, ...] = ()


class PromiseError(PluginError):
    """A plugin blocked in a function that it promised never to block in, and the watch is strict."""


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
                message=f"it promised never to block, and {broken}",
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
        changes = to_blame(call.before.changes(after))
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
                message=f"it changed the state of the process: {text}",
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
