"""A real body of text: the reST sources of Sphinx, with plugins in four languages, against the plain rules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import TESTS

SPHINX = "sphinx==8.1.3"


@pytest.fixture(scope="session")
def sphinx(request: pytest.FixtureRequest) -> Path:
    """Sphinx's source distribution, fetched once into build/."""
    folder = request.config.rootpath / "build" / "real" / SPHINX
    if not any(folder.glob("*/doc")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        done = subprocess.run([*command, "-d", str(folder), SPHINX], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = f"Sphinx's sources cannot be fetched: {done.stderr.strip().splitlines()[-1]}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    return folder


@pytest.mark.real
def test_every_file_of_sphinx_gives_what_the_plain_rules_give(
    sphinx: Path,
    native_plugins: Path,
    posts_database: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """All plugins at once, every file, byte for byte."""
    script = TESTS / "real_text.py"
    command = [sys.executable, str(script), str(native_plugins), str(sphinx), str(posts_database)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert sorted(figures["plugins"]) == ["letters", "narcissist", "posts", "rest_roles", "tt"]
    assert figures["files"] > 100
    assert figures["answered"] > 1000
    for name, value in figures.items():
        record_property(name, value)
