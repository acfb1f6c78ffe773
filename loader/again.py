"""How a plugin is loaded again: noted where one is loaded. What is done with it, imported only then: reload.py."""

from __future__ import annotations

import os
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from loader.errors import LoaderError
from loader.events import tell, tell_failure
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loader._core._call import Instance
    from loader.plugin import Plugin, SelfTest

    Open = Callable[..., Plugin]

__all__ = ["again", "reloadable", "untold"]

_Load = TypeVar("_Load", bound="Callable[..., Plugin]")


def reloadable(road: _Load) -> _Load:
    """Around load.load: what it returns knows how it is loaded again, and loader.health is told."""

    @wraps(road)
    def load(path: str | os.PathLike[str], **options: Any) -> Plugin:
        try:
            plugin = road(path, **options)
        except LoaderError as error:
            name = options.get("name") or plugin_name(os.fspath(path))
            tell_failure("failed", name, os.path.abspath(path), error)
            raise
        again(plugin, partial(road, **{**options, "name": plugin.name}))
        tell("loaded", plugin.name, plugin.path, digest=plugin.digest, version=plugin.version)
        return plugin

    return cast("_Load", load)


def untold(load: Open) -> Open:
    """What `reloadable` was put around."""
    road: Open = vars(load)["__wrapped__"]
    return road


def again(plugin: Plugin, road: Open) -> None:
    """Has a plugin that no host has reloaded by `road`."""
    vars(plugin)["_reload"] = partial(_reload, road)


def _reload(
    road: Open,
    plugin: Plugin,
    path: str | os.PathLike[str] | None,
    self_test: SelfTest | None,
    move: Iterable[Instance],
) -> None:
    from loader.reload import reload  # noqa: PLC0415 - most plugins are never reloaded

    reload(plugin, path, self_test, move, open=road)
