"""The command `htmlize`, documents for it, and plugins that answer or fail; the engine's plugins."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command
from document_tree import write_tree
from engine_hooks import FLAGS, Hooks
from tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = ROOT / "native_plugins"


@pytest.fixture(scope="session")
def roles(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugins cli_roles and tt."""
    folder = tmp_path_factory.mktemp("roles")
    shutil.copy(build("cli_roles.c"), folder)
    shutil.copy(build(PLUGINS / "tt" / "tt.c"), folder)
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command, in an empty folder."""
    return Command("loader.htmlize.cli", tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of four documents and some files that are none."""
    top = tmp_path / "docs"
    write_tree(top)
    return top


@pytest.fixture(scope="session")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Hooks:
    """Compiled once, opened once: plugins are never unloaded."""
    library = tmp_path_factory.mktemp("engine") / "engine_hooks.so"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    subprocess.run(
        [*compiler, *FLAGS, "-I", ROOT / "include", ROOT / "tests/plugins/engine_hooks.c", "-o", library],
        check=True,
    )
    return Hooks(ctypes.CDLL(str(library)))
