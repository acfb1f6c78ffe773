"""The command `loader`, and the plugins that its tests call."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def tool_so(build: Callable[..., Path]) -> Path:
    """The plugin for contract cli_tool."""
    return build("cli_tool.c", name="tool")


@pytest.fixture(scope="session")
def plugins(build: Callable[..., Path], tool_so: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin "tool" for contract cli_tool and "role" for contract htmlize."""
    folder = tmp_path_factory.mktemp("cli")
    shutil.copy(build("cli_roles.c"), folder / "role.so")
    shutil.copy(tool_so, folder / "tool.so")
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command, in an empty folder."""
    return Command("loader", tmp_path)
