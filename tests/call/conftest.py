"""Fixtures of tests of calls: the plugins arrow and stateful."""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from arrow_made import Middle
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@pytest.fixture
def middle() -> Middle:
    """What the plugin calls in the middle of look_twice."""
    return Middle()


@pytest.fixture(scope="session")
def arrow_path(build: Callable[..., Path]) -> Path:
    """The plugin arrow, a file."""
    return build("arrow.c")


@pytest.fixture
def arrow(arrow_path: Path, middle: Middle) -> Iterator[loader.Plugin]:
    """The plugin arrow; behind the test nothing of it is alive, and nothing was released twice."""
    host = loader.Host(loader.Contract.from_header(PLUGINS / "arrow.h"), services={"arrow.middle/1": middle})
    plugin = host.load(arrow_path)
    yield plugin
    gc.collect()
    assert plugin.alive() == (0, 0)


@pytest.fixture
def living(placement: str) -> int:
    """How many structs of the plugin arrow are alive while there is one array of it: a worker copies what its plugin
    gives, and releases it at once.
    """
    return 2 if placement == "in-process" else 0


@pytest.fixture(scope="session")
def stateful_contract() -> loader.Contract:
    """The contract stateful."""
    return loader.Contract.from_header(PLUGINS / "stateful.h")


@pytest.fixture(scope="session")
def stateful_path(build: Callable[..., Path]) -> Path:
    """The plugin stateful, a file."""
    return build("stateful.c")


@pytest.fixture
def stateful(stateful_path: Path, stateful_contract: loader.Contract) -> Iterator[loader.Plugin]:
    """The plugin stateful, of which no instance lives before or after the test: its classes are the test's own."""
    plugin = loader.load(stateful_path, contract=stateful_contract)
    gc.collect()
    before = plugin.living().count
    yield plugin
    gc.collect()
    assert plugin.living().count == before


@pytest.fixture
def held() -> Callable[[Any], AbstractContextManager[Callable[[], None]]]:
    """For `with`: another thread is in a function of an instance, until the block ends or calls what `with` gave."""

    @contextlib.contextmanager
    def hold(counter: Any) -> Iterator[Callable[[], None]]:
        entered, go = threading.Event(), threading.Event()

        def step(_done: float) -> None:
            entered.set()
            go.wait(30)

        thread = threading.Thread(target=counter.during, args=(step,))

        def leave() -> None:
            go.set()
            thread.join(20)

        thread.start()
        try:
            assert entered.wait(20)
            yield leave
        finally:
            leave()

    return hold


@pytest.fixture
def watched() -> Callable[[Callable[[], None]], AbstractContextManager[None]]:
    """For `with`: a function looks around at every collection of garbage, which is at every few objects made.

    gc.get_objects() has only what was made since: what thousands of tests left behind is too much to look at.
    """

    @contextlib.contextmanager
    def watch(look: Callable[[], None]) -> Iterator[None]:
        here = threading.get_ident()

        def collecting(_phase: str, _info: object) -> None:
            # On another thread (a timer's) it would still hold what it found when this test is over.
            if threading.get_ident() == here:
                look()

        threshold = gc.get_threshold()
        gc.freeze()
        gc.callbacks.append(collecting)
        gc.set_threshold(1, 1, 1)
        try:
            yield
        finally:
            gc.set_threshold(*threshold)
            gc.callbacks.remove(collecting)
            gc.unfreeze()

    return watch
