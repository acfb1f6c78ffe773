"""Memory that runs out at every single allocation: an error each time, nothing left behind, nothing half done.

tests/starving is the process in which it does, plugins/starve.c is what makes it.

CPython itself does not live through all of that, so some ways to starve it are left out. Seen in 3.11, in C: where
PyContextVar_Set gets neither a token nor a map it gives back the token, NULL, and crashes; so does the first context
of a thread (context_new_empty). Where all memory is gone inside a `with`, the interpreter tries for ever to make the
number of the instruction (PyLong_FromLong in exception_unwind). So Python code is starved of one allocation at a
time, and only the core's own requests fail all together.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import TESTS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[..., Path]
    Play = Callable[[str], dict[str, list[int]]]

SANITIZED = bool(os.environ.get("LOADER_SANITIZE"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="starve.c stands before glibc's malloc"),
]


@pytest.fixture
def play(build: Build, probe_path: Path, lend_path: Path, tmp_path: Path) -> Play:
    """Plays the scenes of tests/starving in a mode: scene -> its numbers."""
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").exists():
        pytest.skip("Python's headers are not installed")
    # Stands before a sanitizer's malloc too, so it must not be instrumented.
    starve = build("starve.c", flags=[f"-I{headers}", "-fno-sanitize=all"])
    kinds = ["-Wno-infinite-recursion"]
    for name, plugin in {
        "probe": probe_path,
        "lend": lend_path,
        "roles": build("fatal.c", "HTMLIZE", flags=kinds),
        "wraps": build("fatal.c", "HTMLIZE", "CONTENTS", flags=kinds),
        "careless": build("careless.c"),
        "arrow": build("arrow.c"),
    }.items():
        shutil.copy(plugin, tmp_path / f"{name}.so")

    def run(mode: str) -> dict[str, list[int]]:
        path = [str(Path(loader.__file__).parent.parent), str(TESTS), os.environ.get("PYTHONPATH", "")]
        variables = {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "LD_PRELOAD": " ".join(filter(None, [str(starve), os.environ.get("LD_PRELOAD")])),
            "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0",
        }
        command = [sys.executable, "-X", "faulthandler", "-m", "starving", mode, str(tmp_path)]
        try:
            done = subprocess.run(
                command,
                env=os.environ | variables,
                capture_output=True,
                text=True,
                timeout=280 if SANITIZED else 100,
                check=False,
            )
            how = f"ended with {done.returncode}" if done.returncode != 0 else ""
            said = done.stderr
        except subprocess.TimeoutExpired as error:
            how, said = "hangs", (error.stderr or b"").decode()
        if how:
            progress = tmp_path / "progress"
            where = progress.read_text().strip() if progress.exists() else "before the first scene"
            pytest.fail(f"it {how}; {where}\n{said[-5000:]}")
        lines = [line.split(": ") for line in done.stdout.splitlines()]
        return {name: [int(number) for number in numbers.split()] for name, numbers in lines}

    return run


def test_the_core_has_no_memory(play: Play) -> None:
    """Where an allocation of the core fails, alone or with all that follow, the call does, and nothing stays behind.

    Whether by malloc or through Python's C API, for calls, services, limits, documents, engines and loading.
    """
    found = play("core")
    assert len(found) == 54
    failed = {name: numbers[:2] for name, numbers in found.items()}
    # All that was refused memory failed, but for these: an error's text is left out, a failed leave is made good,
    # a document goes on without a role.
    limits = {"limits", "a deadline", "a document under a limit"}
    lenient = {"a service's error", *limits, "problems that are kept", "problems that are kept, in bytes"}
    assert {name for name, (tried, refused) in failed.items() if refused != tried} == lenient
    # These use Python's memory only. Sums, so that a hook that no longer sees an allocation is noticed.
    pythons = ["a file is read in Python", "a file is read by C", "a plugin is registered"]
    assert [name for name, (tried, _) in failed.items() if tried == 0] == pythons
    assert sum(tried for tried, _ in failed.values()) > 300


@pytest.mark.skipif(SANITIZED, reason="of Python's own code, which is not instrumented")
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each CPython fails in its own ways: see above")
def test_python_has_no_memory(play: Play) -> None:
    """Where any allocation of Python or the core fails, the answer is right or there is an error of the right kind.

    Nothing is half loaded or registered, no limit stays in force, no descriptor stays open.
    """
    found = play("python")
    assert len(found) == 54
    assert sum(tried for tried, _ in found.values()) > 2000
    assert all(0 < refused <= tried for tried, refused in found.values())
