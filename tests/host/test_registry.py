"""loader/registry.py: names, order, claims; all or nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

import loader
from loader.errors import RegistryError

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[[str], loader.Plugin]


@pytest.fixture
def named(hello: Path, greeter: loader.Contract) -> Make:
    """Makes plugins of any name."""
    return lambda name: loader.load(hello, contract=greeter, name=name)


def test_order_is_that_of_loading(named: Make) -> None:
    """Plugins stay in the order in which they were added."""
    registry = loader.Registry()
    plugins = [named(name) for name in ("c", "a", "b")]
    for plugin in plugins:
        registry.add(plugin)
    assert registry.plugins == tuple(plugins)


def test_claims(named: Make) -> None:
    """Each claim belongs to the plugin that made it; what is handed out is a copy."""
    registry = loader.Registry()
    a, b = named("a"), named("b")
    registry.add(a, ["role:tt", "contents"])
    registry.add(b, iter(["role:em"]))
    assert registry.claims == {"role:tt": a, "contents": a, "role:em": b}
    dict(registry.claims).clear()
    registry.claims.clear()  # type: ignore[attr-defined]
    assert len(registry.claims) == 3


def test_last_one_wins(named: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Two plugins that want one claim: the last has it, and a warning names both with their files."""
    registry = loader.Registry()
    a, b = named("a"), named("b")
    with caplog.at_level(logging.WARNING, "loader.registry"):
        registry.add(a, ["role:tt", "role:em"])
        assert not caplog.records
        registry.add(b, ["role:tt"])
    assert registry.claims == {"role:tt": b, "role:em": a}
    assert registry.plugins == (a, b)
    assert caplog.messages == [f"role:tt: plugin b ({b.path}) takes the place of plugin a ({a.path})"]
    assert caplog.records[0].levelno == logging.WARNING


def test_same_name(named: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Two plugins of one name: both stay, with a warning."""
    registry = loader.Registry()
    a, b = named("same"), named("same")
    registry.add(a)
    registry.add(b)
    assert registry.plugins == (a, b)
    assert "two plugins are named same" in caplog.text


def test_strict_refuses_a_claim_that_is_taken(named: Make) -> None:
    """A strict registry refuses, says who has it, and stays as it was."""
    registry = loader.Registry(strict=True)
    a, b = named("a"), named("b")
    registry.add(a, ["role:tt"])
    with pytest.raises(RegistryError) as caught:
        registry.add(b, ["role:new", "role:tt"])
    assert caught.value.what == "claims role:tt, which plugin a has"
    assert (caught.value.plugin, caught.value.path, caught.value.found) == ("b", b.path, a.path)
    assert caught.value.cure
    assert registry.plugins == (a,)
    assert registry.claims == {"role:tt": a}
    registry.add(b, ["role:new"])
    assert registry.claims == {"role:tt": a, "role:new": b}


def test_strict_refuses_a_name_that_is_taken(named: Make) -> None:
    """A strict registry refuses a second plugin of one name."""
    registry = loader.Registry(strict=True)
    registry.add(named("same"))
    with pytest.raises(RegistryError, match="has the name same, which another plugin has"):
        registry.add(named("same"))
    assert len(registry.plugins) == 1


def test_one_plugin_may_claim_twice(named: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A claim that one plugin makes twice is one claim."""
    registry = loader.Registry(strict=True)
    a = named("a")
    registry.add(a, ["role:tt", "role:tt"])
    assert registry.claims == {"role:tt": a}
    assert not caplog.records


def test_claims_that_fail_change_nothing(named: Make) -> None:
    """If making the claims raises, nothing was registered."""
    registry = loader.Registry()

    def claims() -> Iterator[str]:
        yield "role:tt"
        raise ValueError("malformed")

    with pytest.raises(ValueError, match="malformed"):
        registry.add(named("a"), claims())
    assert registry.plugins == ()
    assert registry.claims == {}


def test_readers_get_one_tuple(named: Make) -> None:
    """The plugins are the same tuple until one is added or removed: that tells whether there was a change."""
    registry = loader.Registry()
    registry.add(named("a"))
    plugins = registry.plugins
    assert registry.plugins is plugins
    b = named("b")
    registry.add(b)
    assert registry.plugins is not plugins
    assert len(plugins) == 1  # what was handed out stays as it was
    plugins = registry.plugins
    registry.remove(b)
    registry.add(named("c"))
    assert [plugin.name for plugin in registry.plugins] == ["a", "c"]


def test_remove(named: Make) -> None:
    """A plugin that is taken out gives its claims back to who had them, and its name is free."""
    registry = loader.Registry()
    a, b, again = named("a"), named("b"), named("b")
    registry.add(a, ["role:tt"])
    registry.add(b, ["role:tt", "role:em"])
    registry.remove(b)
    assert (registry.plugins, registry.claims) == ((a,), {"role:tt": a})
    registry.strict = True
    registry.add(again, ["role:em"])
    assert (registry.plugins, registry.claims) == ((a, again), {"role:tt": a, "role:em": again})
    with pytest.raises(RegistryError, match="claims role:tt, which plugin a has"):
        registry.add(b, ["role:tt"])


class FailsLate(str):
    """A claim that can be looked up once, and then not again."""

    __slots__ = ("looked_up",)

    def __hash__(self) -> int:
        if hasattr(self, "looked_up"):
            raise MemoryError
        self.looked_up = True
        return super().__hash__()


def test_nothing_is_half_entered(named: Make) -> None:
    """If memory runs out in the middle, every claim and name is as it was."""
    registry = loader.Registry()
    a, b, other = named("a"), named("same"), named("same")
    registry.add(a, ["role:tt"])
    registry.add(b)
    with pytest.raises(MemoryError):
        registry.add(other, ["role:tt", "role:new", FailsLate("role:late")])
    assert (registry.plugins, registry.claims) == ((a, b), {"role:tt": a})
    registry.strict = True
    registry.add(named("c"), ["role:new"])
    with pytest.raises(RegistryError, match="claims role:tt, which plugin a has"):
        registry.add(other, ["role:tt"])
    with pytest.raises(RegistryError, match="has the name same"):
        registry.add(other)


def test_many_threads(named: Make) -> None:
    """Plugins added by many threads are all there, and what a reader sees is whole."""
    registry = loader.Registry()
    plugins = [[named(f"{thread}-{number}") for number in range(40)] for thread in range(8)]
    errors: list[str] = []

    def add(mine: list[loader.Plugin]) -> None:
        for plugin in mine:
            registry.add(plugin, [f"role:{plugin.name}", f"other:{plugin.name}"])
            claims = registry.claims
            if (claims[f"role:{plugin.name}"], claims[f"other:{plugin.name}"]) != (plugin, plugin):
                errors.append(plugin.name)

    threads = [threading.Thread(target=add, args=(mine,)) for mine in plugins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(registry.plugins) == 320
    assert len(registry.claims) == 640
    for mine in plugins:
        assert [plugin for plugin in registry.plugins if plugin in mine] == mine
