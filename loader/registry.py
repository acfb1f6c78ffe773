"""Plugin -> its place among others: names, load order, and who answers for what.

A claim is what an application lets a plugin take part in ("role:tt"). Nothing is half registered: everything
is checked first, then all of it is entered at once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from loader.errors import RegistryError
from loader.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loader.plugin import Plugin

__all__ = ["Registry", "file_at"]


class Replaced(NamedTuple):
    """What a plugin had in a registry."""

    claims: tuple[str, ...]
    file: tuple[int, int] | None


#: For writers of all registries, who are quick; readers go by a registry's `_entries` alone.
_lock = Lock()


class Registry:
    """Plugins in load order, and for each claim the plugin that has it.

    Two plugins that want one claim: the last loaded has it, and a warning names both; a strict registry
    refuses the second. The same with two plugins of one name, except that both stay in the order.
    Safe to use from several threads; readers see a snapshot. To add takes as long however many there are.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        #: Only appended to, which is what enters a plugin for readers; remove() puts another list in its place.
        self._entries: list[tuple[Plugin, tuple[str, ...]]] = []
        self._claims: dict[str, Plugin] = {}
        self._names: dict[str, tuple[Plugin, ...]] = {}
        self._files: dict[tuple[int, int], tuple[Plugin, ...]] = {}
        #: A list of entries, and the plugins in it when somebody asked last.
        self._seen: tuple[list[tuple[Plugin, tuple[str, ...]]], tuple[Plugin, ...]] = self._entries, ()

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All plugins, in load order. The same tuple until there is another plugin, or one less."""
        entries = self._entries
        seen, plugins = self._seen
        if seen is not entries or len(plugins) != len(entries):
            plugins = tuple([plugin for plugin, _ in entries])
            self._seen = entries, plugins
        return plugins

    @property
    def claims(self) -> Mapping[str, Plugin]:
        """Claim -> the plugin that has it. A copy."""
        return {claim: plugin for plugin, wanted in self._entries for claim in wanted}

    def of_file(self, file: tuple[int, int] | None) -> tuple[Plugin, ...]:
        """The plugins that were entered for a file (device and inode)."""
        return () if file is None else self._files.get(file, ())

    def add(self, plugin: Plugin, claims: Iterable[str] = (), *, file: tuple[int, int] | None = None) -> Plugin:
        """Enters a plugin with its claims, or raises RegistryError and changes nothing.

        `file`: the device and inode of its file. Returns the plugin, or the one of the same name and bytes that
        another thread has entered for the same file meanwhile.
        """
        wanted = tuple(claims)
        _check_not_inside(plugin)
        try:  # not `with`: CPython 3.11 takes memory to leave one, and keeps the lock if there is none
            _go_in(plugin)
            for other in self.of_file(file):
                if other.name == plugin.name and _digest(other) == _digest(plugin):
                    return other
            conflicts = {claim: self._claims[claim] for claim in wanted if claim in self._claims}
            same_name = self._names.get(plugin.name, ())
            if self.strict and (conflicts or same_name):
                raise self._refusal(plugin, conflicts, same_name)
            self._enter(plugin, wanted, conflicts, same_name, file)
        finally:
            try:  # noqa: SIM105 - one step of C: see Lock
                _lock.leave()
            except RuntimeError:  # it was not inside
                pass
        if conflicts or same_name:
            with suppress(MemoryError):  # it is in by now; only the words for it are lost
                self._warn(plugin, conflicts, same_name)
        return plugin

    def replace(
        self,
        plugin: Plugin,
        before: dict[str, Any],
        state: dict[str, Any],
        claims: Iterable[str] = (),
        *,
        file: tuple[int, int] | None = None,
    ) -> Replaced | None:
        """Gives a plugin another state (its ``__dict__``) and other claims, at once; see loader/reload.py.

        Returns what it had here before; None, and changes nothing, if its state is not `before`. It keeps its place
        in the order. Raises RegistryError if a strict registry refuses a claim. A plugin that is not entered gets
        its state alone.
        """
        wanted = tuple(claims)
        _check_not_inside(plugin)
        try:
            _go_in(plugin)
            place = next((i for i, (each, _) in enumerate(self._entries) if each is plugin), None)
            had = () if place is None else self._entries[place][1]
            conflicts = {
                claim: each
                for each, theirs in self._entries
                for claim in theirs
                if each is not plugin and claim in wanted and claim not in had
            }
            if place is None:
                entries, conflicts = self._entries, {}
            elif self.strict and conflicts:
                raise self._refusal(plugin, conflicts, ())
            else:
                entries = [*self._entries]
                entries[place] = plugin, wanted
            held = {claim: each for each, theirs in entries for claim in theirs}
            at = next((at for at, several in self._files.items() if plugin in several), None)
            files = self._files if place is None else _moved(self._files, plugin, file)
            # Nothing that could fail, or be interrupted, comes in between: an interrupt is seen after a call.
            if plugin.__dict__ is not before:
                return None
            plugin.__dict__ = state
            self._entries, self._claims, self._files = entries, held, files
        finally:
            try:  # noqa: SIM105 - one step of C: see Lock
                _lock.leave()
            except RuntimeError:  # it was not inside
                pass
        with suppress(MemoryError):
            for claim, other in conflicts.items():
                winner, loser = (plugin, other) if held[claim] is plugin else (held[claim], plugin)
                self._warn(winner, {claim: loser}, ())
        return Replaced(had, at)

    def remove(self, plugin: Plugin) -> None:
        """Takes a plugin out again, where a host could not go on with it; its claims go back to who had them."""
        _check_not_inside(plugin)
        try:
            _go_in(plugin)
            # All that needs memory first, so that nothing is half removed when there is none.
            entries = [entry for entry in self._entries if entry[0] is not plugin]
            claims = {claim: each for each, wanted in entries for claim in wanted}
            names: dict[str, tuple[Plugin, ...]] = {}
            for each, _ in entries:
                names[each.name] = (*names.get(each.name, ()), each)
            files = {
                file: tuple([each for each in several if each is not plugin]) for file, several in self._files.items()
            }
            self._entries, self._claims, self._names, self._files = entries, claims, names, files
        finally:
            try:  # noqa: SIM105 - one step of C: see Lock
                _lock.leave()
            except RuntimeError:  # it was not inside
                pass

    def _enter(
        self,
        plugin: Plugin,
        wanted: tuple[str, ...],
        owners: dict[str, Plugin],
        namesakes: tuple[Plugin, ...],
        file: tuple[int, int] | None,
    ) -> None:
        """All of it, or nothing if memory runs out: the way back needs none."""
        entries, count, before = self._entries, len(self._entries), self.of_file(file)
        try:
            for claim in wanted:
                self._claims[claim] = plugin
            self._names[plugin.name] = (*namesakes, plugin)
            if file is not None:
                self._files[file] = (*before, plugin)
            entries.append((plugin, wanted))
        except BaseException:
            for claim in wanted:
                if claim in owners:
                    self._claims[claim] = owners[claim]
                else:
                    self._claims.pop(claim, None)
            if namesakes:
                self._names[plugin.name] = namesakes
            else:
                self._names.pop(plugin.name, None)
            if file is not None and before:
                self._files[file] = before
            elif file is not None:
                self._files.pop(file, None)
            del entries[count:]
            raise

    @staticmethod
    def _warn(plugin: Plugin, conflicts: dict[str, Plugin], same_name: tuple[Plugin, ...]) -> None:
        import logging  # noqa: PLC0415 - slow to import, and seldom wanted here

        logger = logging.getLogger("loader.registry")
        for claim, other in conflicts.items():
            logger.warning(
                "%s: plugin %s (%s) takes the place of plugin %s (%s)",
                claim, plugin.name, plugin.path, other.name, other.path,
            )  # fmt: skip
        for other in same_name:
            logger.warning("two plugins are named %s: %s and %s", plugin.name, other.path, plugin.path)

    def _refusal(self, plugin: Plugin, conflicts: dict[str, Plugin], same_name: tuple[Plugin, ...]) -> RegistryError:
        if conflicts:
            claim, other = next(iter(conflicts.items()))
            what = f"claims {claim}, which plugin {other.name} has"
        else:
            other = same_name[0]
            what = f"has the name {plugin.name}, which another plugin has"
        return RegistryError(
            what,
            path=plugin.path,
            plugin=plugin.name,
            found=other.path,
            cure="Leave one of the two out, or do without strict mode (then the last loaded wins)",
        )


def file_at(path: str) -> tuple[int, int] | None:
    """What tells a file from all others (device and inode); None if it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _moved(
    files: dict[tuple[int, int], tuple[Plugin, ...]], plugin: Plugin, file: tuple[int, int] | None
) -> dict[tuple[int, int], tuple[Plugin, ...]]:
    """The same with a plugin under this file alone."""
    moved = {at: tuple([each for each in several if each is not plugin]) for at, several in files.items()}
    if file is not None:
        moved[file] = (*moved.get(file, ()), plugin)
    return moved


def _digest(plugin: Plugin) -> str | None:
    """None: it is not open yet, and is not opened by the question."""
    digest: str | None = vars(plugin).get("digest")
    return digest


def _check_not_inside(plugin: Plugin) -> None:
    if _lock.inside():
        raise _busy(plugin, "this very thread", _lock.what)


def _go_in(plugin: Plugin) -> None:
    other = _lock.acquire(f"registers {plugin.path}")
    if other is not None:
        raise _busy(plugin, "another thread", other)


def _busy(plugin: Plugin, who: str, what: str) -> RegistryError:
    return RegistryError(
        f"cannot be registered now: {who} is at it",
        path=plugin.path,
        plugin=plugin.name,
        found=f"it {what}",
        cure="Load plugins from elsewhere than a signal handler, __del__ or audit hook",
    )
