"""loader/lock.py: what comes back while a library is opened, on the same thread or on another."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from forking import ONCE
from tree import EMULATED

import loader
from loader import lock
from loader.errors import RegistryError

Run = Callable[..., subprocess.CompletedProcess[str]]
Build = Callable[..., Path]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, fork and dlsym(RTLD_DEFAULT)")


def test_constructor_that_loads(run: Callable[..., list[str]]) -> None:
    """A constructor may load another plugin."""
    assert run("print(load(first))\n", ONCE + "print(m.load(m.second))") == ["2 x", "1 x"]


def test_constructor_that_loads_itself(run: Callable[..., list[str]]) -> None:
    """A constructor that loads the very plugin that it belongs to gets a LibraryError; the plugin is loaded."""
    inner, outer, again = run("print(load(first))\nprint(load(first))\n", ONCE + "print(m.failure(m.first))")
    assert inner.startswith("LibraryError: ")
    assert "is being opened by this very thread" in inner
    assert outer == again == "1 x"


def test_constructor_that_forks(run: Callable[..., list[str]]) -> None:
    """A constructor may fork: the child goes on, and both can load."""
    during = ONCE + "m.in_child(lambda: m.load(m.second))"
    assert run("print(load(first), load(second))\n", during) == ["2 x", "1 x 2 x"]


def test_constructor_that_forks_and_goes_on(run: Callable[..., list[str]]) -> None:
    """The child of such a fork may also return from the constructor: it has the plugin, and can load more."""
    during = ONCE + "m.child = os.fork()"
    code = """
say(load(first) + " " + load(second))
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    assert run(code, during) == ["1 x 2 x"] * 2


def test_constructor_that_logs(run: Callable[..., list[str]]) -> None:
    """A log handler may load a plugin for a line that comes from a constructor."""
    code = """
class Handler(logging.Handler):
    def emit(self, record):
        print(record.getMessage(), load(second))
logging.getLogger("app").addHandler(Handler())
print(load(first))
"""
    during = ONCE + "import logging; logging.getLogger('app').warning('a line')"
    assert run(code, during) == ["a line 2 x", "1 x"]


def test_constructor_that_is_interrupted(run: Callable[..., list[str]]) -> None:
    """A signal handler that runs while a constructor does may load a plugin, and fork."""
    code = """
def handler(number, frame):
    print(load(second))
    in_child(lambda: load(second))
signal.signal(signal.SIGUSR1, handler)
print(load(first))
"""
    assert run(code, ONCE + "import signal; signal.raise_signal(signal.SIGUSR1)") == ["2 x", "2 x", "1 x"]


def test_signals_at_any_moment(run: Callable[..., list[str]]) -> None:
    """A signal handler that loads and registers, at any moment of a load: it works or is refused, nothing hangs."""
    # Longer than a load takes, or handlers would be interrupted by handlers without end.
    between = 0.01 if EMULATED else 0.003
    code = """
import shutil, tempfile, time
folder = tempfile.mkdtemp()
host = loader.Host(contract)
data = open(first, "rb").read()
count = 0
kinds = set()
def handler(number, frame):
    global count
    count += 1
    path = f"{folder}/inner{count}.so"
    with open(path, "wb") as file:
        file.write(data + b"inner %d" % count)
    try:
        host.load(path)
        kinds.add("works")
    except loader.LoaderError as error:
        kinds.add(type(error).__name__)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, BETWEEN, BETWEEN)
for number in range(150):
    path = f"{folder}/outer{number}.so"
    with open(path, "wb") as file:
        file.write(data + b"outer %d" % number)
    host.load(path)
signal.setitimer(signal.ITIMER_REAL, 0)
shutil.rmtree(folder)
names = [plugin.name for plugin in host.plugins]
assert len(set(names)) == len(names) and sum(name.startswith("outer") for name in names) == 150
assert count > 10 and kinds <= {"works", "RegistryError"} and "works" in kinds, (count, kinds)
print("ok")
"""
    assert run(code.replace("BETWEEN", str(between))) == ["ok"]


@pytest.mark.parametrize("event", ["open", "import", "ctypes.dlopen"])
def test_audit_hook_that_loads(run: Callable[..., list[str]], event: str) -> None:
    """An audit hook may load another plugin for an event of a load. (The third has no event here: a control.)"""
    code = f"""
seen = []
def hook(event, arguments):
    if event == {event!r} and not seen and armed:
        seen.append(event)
        seen.append(load(second))
armed = False
loader.load  # imported: see the next test
sys.addaudithook(hook)
armed = True
print(load(first), open(first, "rb").read(1), __import__("colorsys").__name__)
armed = False
print(seen)
"""
    lines = run(code)
    assert lines[0] == "1 x b'\\x7f' colorsys"
    assert lines[1] == ("[]" if event == "ctypes.dlopen" else f"['{event}', '2 x']")


