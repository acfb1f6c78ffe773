"""Processes made by fork: C plugins go on; a plugin with a Go runtime says so instead of hanging."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from forking import IN_CHILD
from tree import GREETER, PLUGINS

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.usefixtures("placement"),
]

Run = Callable[..., subprocess.CompletedProcess[str]]
PROBE = PLUGINS / "probe.h"

#: Begins every program.
BEGIN = (
    IN_CHILD
    + """
import os, sys, threading
import loader

def failure(work):
    try:
        return work()
    except loader.LoaderError as error:
        return f"{type(error).__name__}: {error}"

contract = loader.Contract.from_header(sys.argv[1])
path = sys.argv[2]
"""
)


def test_c_plugin_in_a_child(run_python: Run, hello: Path) -> None:
    """A plugin in C is called in a forked child, and in the parent afterwards, as if nothing had happened."""
    done = run_python(
        BEGIN
        + """
plugin = loader.load(path, contract=contract)
for _ in range(3):
    in_child(lambda: plugin.greet("child"))
    with loader.deadline(100):
        in_child(lambda: plugin.greet("late child"))
print(plugin.greet("parent"))
""",
        GREETER,
        hello,
    )
    assert done.stdout == "Hello, child!\nHello, late child!\n" * 3 + "Hello, parent!\n"


def test_loading_in_a_child(run_python: Run, hello: Path, build: Callable[..., Path]) -> None:
    """Plugins can be loaded in a child: the same file, and another one."""
    done = run_python(
        BEGIN
        + """
plugin = loader.load(path, contract=contract)
in_child(lambda: loader.load(path, contract=contract).greet("again"))
in_child(lambda: loader.load(sys.argv[3], contract=contract).greet("new"))
print(plugin.greet("parent"))
""",
        GREETER,
        hello,
        build("hostile.c", "BUILD=300"),
    )
    assert done.stdout == "Hello, again!\nHello, new!\nHello, parent!\n"


def test_services_in_a_child(run_python: Run, lend_path: Path) -> None:
    """A plugin that comes back to Python does so in a child too."""
    done = run_python(
        BEGIN
        + """
names = ["title", "blob", "count", "ratio", "note", "describe", "many"]
db = {name: lambda *values: "service" for name in names}
plugin = loader.Host(contract, services={"lend.db/1": db}).load(path)
print(plugin.title(1))
in_child(lambda: plugin.title(2))
""",
        PROBE.parent / "lend.h",
        lend_path,
    )
    assert done.stdout == "service\nservice\n"


def test_fork_while_another_thread_loads(run_python: Run, build: Callable[..., Path]) -> None:
    """A child that was forked while another thread was loading can load too: no lock stays locked."""
    paths = [build("hostile.c", f"BUILD={number}") for number in range(310, 330)]
    done = run_python(
        BEGIN
        + """
import signal
signal.alarm(100)
def load_all():
    for path in sys.argv[3:]:
        loader.load(path, contract=contract)
loader.load(path, contract=contract)  # else it forks while a module is imported: that hangs, in Python
thread = threading.Thread(target=load_all)
thread.start()
for _ in range(30):
    in_child(lambda: loader.load(path, contract=contract).greet("child"))
thread.join()
""",
        GREETER,
        *paths,
    )
    assert done.stdout == "Hello, child!\n" * 30


@pytest.mark.in_process("a child has workers of its own, in which Go works")
def test_go_plugin_in_a_child(run_python: Run, go_panics: Path) -> None:
    """A plugin with a Go runtime raises ForkError in a child, called or loaded; in the parent it goes on."""
    done = run_python(
        BEGIN
        + """
import pickle
plugin = loader.load(path, contract=contract)
print(plugin.greet("parent"))
in_child(lambda: failure(lambda: plugin.greet("child")))
in_child(lambda: failure(lambda: loader.load(path, contract=contract).greet("child")))
in_child(lambda: failure(lambda: pickle.loads(pickle.dumps(plugin)).greet("child")))
with loader.deadline(100):
    in_child(lambda: failure(lambda: plugin.greet("child")))
print(plugin.greet("parent"))
""",
        GREETER,
        go_panics,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == lines[5] == "half of a greeting for parent"
    for line in lines[1:5]:
        assert line.startswith(f"ForkError: {go_panics}: has a runtime of its own")
        assert "spawn" in line


def test_go_plugin_loaded_after_the_fork(run_python: Run, go_panics: Path) -> None:
    """A child that loads a Go plugin itself has a runtime of its own, which works."""
    done = run_python(
        BEGIN + 'in_child(lambda: loader.load(path, contract=contract).greet("child"))\n', GREETER, go_panics
    )
    assert done.stdout == "half of a greeting for child\n"


@pytest.mark.in_process("a child has workers of its own, in which Go works")
def test_grandchild(run_python: Run, go_panics: Path) -> None:
    """What holds for a child holds for its children: loaded in the child, refused in the grandchild."""
    done = run_python(
        BEGIN
        + """
def child():
    plugin = loader.load(path, contract=contract)
    in_child(lambda: failure(lambda: plugin.greet("grandchild")).split(":")[0])
    return plugin.greet("child")
in_child(child)
""",
        GREETER,
        go_panics,
    )
    assert done.stdout == "ForkError\nhalf of a greeting for child\n"
