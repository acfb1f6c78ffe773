"""Plugins in Rust and Go for every.h, which has all that a header can say: each kind arrives and comes out.

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
    from collections.abc import Callable
    from pathlib import Path

EVERY = TESTS / "author" / "every"
HEADER = EVERY / "every.h"
MARKER = f"every_abi_2_3_is_0x{loader.Contract.from_header(HEADER).fingerprint}"  # the header is stamped

pytestmark = pytest.mark.slow


def build_rust(folder: Path, tool: Callable[..., str]) -> Path:
    """Warnings are errors, and unsafe code is forbidden, in Cargo.toml and lib.rs."""
    _write(folder / "src", "rust")
    lint = [tool("cargo"), "clippy", "--offline", "--", "-D", "warnings"]
    _run(lint, folder)
    _run([tool("cargo"), "build", "--offline"], folder)
    return folder / "target" / "debug" / "libevery_rust.so"


def build_go(folder: Path, tool: Callable[..., str]) -> Path:
    """What is generated is as gofmt has it, and go vet finds nothing."""
    _write(folder / "every", "go")
    assert _run([tool("gofmt"), "-l", "."], folder) == ""
    tags = "every_extra"
    _run([tool("go"), "vet", f"-tags={tags}", "./..."], folder)
    target = folder / "every_go.so"
    command = [tool("go"), "build", f"-tags={tags}", "-buildmode=c-shared", "-buildvcs=false", "-o", str(target), "."]
    _run(command, folder)
    return target


BUILDS = {"rust": build_rust, "go": build_go}


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


@pytest.fixture(scope="module", params=BUILDS)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]
) -> dict[str, str]:
    """What each check found, in one language: nothing, or a traceback."""
    pytest.importorskip("numpy")
    folder = tmp_path_factory.mktemp("every") / request.param
    shutil.copytree(EVERY / request.param, folder)
    manifest = folder / {"rust": "Cargo.toml", "go": "go.mod"}[request.param]
    kit = ROOT / "include" / request.param
    manifest.write_text(manifest.read_text().replace("KIT", str(kit)))
    path = BUILDS[request.param](folder, tool)
    assert {MARKER, "loader_abi_1", "loader_abi_1_3"} <= set(read_image(path).exports)
    script = [sys.executable, str(TESTS / "every_checks.py"), str(HEADER), str(path)]
    answer: dict[str, str] = json.loads(_run(script, folder).splitlines()[-1])
    return answer


@pytest.mark.parametrize("check", CHECKS)
def test_each_kind_arrives_and_comes_out(found: dict[str, str], check: str) -> None:
    """The check's own docstring says its rule."""
    assert found[check] == ""
