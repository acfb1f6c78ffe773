"""Plugins in C++, Rust, Go and Zig for every.h, which has all that a header can say: each kind arrives and comes out.

tests/every_checks.py asks them, in a process of its own: Go's runtime stays in one for good.
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
from tree import ROOT, TESTS

import loader
from loader.author.bindings import bindings
from loader.image import read_image

if TYPE_CHECKING:
    from pathlib import Path

EVERY = TESTS / "author" / "every"
HEADER = EVERY / "every.h"
MARKER = f"every_abi_2_3_is_0x{loader.Contract.from_header(HEADER).fingerprint}"  # the header is stamped

pytestmark = pytest.mark.slow


def make_cpp(folder: Path, request: pytest.FixtureRequest) -> Path:
    """Warnings are errors."""
    _write(folder, "cpp")
    flags = [f"-I{EVERY}", f"-I{folder}", "-Wconversion", "-Wshadow"]
    path: Path = request.getfixturevalue("build")(folder / "every_cpp.cpp", flags=flags)
    return path


def make_rust(folder: Path, request: pytest.FixtureRequest) -> Path:
    """Warnings are errors, and unsafe code is forbidden, in Cargo.toml and lib.rs."""
    _use_kit(folder / "Cargo.toml", "rust")
    _write(folder / "src", "rust")
    cargo = request.getfixturevalue("tool")("cargo")
    _run([cargo, "clippy", "--offline", "--", "-D", "warnings"], folder)
    _run([cargo, "build", "--offline"], folder)
    return folder / "target" / "debug" / "libevery_rust.so"


def make_go(folder: Path, request: pytest.FixtureRequest) -> Path:
    """What is generated is as gofmt has it, and go vet finds nothing."""
    _use_kit(folder / "go.mod", "go")
    _write(folder / "every", "go")
    tool = request.getfixturevalue("tool")
    assert _run([tool("gofmt"), "-l", "."], folder) == ""
    tags = "every_extra"
    _run([tool("go"), "vet", f"-tags={tags}", "./..."], folder)
    target = folder / "every_go.so"
    command = [tool("go"), "build", f"-tags={tags}", "-buildmode=c-shared", "-buildvcs=false", "-o", str(target), "."]
    _run(command, folder)
    return target


def make_zig(folder: Path, request: pytest.FixtureRequest) -> Path:
    """Zig has no warnings."""
    _write(folder, "zig")
    target = folder / "every_zig.so"
    done = request.getfixturevalue("build_zig")(folder / "every_zig.zig", folder / "every.zig", target)
    assert done.returncode == 0, done.stderr
    return target


MAKES = {"cpp": make_cpp, "rust": make_rust, "go": make_go, "zig": make_zig}


def _use_kit(manifest: Path, language: str) -> None:
    manifest.write_text(manifest.read_text().replace("KIT", str(ROOT / "include" / language)))


def _write(folder: Path, language: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in bindings(loader.Contract.from_header(HEADER), language, HEADER).items():
        (folder / name).write_text(text)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "CGO_ENABLED": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


@pytest.fixture(scope="module", params=MAKES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each check found, in one language: nothing, or a traceback."""
    pytest.importorskip("numpy")
    folder = tmp_path_factory.mktemp("every") / request.param
    shutil.copytree(EVERY / request.param, folder)
    path = MAKES[request.param](folder, request)
    assert {MARKER, "loader_abi_1", "loader_abi_1_3"} <= set(read_image(path).exports)
    script = [sys.executable, str(TESTS / "every_checks.py"), str(HEADER), str(path)]
    answer: dict[str, str] = json.loads(_run(script, folder).splitlines()[-1])
    return answer


@pytest.mark.parametrize("check", CHECKS)
def test_each_kind_arrives_and_comes_out(found: dict[str, str], check: str) -> None:
    """The check's own docstring says its rule."""
    assert found[check] == ""