def test_audit_hook_in_the_first_import(run: Callable[..., list[str]]) -> None:
    """What runs while loader's own modules are imported cannot load yet: an ImportError that says so."""
    code = """
seen = []
def hook(event, arguments):
    if event == "open" and str(arguments[0]).find("services") > 0 and not seen:
        seen.append(1)
        try:
            loader.Host
        except ImportError as error:
            seen.append(str(error))
sys.addaudithook(hook)
print(loader.Host.__name__)
print(seen[1])
"""
    name, error = run(code)
    assert name == "Host"
    assert "loader.host is being imported by this very thread" in error


def test_del_that_loads(run: Callable[..., list[str]]) -> None:
    """`__del__`, run by the garbage collector in the middle of a load, may load a plugin."""
    code = """
class Loads:
    def __del__(self):
        answers.add(failure(second))
answers = set()
gc.set_threshold(1)
for _ in range(30):
    cycle = Loads(); cycle.self = cycle; del cycle
    load(first)
gc.set_threshold(700)
print(answers)
"""
    assert run(code) == ["{'2 x'}"]


def test_two_threads(run: Callable[..., list[str]]) -> None:
    """Constructors of two plugins that load each other's, on two threads at once: both are loaded."""
    code = """
start = threading.Barrier(2)
def one(path):
    start.wait()
    answers.append(load(path))
answers = []
threads = [threading.Thread(target=one, args=(path,)) for path in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(answers))
"""
    during = "import __main__ as m\nfor path in (m.first, m.second): m.failure(path)"
    assert run(code, during) == ["['1 x', '2 x']"]


def test_waiting_ends(monkeypatch: pytest.MonkeyPatch, hello: Path, greeter: loader.Contract) -> None:
    """A load that waits for a thread which never comes to an end says so, and what that thread is at."""
    from loader.library.library import _lock

    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        assert _lock.acquire("loads the other one") is None
        inside.set()
        leave.wait()
        _lock.leave()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    with pytest.raises(loader.LibraryError, match=r"waits for another thread.*it loads the other one"):
        loader.load(hello, contract=greeter)
    leave.set()
    thread.join()
    assert loader.load(hello, contract=greeter).greet("x") == "Hello, x!"


def test_registering_in_the_middle_of_it(hello: Path, greeter: loader.Contract) -> None:
    """Who registers a plugin while the same thread is at it gets a RegistryError, and nothing is half registered."""
    registry = loader.Registry()
    plugin = loader.load(hello, contract=greeter)
    errors = []

    class Claim(str):
        __slots__ = ()

        def __hash__(self) -> int:
            if not errors:
                with pytest.raises(RegistryError, match="this very thread") as caught:
                    registry.add(plugin, ["other"])
                errors.append(caught.value)
            return hash(str(self))

    registry.add(plugin, [Claim("role")])
    assert len(errors) == 1
    assert registry.plugins == (plugin,)
    assert registry.claims == {"role": plugin}


def test_lock_takes_turns() -> None:
    """A Lock lets one thread in at a time, which knows that it is inside, and a queue is no endless wait."""
    own, done = lock.Lock(), []

    def work(number: int) -> None:
        assert not own.inside()
        assert own.acquire("works") is None
        assert own.inside()
        done.append(number)
        time.sleep(0.01)
        assert done[-1] == number
        own.leave()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(8))
    assert not own.inside()
    with pytest.raises(RuntimeError):
        own.leave()


def test_an_interrupt_leaves_no_lock_taken(run_python: Run, hello: Path, greeter: loader.Contract) -> None:
    """Interrupts at random moments of loads: the locks are free afterwards, for other threads too."""
    code = """
import itertools, random, signal, sys, threading, time, loader
from loader import registry
from loader.library import library
contract = loader.Contract.from_json(sys.argv[2])
loader.Host(contract).load(sys.argv[1])  # imports all: an interrupt in an import is CPython's own affair
class Stop(BaseException): pass
def stop(*_): raise Stop
signal.signal(signal.SIGALRM, stop)
stopped, until = 0, time.monotonic() + 4
for number in itertools.count():
    if time.monotonic() > until: break
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 1e-3))
        loader.Host(contract).load(sys.argv[1])
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Stop: stopped += 1
    except loader.LoaderError as error: raise SystemExit(f"after {number}: {error}")
    assert not library._lock.inside() and not registry._lock.inside(), number
thread = threading.Thread(target=lambda: loader.Host(contract).load(sys.argv[1]))
thread.start()
thread.join(5)
assert not thread.is_alive() and stopped > 20, stopped
print("free")
"""
    assert run_python(code, hello, greeter.to_json()).stdout == "free\n"
