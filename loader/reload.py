"""A file that has changed, in the place of what was loaded from it: reload.

    1. The file goes all the way of load.py once more, into a library beside the old one.
    2. Its self-test runs, and it is asked for its claims. Until here nothing of the old plugin has changed.
    3. The plugin's state, which is its `__dict__`, is replaced by another one in a single step (registry.py): who
       looks up a function gets the old or the new one, and what is under way ends where it began.

No lock is held around code of others. Two threads that reload one plugin both go to step 3; who finds another state
there than it began with begins again, because the file that it read may be the older one.

What a worker of its own does otherwise than this process: `_end`, and nothing else.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loader import events
from loader._core._call import swap_instances
from loader.errors import ReloadError
from loader.events import tell, tell_failure
from loader.plugin import Plugin
from loader.registry import Registry, file_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loader._core._call import Instance
    from loader.plugin import SelfTest

    Open = Callable[[str], Plugin]

__all__ = ["reload"]


def reload(
    plugin: Plugin,
    path: str | os.PathLike[str] | None,
    self_test: SelfTest | None,
    move: Iterable[Instance] = (),
    *,
    open: Open,
    claims: Callable[[Plugin], Iterable[str]] | None = None,
    registry: Registry | None = None,
    settle: Callable[[], object] | None = None,
) -> None:
    """What Plugin.reload does.

    Args:
        plugin, path, self_test, move: see there.
        open: loads the file at a path as the plugin was loaded.
        claims: asks a plugin for what it takes part in.
        registry: that of its host.
        settle: called when the new code is in its place; if it raises, the old one is put back.
    """
    begin = time.monotonic()
    path = os.path.abspath(plugin.path if path is None else path)
    registry = Registry() if registry is None else registry
    way = _Way(plugin, path, self_test, tuple(move), open, claims, registry, settle)
    try:
        _check_self_test(plugin, self_test)
        before = way.go()
    except Exception as error:
        tell_failure("reload_failed", plugin.name, path, error, seconds=time.monotonic() - begin)
        raise
    if before is not None:
        _say(plugin, before, time.monotonic() - begin)


@dataclass(frozen=True, slots=True)
class _Way:
    """What reload() was given."""

    plugin: Plugin
    path: str
    self_test: SelfTest | None
    move: tuple[Instance, ...]
    open: Open
    claims: Callable[[Plugin], Iterable[str]] | None
    registry: Registry
    settle: Callable[[], object] | None

    def go(self) -> dict[str, Any] | None:
        """The state that was replaced, or None: the file is what runs already."""
        while True:
            before = vars(self.plugin)
            fresh = self.open(self.path)
            if before.get("_loaded") == vars(fresh)["_loaded"]:
                _end(fresh, before)
                return None
            pairs: list[tuple[Instance, Instance]] = []
            try:
                _test(fresh, self.self_test)
                wanted = () if self.claims is None else tuple(self.claims(fresh))
                state = _state(self.plugin, before, vars(fresh))
                _make(pairs, self.move, before, fresh)
                for instance, made in pairs:
                    swap_instances(instance, made)
                if self._switch(before, state, wanted):
                    return before
            except BaseException:
                _put_back(pairs, before)
                _end(fresh, before)
                raise
            _put_back(pairs, before)
            _end(fresh, before)

    def _switch(self, before: dict[str, Any], state: dict[str, Any], claims: tuple[str, ...]) -> bool:
        """Whether the plugin has the new state now; not if another thread was there first."""
        entered = self.registry.replace(self.plugin, before, state, claims, file=file_at(self.path))
        if entered is None:
            return False
        try:
            if self.settle is not None:
                self.settle()
        except BaseException:
            self.registry.replace(self.plugin, state, before, entered.claims, file=entered.file)
            raise
        _retire(before, state)
        return True


def _state(plugin: Plugin, before: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    """What the plugin will have: all that the new one has, and what is this object's own."""
    gone = {*before.get("functions", ()), *before.get("classes", ())}
    state = {name: value for name, value in before.items() if name not in gone} | fresh
    state["_reload"] = before["_reload"]
    _belong(state, plugin)
    if "owner" in before:
        state["owner"].follow(before["owner"])
    return state


def _belong(state: dict[str, Any], plugin: Plugin) -> None:
    for function in state["functions"].values():
        function.__self__.plugin = plugin


def _retire(before: dict[str, Any], state: dict[str, Any]) -> None:
    """Functions that somebody kept belong to a plugin that has the old code, and pickle as that."""
    if "functions" in before:
        old = Plugin.__new__(Plugin)
        old.__dict__ = before
        _belong(before, old)
        _end(old, state)


