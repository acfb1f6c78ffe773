"""Plugins in C++ and Zig for every.h, which has all that a header can say: each kind arrives and comes out.

tests/every_checks.py asks them, as it asks those in Rust and Go (test_every.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from every_checks import CHECKS
from tree import TESTS

import loader
from loader.author.bindings import bindings
from loader.author.sdk import include_dir, zig_dir
from loader.image import read_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY = TESTS / "author" / "every"
HEADER = EVERY / "every.h"
SOURCES = {"cpp": EVERY / "cpp" / "every_cpp.cpp", "zig": EVERY / "zig" / "every_zig.zig"}

pytestmark = pytest.mark.slow


def command_of(language: str, folder: Path, tool: Callable[..., str]) -> list[str]:
    """What compiles the plugin to every.so; warnings are errors."""
    if language == "cpp":
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
        flags = ["-std=c++17", "-O1", *warnings, "-fPIC", "-shared", "-fvisibility=hidden"]
        includes = [f"-I{each}" for each in (include_dir(), EVERY, folder)]
        return [tool("c++", "g++"), *flags, *includes, str(SOURCES["cpp"]), "-o", "every.so"]
    zig = (
        [shutil.which("zig") or "", "build-lib"]
        if shutil.which("zig")
        else [sys.executable, "-m", "ziglang", "build-lib"]
    )
    if subprocess.run([*zig[:-1], "version"], capture_output=True, check=False).returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("zig is not installed")
        pytest.skip("zig is not installed")
    modules = [
        "--dep",
        "every",
        "--dep",
        "loader",
        f"-Mroot={SOURCES['zig']}",
        "--dep",
        "loader",
        "-Mevery=every.zig",
    ]
    flags = ["-dynamic", "-fPIC", "-ODebug", "-femit-bin=every.so", "--cache-dir", "cache"]
    return [*zig, *flags, *modules, f"-Mloader={zig_dir() / 'loader.zig'}"]


@pytest.fixture(scope="module", params=SOURCES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]
) -> dict[str, str]:
    """What each check found, in one language: nothing, or a traceback."""
    pytest.importorskip("numpy")
    folder = tmp_path_factory.mktemp("every")
    for name, text in bindings(loader.Contract.from_header(HEADER), request.param, HEADER).items():
        (folder / name).write_text(text)
    check = [sys.executable, str(TESTS / "every_checks.py"), str(HEADER), "every.so"]
    for command in (command_of(request.param, folder, tool), check):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    assert {"loader_abi_1", "loader_abi_1_3"} <= set(read_image(folder / "every.so").exports)
    answer: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("check", CHECKS)
def test_each_kind_arrives_and_comes_out(found: dict[str, str], check: str) -> None:
    """The check's own docstring says its rule."""
    assert found[check] == ""
