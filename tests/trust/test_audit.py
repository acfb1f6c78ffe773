"""The audit event loader.open: who watches a process learns of native code before it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

BEGIN = """
import os, sys, loader
contract = loader.Contract.from_header(sys.argv[2])
events = []
def hook(name, arguments):
    if name == "loader.open":
        events.append(arguments)
        if refuse:
            raise RuntimeError("not here")
refuse = False
sys.addaudithook(hook)
"""


def test_before_it_runs(run_python: Run, build: Build, tmp_path: Path) -> None:
    """Path and digest are told before a constructor runs, for each load; what the hook raises is raised."""
    plugin = build("hostile.c", "BUILD=8801")
    done = run_python(
        f"""{BEGIN}
refuse = True
try:
    loader.load(sys.argv[1], contract=contract)
except RuntimeError as error:
    print(error, os.path.exists(os.environ["LOADER_TEST_SENTINEL"]))
refuse = False
plugin = loader.load(sys.argv[1], contract=contract)
loader.Host(contract).load(sys.argv[1], name="again")
assert events == [(sys.argv[1], plugin.digest)] * 3
print(plugin.greet("you"), os.path.exists(os.environ["LOADER_TEST_SENTINEL"]))
""",
        plugin,
        GREETER,
        LOADER_TEST_SENTINEL=str(tmp_path / "sentinel"),
    )
    assert done.stdout == "not here False\nHello, you! True\n"


def test_looking_raises_none(run_python: Run, hello: Path) -> None:
    """What runs nothing tells nothing."""
    done = run_python(
        f"""{BEGIN}
loader.discover(sys.argv[1], contract=contract)
loader.read_image(sys.argv[1])
lazy = loader.Host(contract).load(sys.argv[1], lazy=True)
print(events)
lazy.greet("x")
print(len(events))
""",
        hello,
        GREETER,
    )
    assert done.stdout == "[]\n1\n"


@pytest.mark.skipif(sys.platform != "linux", reason="$ORIGIN")
def test_libraries_from_beside(run_python: Run, build: Build, tmp_path: Path) -> None:
    """A library that is opened for the plugin is native code too."""
    shutil.copy(build("neighbour.c", "ANSWER=8802", flags=["-Wl,-soname,libaudit.so"]), tmp_path / "libaudit.so")
    flags = [f"-L{tmp_path}", "-l:libaudit.so", "-Wl,-rpath,$ORIGIN"]
    built = build("hostile.c", "NEEDS=neighbour", "GREET=asks_neighbour", "BUILD=8803", flags=flags)
    plugin = shutil.copy(built, tmp_path / "top.so")
    done = run_python(
        f"""{BEGIN}
loader.load(sys.argv[1], contract=contract)
print(*(os.path.basename(path) for path, _ in events))
""",
        plugin,
        GREETER,
    )
    assert done.stdout == "top.so libaudit.so\n"