def _end(plugin: Plugin, other: dict[str, Any]) -> None:
    """A plugin's code has no calls to expect but those that are under way. In this process it stays as it is: nothing
    is ever unmapped. Its worker lets these end, and ends, unless the `other` state of the plugin is in it too.
    """
    worker = plugin.worker
    if worker is not None and worker.is_shared:
        worker.forget(plugin.owner)
    elif worker is not None and worker is not other.get("worker"):
        worker.close()


# ---- Instances -----------------------------------------------------------------------------------------------


def _make(
    pairs: list[tuple[Instance, Instance]], move: tuple[Instance, ...], before: dict[str, Any], fresh: Plugin
) -> None:
    """Makes an instance of the new code for each of the old that is to move, with its state."""
    classes = before.get("classes", {})
    for instance in move:
        name = type(instance).__name__
        if classes.get(name) is not type(instance):
            raise TypeError(f"what moves is an instance of the plugin's present code, not {instance!r}")
        export, make = getattr(instance, "export_state", None), fresh.functions.get(f"{name}_import_state")
        if export is None or make is None:
            raise ReloadError(
                f"its {name} cannot move to new code",
                path=fresh.path,
                plugin=fresh.name,
                expected=f"{name}_export_state in the old code, {name}_import_state in the new",
                cure="Declare both in the contract's header, or let the instance stay with the old code",
            )
        made = make(export())
        if type(made) is not fresh.classes[name]:
            raise ReloadError(
                "gives something else than an instance",
                path=fresh.path,
                plugin=fresh.name,
                function=f"{name}_import_state",
                found=type(made).__name__,
            )
        pairs.append((instance, made))


def _put_back(pairs: list[tuple[Instance, Instance]], before: dict[str, Any]) -> None:
    """What has moved has the old code again; an interrupt may have come between any two."""
    for instance, made in pairs:
        if type(made) in before["classes"].values():
            swap_instances(instance, made)


# ---- Self-tests ----------------------------------------------------------------------------------------------


def _check_self_test(plugin: Plugin, self_test: SelfTest | None) -> None:
    """Raises ValueError for the name of what is no test."""
    if self_test is None or callable(self_test):
        return
    declared = {each.name: each for each in plugin.contract.functions}
    if self_test not in declared or declared[self_test].parameters or declared[self_test].cls:
        fit = ", ".join(sorted(name for name, each in declared.items() if not (each.parameters or each.cls)))
        raise ValueError(
            f"self_test is a callable, or the name of a function of {plugin.contract} without parameters "
            f"({fit or 'it has none'}), not {self_test!r}"
        )


def _test(plugin: Plugin, self_test: SelfTest | None) -> None:
    if self_test is None:
        return
    name = None if callable(self_test) else self_test
    try:
        answer = self_test(plugin) if callable(self_test) else plugin.functions[self_test]()
    except KeyError as error:
        if name is None or name in plugin.functions:
            raise _not_passed(plugin, name, f"{type(error).__name__}: {error}") from error
        raise _not_passed(plugin, name, "no such function: it is optional, and left out") from None
    except Exception as error:
        raise _not_passed(plugin, name, f"{type(error).__name__}: {error}") from error
    if answer is False:
        raise _not_passed(plugin, name, "False")


def _not_passed(plugin: Plugin, function: str | None, found: str) -> ReloadError:
    return ReloadError(
        "does not pass its self-test, and what was loaded before goes on",
        path=plugin.path,
        plugin=plugin.name,
        function=function,
        found=found,
        cure="Mend the plugin; its file is looked at again by the next reload",
    )


# ---- What is said --------------------------------------------------------------------------------------------


def _say(plugin: Plugin, before: dict[str, Any], seconds: float) -> None:
    import logging  # noqa: PLC0415 - slow to import

    from loader.library.opened import mapped_bytes  # noqa: PLC0415 - with the library it is there

    logger = logging.getLogger("loader.reload")
    if events.listener is None and not logger.isEnabledFor(logging.INFO):
        return
    mapped = mapped_bytes()
    logger.info(
        "plugin %s was reloaded from %s in %.1f ms; plugins' libraries take %s bytes of this process by now",
        plugin.name, plugin.path, seconds * 1e3, f"{mapped:,}",
    )  # fmt: skip
    tell(
        "reloaded",
        plugin.name,
        plugin.path,
        digest=plugin.digest,
        before=before.get("digest"),
        version=plugin.version,
        seconds=seconds,
        mapped=mapped,
    )
