"""Fixtures of tests of calls: the plugin arrow."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from arrow_made import Middle
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
