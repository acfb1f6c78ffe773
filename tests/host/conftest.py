"""A plugin that is built anew as often as a test wants: builds differ in four characters of their bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import PLUGINS

import loader

_MARK = b"BUILD:0000"


class Builds:
    """A plugin's file, at first build 0000. Replaced by rename, as installers and compilers should do."""

    def __init__(self, compile_: Callable[..., Path], folder: Path) -> None:
        self._compile = compile_
        self.path = folder / "worker.so"
        self.put("0000")

    def put(self, build: str, *, extra: bool = False, path: Path | None = None) -> Path:
        """Puts this build (four characters) in the place of what is there."""
        path = path or self.path
        data = self._compile("reloaded.c", *(["EXTRA"] if extra else [])).read_bytes()
        assert data.count(_MARK) == 1
        beside = path.with_name("beside")
        beside.write_bytes(data.replace(_MARK, b"BUILD:" + build.encode()))
        os.replace(beside, path)
        return path


@pytest.fixture(scope="session")
def reloaded() -> loader.Contract:
    """The contract of tests/plugins/reloaded.h."""
    return loader.Contract.from_header(PLUGINS / "reloaded.h")


@pytest.fixture
def builds(build: Callable[..., Path], tmp_path: Path) -> Builds:
    """The file of a plugin that tests build anew."""
    return Builds(build, tmp_path)


@pytest.fixture
def worker(builds: Builds, reloaded: loader.Contract) -> loader.Plugin:
    """The plugin of build 0000, without a host."""
    return loader.load(builds.path, contract=reloaded)
