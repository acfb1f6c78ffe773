"""A plugin that dies as it is told, and programs in which it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import BEGIN, HEADER

import loader
from loader.observe.crash import Crash, read_report

Build = Callable[..., Path]
Die = Callable[..., list[Crash]]


@pytest.fixture
def fatal(build: Build) -> Path:
    """A plugin that dies as it is told."""
    return build("fatal.c", flags=["-Wno-infinite-recursion"])


@pytest.fixture
def die(tmp_path: Path) -> Die:
    """Runs a program that is to die of a signal, and returns the crashes in its report."""

    def run(code: str, path: Path, *more: str | Path, by: str | None = None) -> list[Crash]:
        report, script = tmp_path / "report", tmp_path / "program.py"
        script.write_text(BEGIN + code)
        here = str(Path(loader.__file__).parent.parent)
        done = subprocess.run(
            [sys.executable, str(script), str(report), str(HEADER), str(path), *map(str, more)],
            env=os.environ | {"PYTHONPATH": here, "PADDING": "x" * 8000},  # lies where smash() writes last
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        expected = 0 if by is None else -signal.Signals[by]
        assert done.returncode == expected, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return read_report(report)

    return run
