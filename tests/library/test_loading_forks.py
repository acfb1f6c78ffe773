"""loader/lock.py: forks while another thread loads a plugin, or imports this package."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from forking import ONCE
from tree import GREETER

Run = Callable[..., subprocess.CompletedProcess[str]]
Build = Callable[..., Path]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, fork and dlsym(RTLD_DEFAULT)")


def test_fork_while_another_thread_loads(run: Callable[..., list[str]]) -> None:
    """A fork waits for a load on another thread, and its child finds that plugin and can load others."""
    code = """
inside = threading.Event()
thread = threading.Thread(target=load, args=(first,))
thread.start()
inside.wait()
in_child(lambda: load(first) + load(second))
thread.join()
"""
    during = ONCE + "import time\nm.inside.set()\ntime.sleep(0.5)"
    assert run(code, during) == ["1 x2 x"]


def test_fork_that_a_constructor_waits_for(run: Callable[..., list[str]]) -> None:
    """A constructor that waits for a thread that forks: the fork goes on after a while, and the child too."""
    code = """
import loader.lock
loader.lock.FORK_PATIENCE = 0.3
load(second)
thread = threading.Thread(target=in_child, args=(lambda: load(second),))
os.environ["LOADER_TEST_CODE"] = "import __main__ as m; m.thread.start(); m.thread.join()"
print(load(first))
"""
    assert run(code) == ["2 x", "1 x"]


def test_fork_in_a_thread_pool_of_loads(run: Callable[..., list[str]]) -> None:
    """Children of threads that load and fork all at once can load too."""
    code = """
def one():
    for _ in range(10):
        load(first)
        in_child(lambda: load(second))
threads = [threading.Thread(target=one) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    assert run(code) == ["2 x"] * 40


def test_fork_while_another_thread_imports(run_python: Run, hello: Path) -> None:
    """A child that was forked while another thread imported loader for the first time imports and loads too."""
    code = """
import os, signal, sys, threading, time
signal.alarm(100)

def work():
    import loader
    return loader.load(sys.argv[2], contract=loader.Contract.from_header(sys.argv[1])).greet("x")

def trial(delay):
    thread = threading.Thread(target=work)
    thread.start()
    while not hasattr(sys.modules.get("loader.lock"), "Lock"):  # before that nobody of loader's is there to help
        time.sleep(0)
    time.sleep(delay)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if work() == "Hello, x!" else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()

for number in range(25):  # each in a process that has not imported it
    child = os.fork()
    if child == 0:
        try:
            trial(number * 0.004)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, number
print("ok")
"""
    assert run_python(code, GREETER, hello).stdout == "ok\n"


def test_import_that_stays_half_done(run_python: Run) -> None:
    """What another thread had begun to import at the moment of the fork is imported anew in the child."""
    code = """
import os, signal, sys, threading
signal.alarm(30)
import loader, loader.lock
from importlib.machinery import PathFinder
loader.lock.FORK_PATIENCE = 0.1
entered, leave = threading.Event(), threading.Event()

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "loader.limits" and threading.current_thread() is thread:
            spec = PathFinder.find_spec(name, path, target)
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (entered.set(), leave.wait(), run(module))
            return spec

sys.meta_path.insert(0, Finder)
thread = threading.Thread(target=lambda: loader.deadline)
thread.start()
entered.wait()
child = os.fork()
if child == 0:
    with loader.deadline(1):
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
leave.set()
thread.join()
with loader.deadline(1):
    print("ok")
"""
    assert run_python(code).stdout == "ok\n"
