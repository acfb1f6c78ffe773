"""Programs with two plugins, the first of which runs Python in its constructor."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from forking import BEGIN
from tree import GREETER

Run = Callable[..., subprocess.CompletedProcess[str]]
Build = Callable[..., Path]


@pytest.fixture
def run(run_python: Run, build: Build) -> Callable[[str, str], list[str]]:
    """Runs a program with two plugins, the first of which runs Python in its constructor; the lines it printed."""
    paths = [build("calls_python.c", f"BUILD={number}", flags=["-ldl"]) for number in (1, 2)]

    def run_one(code: str, during: str = "") -> list[str]:
        setup = "" if not during else f"os.environ['LOADER_TEST_CODE'] = {during!r}\n"
        return run_python(BEGIN + setup + code, GREETER, *paths).stdout.splitlines()

    return run_one
