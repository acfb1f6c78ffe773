"""Plugin -> its place among others: names, load order, and who answers for what.

A claim is what an application lets a plugin take part in ("role:tt"). Nothing is half registered: everything
is checked first, then all of it is entered at once.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from loader.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loader.plugin import Plugin

__all__ = ["Registry"]

class Registry:
    """Plugins in load order, and for each claim the plugin that has it.

    Two plugins that want one claim: the last loaded has it, and a warning names both; a strict registry
    refuses the second. The same with two plugins of one name, except that both stay in the order.
    Safe to use from several threads; readers see a snapshot.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._lock = threading.Lock()
        self._entries: tuple[tuple[Plugin, tuple[str, ...]], ...] = ()
        self._plugins: tuple[Plugin, ...] = ()
        self._claims: dict[str, Plugin] = {}

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All plugins, in load order."""
        return self._plugins

    @property
    def claims(self) -> Mapping[str, Plugin]:
        """Claim -> the plugin that has it. A copy."""
        return dict(self._claims)

    def add(self, plugin: Plugin, claims: Iterable[str] = ()) -> None:
        """Enters a plugin with its claims, or raises RegistryError and changes nothing."""
        wanted = tuple(claims)
        with self._lock:
            conflicts = [(claim, self._claims[claim]) for claim in wanted if claim in self._claims]
            same_name = [other for other in self._plugins if other.name == plugin.name]
            if self.strict and (conflicts or same_name):
                raise self._refusal(plugin, conflicts, same_name)
            self._set((*self._entries, (plugin, wanted)))
        if conflicts or same_name:
            with suppress(MemoryError):  # it is in by now; only the words for it are lost
                self._warn(plugin, conflicts, same_name)

    def remove(self, plugin: Plugin) -> None:
        """Takes a plugin out again, where a host could not go on with it; its claims go back to who had them."""
        with self._lock:
            self._set(tuple(entry for entry in self._entries if entry[0] is not plugin))

    def _set(self, entries: tuple[tuple[Plugin, tuple[str, ...]], ...]) -> None:
        """All that needs memory first, so that nothing is half entered when there is none."""
        plugins = tuple(plugin for plugin, _ in entries)
        claims = {claim: plugin for plugin, wanted in entries for claim in wanted}
        self._entries, self._plugins, self._claims = entries, plugins, claims

    @staticmethod
    def _warn(plugin: Plugin, conflicts: list[tuple[str, Plugin]], same_name: list[Plugin]) -> None:
        import logging  # noqa: PLC0415 - slow to import, and seldom wanted here

        logger = logging.getLogger("loader.registry")
        for claim, other in conflicts:
            logger.warning(
                "%s: plugin %s (%s) takes the place of plugin %s (%s)",
                claim, plugin.name, plugin.path, other.name, other.path,
            )  # fmt: skip
        for other in same_name:
            logger.warning("two plugins are named %s: %s and %s", plugin.name, other.path, plugin.path)

    def _refusal(
        self, plugin: Plugin, conflicts: list[tuple[str, Plugin]], same_name: list[Plugin]
    ) -> RegistryError:
        if conflicts:
            claim, other = conflicts[0]
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
