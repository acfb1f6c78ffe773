"""Plugins in five languages work when they are confined, within the limits that they are given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import PLUGINS

if TYPE_CHECKING:
    from confining import Confined

SOURCES = PLUGINS / "confined"
MEMORY = 512 << 20


@pytest.fixture(scope="session")
def built(tool: Callable[..., str], confined_program: tuple[Path, Path]) -> Callable[[str], Path]:
    """Compiles a file of tests/plugins/confined, once."""
    confined_folder = confined_program[0].parent
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | {"CGO_ENABLED": "1"}

    def command(source: Path, target: Path) -> list[str]:
        if source.suffix == ".cpp":
            flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-pthread"]
            return [tool("c++", "g++"), *flags, str(source), "-o", str(target)]
        if source.suffix == ".rs":
            return [tool("rustc"), "-O", "--edition=2021", "--crate-type=cdylib", "-o", str(target), str(source)]
        if source.suffix == ".go":
            return [tool("go"), "build", "-buildmode=c-shared", "-buildvcs=false", "-o", str(target), str(source)]
        zig = [shutil.which("zig")] if shutil.which("zig") else [sys.executable, "-m", "ziglang"]
        cache = ["--cache-dir", str(target.parent / "zig")]
        return [*map(str, zig), "build-lib", "-dynamic", "-fPIC", "-lc", str(source), f"-femit-bin={target}", *cache]

    def build_one(name: str) -> Path:
        source = SOURCES / name
        target = confined_folder / f"{name.replace('.', '_')}.so"
        if source.suffix == ".c":
            return confined_folder / "runtime.so"
        if not target.exists():
            words = command(source, target)
            done = subprocess.run(words, cwd=confined_folder, env=environment, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()
            target.chmod(0o755)
        return target

    return build_one


@pytest.mark.parametrize("source", ["runtime.c", "exceptions.cpp", "threads.rs", "goroutines.go", "threads.zig"])
def test_runtimes_work(confined: Confined, built: Callable[[str], Path], source: str) -> None:
    """Threads, exceptions and panics, signals, timers, collectors, preemption and pipes work confined."""
    outcome = confined.run("--memory", str(MEMORY), "--files", "64", library=built(source))
    assert outcome.code == 0, outcome.errors
    assert not outcome.report["missing"]
    assert outcome.report["run"] == 0, outcome.errors


def test_go_with_little_memory(confined: Confined, built: Callable[[str], Path]) -> None:
    """Go reserves far more address space than it uses; the limit is on what is used."""
    outcome = confined.run("--memory", str(128 << 20), library=built("goroutines.go"))
    assert outcome.report.get("run") == 0, outcome.errors


TAKING = ("take_heap", "take_small", "take_private", "take_protected", "take_moved")


def test_memory_has_a_limit(confined: Confined) -> None:
    """A part of it can be had in each way, twice of it in none; nor what no limit counts."""
    limit = 64 << 20
    for act in TAKING:  # in three places, and what is freed is kept by malloc
        assert confined.run("--memory", str(limit), "--size", str(limit // 4), acts=[act]).done(), act
    uncounted = ["take_shared", "take_stack", "take_memory_file", "take_page_tables", "huge_pages"]
    twice = confined.run("--memory", str(limit), "--size", str(limit * 2), acts=[*TAKING, *uncounted])
    assert not twice.done()
    assert confined.run("--size", str(limit * 2), acts=TAKING).done() == set(TAKING)


def test_descriptors_have_a_limit(confined: Confined) -> None:
    """As many as are allowed, and no more."""
    assert confined.run("--files", "32", "--size", "16", acts=["many_files"]).done()
    assert not confined.run("--files", "32", "--size", "33", acts=["many_files"]).done()


def test_threads_have_a_limit(confined: Confined) -> None:
    """In a user namespace of its own; else it is said to be missing, and that is said for root."""
    outcome = confined.run("--processes", "16", "--size", "32", acts=["many_threads"])
    if os.geteuid() == 0 and confined.user != "nobody":
        assert outcome.report["missing"] == ["rlimits"]
        assert "not as root" in outcome.report["why"]["rlimits"]
        return
    assert not outcome.report["missing"]
    assert not outcome.done()
    assert confined.run("--processes", "64", "--size", "32", acts=["many_threads"]).done()
    without = confined.run("--processes", "64", "--lacks", "272" if os.uname().machine == "x86_64" else "97")
    assert {"rlimits", "namespaces"} == set(without.report["missing"])
