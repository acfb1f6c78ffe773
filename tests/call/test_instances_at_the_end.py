"""Instances when a process forks, or Python ends, while threads have them."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

HEADER = PLUGINS / "stateful.h"


def _child_ends(child: int) -> int:
    """Its exit code; a child that hangs is ended."""
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


@pytest.mark.in_process("a child has no part in the worker")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_in_a_callable(stateful_path: Path) -> None:
    """Both processes come back through the plugin's function, and go on with the instance."""
    stateful = loader.load(stateful_path, contract=loader.Contract.from_header(HEADER))
    counter = stateful.counter(1, 0)
    child = -1

    def step(_done: float) -> None:
        nonlocal child
        child = os.fork()

    counter.during(step)
    if child == 0:
        code = 1
        try:
            code = 0 if counter.add(1) == 2 else 2
            counter.close()
        finally:
            os._exit(code)
    assert _child_ends(child) == 0
    assert counter.add(1) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="no workers")
def test_a_fork_in_a_callable_of_a_worker(stateful_path: Path) -> None:
    """The parent goes on; in the child, which has no part in its parent's worker, the call ends with ForkError, also
    where calls are in each other, and the next one finds a worker.
    """
    contract = loader.Contract.from_header(HEADER)
    stateful = loader.load(stateful_path, contract=contract, isolation=loader.Isolation(sandbox="off"))
    child, outer, inner = -1, stateful.counter(1, 0), stateful.counter(1, 0)
    errors = []

    def step(_done: float) -> None:
        nonlocal child
        child = os.fork()

    def nested(_done: float) -> None:
        try:
            inner.during(step)
        except loader.ForkError as error:
            errors.append(error)

    try:
        outer.during(nested)
    except loader.ForkError as error:
        errors.append(error)
    if child == 0:
        code = 1
        try:
            code = 0 if len(errors) == 2 and stateful.counter(1, 0).add(1) == 2 else 2
        finally:
            os._exit(code)
    assert _child_ends(child) == 0
    assert (errors, outer.add(1), inner.add(1)) == ([], 2, 2)


FORK_IN_BETWEEN = """
import os, sys, threading, time, loader
header, path = sys.argv[1:]
plugin = loader.load(path, contract=loader.Contract.from_header(header))
counter = plugin.counter(1, 0)
waits = threading.Thread(target=counter.add, args=(1,))
def step(done):
    waits.start()
    time.sleep(0.3)  # now it is in its wait, without the GIL
counter.during(step)
end = time.monotonic() + 0.3
while time.monotonic() < end:  # the GIL is not let go: it has the instance, and waits for the GIL
    pass
child = os.fork()
if child == 0:
    try:
        with loader.deadline(20):
            counter.add(1)
    except loader.InstanceError as error:
        os._exit(0 if "when this process was forked" in str(error) else 3)
    except loader.DeadlineExceeded:
        os._exit(4)
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.setswitchinterval(0.005)
waits.join()
assert counter.add(0) == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_while_a_thread_gets_it(
    stateful_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A thread that has got the instance, and not the GIL yet, is not in the child: it is refused there."""
    code = FORK_IN_BETWEEN.replace("import os,", "import os, sys; sys.setswitchinterval(30)\nimport", 1)
    assert run_python(code, HEADER, stateful_path).stdout == "0\n"


# ---- The end of Python -------------------------------------------------------------------------------------

AT_THE_END = """
import sys, threading, time, loader
header, path = sys.argv[1:]
contract = loader.Contract.from_header(header)
plugin = loader.load(path, contract=contract)
Closed = loader.InstanceError  # which is not imported before somebody asks
class Holds:
    def __init__(self, what):
        self.what = what
        self.me = self
    def __del__(self):
        try:
            self.what.add(1)
            self.what.close()
        except Closed as error:
            print(error, flush=True)
holders = [Holds(plugin.counter(i, 0)) for i in range(10)]
sys.modules["holders"] = type(sys)("holders")
sys.modules["holders"].one = Holds(plugin.counter(1, 0))
kept = plugin.counter(1, 0), plugin.hub(), plugin.counter.add, iter(plugin.counter(3, 0))
kept_by_a_method = plugin.counter(1, 0).add
"""
INSIDE = """
inside = plugin.counter(1, 0)
threading.Thread(target=inside.spin, args=(1 << 60,), daemon=True).start()
waiting = threading.Thread(target=inside.add, args=(1,), daemon=True).start()
time.sleep(0.3)
held = Holds(inside)
"""


@pytest.mark.parametrize("flags", [(), ("-X", "dev")])
def test_live_instances_at_the_end(
    stateful_path: Path, flags: tuple[str, ...], run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Modules, finalizers, cycles and methods that hold instances when Python ends: silence, and an end."""
    done = run_python(AT_THE_END, HEADER, stateful_path, flags=flags)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("flags", [(), ("-X", "dev")])
def test_a_thread_is_inside_at_the_end(
    stateful_path: Path, flags: tuple[str, ...], run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A finalizer that uses or closes an instance that a daemon thread has is told so, and goes on."""
    done = run_python(AT_THE_END + INSIDE, HEADER, stateful_path, flags=flags)
    assert "is in use by another thread when Python ends" in done.stdout
    assert done.stderr == ""
