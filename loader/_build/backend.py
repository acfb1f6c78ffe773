"""The build backend: setuptools' own, which also asks for cmake and ninja where the system has none.

pyproject.toml cannot say "only if missing", so the hooks that may say it are wrapped here, and the one that
would pack stale files. Everything else is setuptools.build_meta, unchanged. This folder is not part of the
installed package.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (  # the hooks that stay as they are
    build_editable,
    build_sdist,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

CMAKE_MINIMUM = (3, 20)  # as in CMakeLists.txt

#: A mapping or None; written so that an older Python comes far enough for pip to say which one is needed.
Settings = Any


def _version(command: str) -> tuple[int, int] | None:
    """The (major, minor) that `command --version` prints, or None if it is absent or does not run.

    Running it matters: a shim on PATH may belong to another Python and only print an error.
    """
    path = shutil.which(command)
    if path is None:
        return None
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else None


def missing_tools() -> list[str]:
    """Requirements for the tools of the native build that this system does not have."""
    needed = []
    cmake = _version("cmake")
    if cmake is None or cmake < CMAKE_MINIMUM:
        needed.append(f"cmake>={CMAKE_MINIMUM[0]}.{CMAKE_MINIMUM[1]}")
    if _version("ninja") is None:
        needed.append("ninja")
    return needed


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """PEP 517 hook."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *missing_tools()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """PEP 660 hook."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *missing_tools()]


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """PEP 517 hook. setuptools packs all that an earlier build left in build/lib*, so that goes first."""
    for stale in Path("build").glob("lib*"):
        shutil.rmtree(stale)
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    return name
