"""loader.health: what happens to plugins, told to who subscribes, at no cost to calls."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

import loader
from loader import events
from loader.observe.health import Collected, HealthEvent

Run = Callable[..., Any]


@pytest.fixture
def path(hello: Path, tmp_path: Path) -> Path:
    """A copy of the greeter's plugin."""
    return Path(shutil.copy(hello, tmp_path / "hello.so"))


@pytest.fixture
def collected() -> Any:
    """What is told during the test."""
    with loader.health.collect() as found:
        yield found


def kinds(collected: Collected) -> list[str]:
    """Those of the events, which are taken."""
    return [event.kind for event in collected.take()]


def test_loaded_and_failed(greeter: loader.Contract, path: Path, collected: Collected) -> None:
    """A file that went all the road, and one that did not with its error's fields."""
    plugin = loader.load(path, contract=greeter)
    (event,) = collected.take()
    assert (event.kind, event.plugin, event.path) == ("loaded", "hello", str(path))
    assert event.details == {"digest": plugin.digest, "version": (1, 0)}
    path.write_text("no plugin\n")
    with pytest.raises(loader.ImageError) as caught:
        loader.load(path, contract=greeter)
    (event,) = collected.take()
    assert (event.kind, event.plugin, event.path) == ("failed", "hello", str(path))
    assert event.details["type"] == "ImageError"
    assert event.details["error"] == str(caught.value)
    assert event.details["found"] == caught.value.found
    assert str(event) == f"plugin hello ({path}): failed: {caught.value}"


def test_of_a_host(greeter: loader.Contract, path: Path, collected: Collected) -> None:
    """A refusal by the registry, lazy plugins when they are opened, failures of load_all."""
    host = loader.Host(greeter, strict=True)
    host.load(path, claims=lambda _: ["a"])
    assert kinds(collected) == ["loaded"]
    with pytest.raises(loader.RegistryError):
        host.load(path, name="other", claims=lambda _: ["a"])
    assert kinds(collected) == ["loaded", "failed"]
    lazy = loader.Host(greeter).load(path, lazy=True)
    assert kinds(collected) == []
    lazy.greet("a")
    assert kinds(collected) == ["loaded"]
    path.with_name("bad.so").write_text("no plugin\n")
    loader.Host(greeter).load_all(path.parent)
    assert kinds(collected) == ["failed", "loaded"]


def test_reloaded(greeter: loader.Contract, path: Path, collected: Collected) -> None:
    """A reload is one event, of what changed and what it costs; one without work is none; a failure is one."""
    plugin = loader.load(path, contract=greeter)
    before = plugin.digest
    collected.take()
    plugin.reload()
    assert kinds(collected) == []
    with path.open("ab") as file:
        file.write(b"more")
    plugin.reload()
    (event,) = collected.take()
    assert (event.kind, event.plugin, event.path) == ("reloaded", "hello", str(path))
    assert {name: event.details[name] for name in ("digest", "before", "version")} == {
        "digest": plugin.digest,
        "before": before,
        "version": (1, 0),
    }
    assert event.details["mapped"] >= 2 * path.stat().st_size
    assert 0 < event.details["seconds"] < 60
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(loader.ReloadError):
        plugin.reload(self_test=lambda _: False)
    (event,) = collected.take()
    assert (event.kind, event.details["type"]) == ("reload_failed", "ReloadError")


def test_a_subscriber_that_raises(
    greeter: loader.Contract, path: Path, collected: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it reaches who loads, nor other subscribers: it is logged."""
    unsubscribe = loader.health.subscribe(lambda _: 1 // 0)
    after = loader.health.collect()
    try:
        assert loader.load(path, contract=greeter).greet("a") == "Hello, a!"
    finally:
        unsubscribe()
        after.close()
    assert (kinds(collected), kinds(after)) == (["loaded"], ["loaded"])
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("loader.health", logging.ERROR)
    assert record.exc_info is not None


def test_a_subscriber_that_loads(greeter: loader.Contract, path: Path) -> None:
    """It may come back: no lock of ours is held while it runs, on this thread and on one that it waits for."""
    seen: list[str] = []
    host = loader.Host(greeter)

    def reload_too(event: HealthEvent) -> None:
        seen.append(event.kind)
        if len(seen) == 1:
            with path.open("ab") as file:
                file.write(b"more")
            thread = threading.Thread(target=host.load, args=(path,))
            thread.start()
            thread.join()
            host.load(path, name="third")

    unsubscribe = loader.health.subscribe(reload_too)
    host.load(path)
    unsubscribe()
    assert seen == ["loaded"] * 3
    assert len(host.plugins) == 3


def test_unsubscribe(greeter: loader.Contract, path: Path) -> None:
    """Twice is as good as once, one of two equal subscriptions stays, and nobody costs nothing."""
    seen: list[HealthEvent] = []
    first, second = (loader.health.subscribe(seen.append) for _ in range(2))
    first()
    first()
    loader.load(path, contract=greeter)
    assert len(seen) == 1
    second()
    loader.load(path, contract=greeter)
    assert len(seen) == 1
    assert events.listener is None


def test_subscribing_from_many_threads(together: Any) -> None:
    """Whoever subscribes is told of what happens until it unsubscribes, whatever others do."""

    def work(number: int) -> bool:
        for _ in range(200):
            with loader.health.collect() as found:
                events.tell("closed", str(number), "")
                if str(number) not in {event.plugin for event in found.take()}:
                    return False
        return True

    assert all(together(4, work))
    assert events.listener is None


def test_collected_is_bounded() -> None:
    """The newest are kept, and how many were lost is known."""
    with loader.health.collect(size=3) as found:
        for number in range(5):
            events.tell("closed", str(number), "")
        assert found.lost == 2
        assert [event.plugin for event in found.take()] == ["2", "3", "4"]
        assert found.take() == []
    for size in (0, -1):
        with pytest.raises(ValueError, match="1 or more"):
            loader.health.collect(size)


def test_arguments() -> None:
    """A subscriber is callable; an event does not change."""
    with pytest.raises(TypeError):
        loader.health.subscribe(None)  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        HealthEvent("loaded", "a", "b", 0.0).kind = "failed"  # type: ignore[misc]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_nothing_is_imported_for_it(run_python: Run, hello: Path) -> None:
    """A program that loads and calls does not pay for it."""
    program = """
import sys, loader
from pathlib import Path
contract = loader.Contract.from_header(sys.argv[2])
plugin = loader.load(sys.argv[1], contract=contract)
assert plugin.greet("a") == "Hello, a!"
assert "loader.observe.health" not in sys.modules and "loader.registry" not in sys.modules
assert loader.health is sys.modules["loader.observe.health"]
"""
    from tree import GREETER

    run_python(program, hello, GREETER)
