"""Calls without end, and objects nested without end: an exception or nothing, and never a crash."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import PLUGINS

pytestmark = pytest.mark.usefixtures("placement")

Run = Callable[..., subprocess.CompletedProcess[str]]

BEGIN = """
import sys, threading
import loader
host = loader.Host(loader.Contract.from_header(sys.argv[1]))
plugin = host.load(sys.argv[2])
def attempt():
    for _ in range(3):
        try:
            plugin.down()
        except RecursionError as error:
            said.add("recursion")
        except loader.PluginError as error:
            assert isinstance(error.__cause__, RecursionError), repr(error.__cause__)
            assert error.__cause__.__cause__ is None and len(str(error)) < 400, len(str(error))
            said.add("recursion")
        else:
            said.add("no error")
said = set()
"""
NATIVE = 'host.provide("recursive.again/1", {"again": plugin.down})\n'
PYTHON = 'host.provide("recursive.again/1", {"again": lambda: plugin.down()})\n'
RAISED = "sys.setrecursionlimit(10**6)\n"
PLAIN = "attempt()\nprint(said)\n"


def in_thread(size: int) -> str:
    """`attempt` on a thread with a stack of so many bytes."""
    return f"""
threading.stack_size({size})
thread = threading.Thread(target=attempt)
thread.start()
thread.join()
print(said)
"""


@pytest.mark.parametrize("frame", [16, 20_000, 200_000])
@pytest.mark.parametrize("raised", ["", RAISED], ids=["", "raised limit"])
@pytest.mark.parametrize("where", [PLAIN, in_thread(1 << 20)], ids=["main thread", "thread of 1 MiB"])
def test_native_function_as_its_own_service(
    run_python: Run, build: Callable[..., Path], frame: int, raised: str, where: str
) -> None:
    """A function that is lent to itself and never ends is a RecursionError, or a PluginError because of one."""
    path = build("recursive.c", f"FRAME={frame}")
    done = run_python(BEGIN + raised + NATIVE + where, PLUGINS / "recursive.h", path)
    assert done.stdout == "{'recursion'}\n"


@pytest.mark.parametrize("size", [128 << 10, 256 << 10])
def test_small_stacks(run_python: Run, build: Callable[..., Path], size: int) -> None:
    """On a small stack too, which ends long before Python's count does."""
    done = run_python(BEGIN + NATIVE + in_thread(size), PLUGINS / "recursive.h", build("recursive.c"))
    assert done.stdout == "{'recursion'}\n"


def test_through_python(run_python: Run, build: Callable[..., Path]) -> None:
    """With a function of Python in each round."""
    done = run_python(BEGIN + PYTHON + PLAIN, PLUGINS / "recursive.h", build("recursive.c"))
    assert done.stdout == "{'recursion'}\n"


def test_under_a_deadline(run_python: Run, build: Callable[..., Path]) -> None:
    """Where calls let the GIL go."""
    code = BEGIN + NATIVE + "with loader.deadline(100):\n    attempt()\nprint(said)\n"
    done = run_python(code, PLUGINS / "recursive.h", build("recursive.c"))
    assert done.stdout == "{'recursion'}\n"


def test_deep_but_not_endless(run_python: Run, build: Callable[..., Path]) -> None:
    """A hundred rounds are no recursion without end."""
    code = (
        BEGIN
        + """
left = 100
def again():
    global left
    left -= 1
    return plugin.down() if left else "bottom"
host.provide("recursive.again/1", {"again": again})
print(plugin.down())
"""
    )
    done = run_python(code, PLUGINS / "recursive.h", build("recursive.c"))
    assert done.stdout == "bottom\n"


@pytest.mark.in_process("no plugin is called")
def test_nested_limits(run_python: Run) -> None:
    """Two million limits in each other are dropped without a crash, by parents and by tokens."""
    code = """
from loader._core._call import Limit
for nest in ("parent",), ("token",), ("parent", "token"):
    limit = None
    for _ in range(2_000_000):
        limit = Limit(100, **dict.fromkeys(nest, limit))
    del limit
print("dropped")
"""
    assert run_python(code).stdout == "dropped\n"


def test_limits_in_force(run_python: Run) -> None:
    """The same of limits that are in force; afterwards none is."""
    code = """
import contextvars
import loader
from loader._core._call import Limit
def nest():
    for _ in range(100_000):
        Limit(100, Limit.current()).enter()
contextvars.Context().run(nest)
assert Limit.current() is None
with loader.deadline(100):
    assert Limit.current().status() == 0
assert Limit.current() is None
print("dropped")
"""
    assert run_python(code).stdout == "dropped\n"


@pytest.mark.in_process("no plugin is called")
def test_records_in_records(run_python: Run) -> None:
    """A row of a million records, each of which holds the next, is dropped without a crash."""
    code = """
import dataclasses
import loader
@dataclasses.dataclass(frozen=True)
class Link(loader.Record):
    next: object
@dataclasses.dataclass(frozen=True, slots=True)
class Slotted(loader.Record):
    next: object
for kind in (Link, Slotted):
    link = None
    for _ in range(1_000_000):
        link = kind(link)
    del link
print("dropped")
"""
    assert run_python(code).stdout == "dropped\n"
