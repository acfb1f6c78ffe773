"""What a host does while its workers serve it: forks, signals, few descriptors, waits for all children."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import threading
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from falling import HEADER, pids_of, wait_until
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
FLAGS = ["-Wno-infinite-recursion"]
OFF = loader.Isolation(sandbox="off")


@pytest.fixture(scope="module")
def falling(build: Callable[..., Path]) -> Path:
    """The plugin falling."""
    return build("falling.c", flags=FLAGS)


@pytest.fixture(scope="module")
def contract() -> loader.Contract:
    """Its contract."""
    return loader.Contract.from_header(HEADER)


@pytest.fixture
def stateful(build: Callable[..., Path]) -> loader.Plugin:
    """The plugin stateful, which is stopped soon."""
    isolation = loader.Isolation(sandbox="off", deadline=0.3, grace=0.1)
    contract = loader.Contract.from_header(PLUGINS / "stateful.h")
    return loader.load(build("stateful.c"), contract=contract, isolation=isolation)


def in_child(work: Callable[[], Any]) -> int:
    """The exit status of a forked child that does `work`: 0, or 1 with a traceback."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)  # a hang is a failure
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def descriptors() -> int:
    """How many this process has."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_callbacks_without_end(stateful: loader.Plugin) -> None:
    """A plugin that only ever asks for more is killed when its grace is over, as one that does nothing is."""
    begun = time.monotonic()
    with pytest.raises(loader.DeadlineExceeded):
        stateful.walk(1 << 40, lambda _done: None)
    assert time.monotonic() - begun < 2.0
    assert stateful.visit([], _Visitor()) == 0


class _Visitor:
    def see(self, word: str, share: float) -> int:
        return len(word) + int(share)

    def place(self, points: Any, mode: Any) -> Any:
        return points[int(mode) % 1]


def test_fork_in_a_callback(falling: Path, contract: loader.Contract) -> None:
    """A child that is forked by a service gets an error, which says so, where its parent gets the answer."""
    parent, said = os.getpid(), []

    class Forks:
        def answer(self, number: int) -> int:
            child = os.fork()
            if child != 0:
                said.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            return number * 2

    host = loader.Host(contract, services={"falling.host/1": Forks()}, isolation=OFF)
    plugin = host.load(falling)
    try:
        plugin.back("go on")
    except loader.ForkError as error:
        if os.getpid() == parent:
            raise
        right = "forked" in str(error) and plugin.add(1, 2) == 3
        os._exit(7 if right else 8)
    finally:
        if os.getpid() != parent:
            os._exit(9)
    assert said == [7]
    assert plugin.add(40, 2) == 42


def test_fork_beside_a_call(falling: Path, contract: loader.Contract) -> None:
    """A child that is forked while another thread's call is in a worker has workers of its own; that call goes on."""
    plugin = loader.load(falling, contract=contract, isolation=OFF)
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(plugin.work(300_000_000)))
    caller.start()
    time.sleep(0.05)

    def work() -> None:
        assert plugin.add(1, 2) == 3

    for _ in range(3):
        assert in_child(work) == 0
    caller.join(30)
    assert len(answers) == 1
    assert plugin.add(40, 2) == 42


def test_fork_while_a_worker_is_started(falling: Path, contract: loader.Contract) -> None:
    """The lock that another thread had when this process forked is not waited for in the child."""
    plugin = loader.load(falling, contract=contract, isolation=OFF)
    pool: Any = plugin.worker
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with pool._lock:
            taken.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    try:
        assert in_child(lambda: plugin.add(1, 2)) == 0
    finally:
        done.set()
        holder.join()


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[int], None]]:
    """Leaves so many descriptors free."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(free: int) -> None:
        used = {int(each) for each in os.listdir("/proc/self/fd")}
        highest = [each for each in range(len(used) + free) if each not in used][free - 1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_few_descriptors(falling: Path, contract: loader.Contract, few_descriptors: Callable[[int], None]) -> None:
    """However few descriptors are left: a typed error, and none is lost by it."""
    loader.load(falling, contract=contract, isolation=OFF).add(1, 2)
    wait_until(lambda: not gc.collect())
    before, kinds = descriptors(), set()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for free in range(1, 24):
        few_descriptors(free)
        try:
            plugin = loader.load(falling, contract=contract, isolation=OFF)
            assert plugin.add(1, 2) == 3
            kinds.add("loaded")
            del plugin
        except (loader.LoaderError, OSError) as error:
            kinds.add(type(error).__name__)
            if not isinstance(error, loader.LoaderError):
                raise AssertionError(f"{free} left: {error!r}") from error
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)
        assert wait_until(lambda: descriptors() <= before), (free, kinds)
    assert "loaded" in kinds
    assert len(kinds) > 1


def test_children_are_ignored(run_python: Callable[..., Any], falling: Path) -> None:
    """Where SIGCHLD is ignored, or a thread waits for all children, a death is PluginCrashed all the same."""
    done = run_python(
        dedent(f"""
        import os, signal, threading, time, loader
        contract = loader.Contract.from_header({str(HEADER)!r})
        def rounds():
            plugin = loader.load({str(falling)!r}, contract=contract, isolation=loader.Isolation(sandbox="off"))
            for how in ("abort", "exit"):
                try:
                    plugin.fall(how)
                except loader.PluginCrashed:
                    pass
                assert plugin.add(1, 2) == 3
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        rounds()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        def wait():
            while True:
                try:
                    os.wait()
                except ChildProcessError:
                    time.sleep(0.001)
        threading.Thread(target=wait, daemon=True).start()
        rounds()
        print("good")
        """)
    )
    assert done.stdout.split() == ["good"], done.stderr


def test_a_worker_that_reads_nothing(falling: Path, contract: loader.Contract) -> None:
    """Asked again and again it holds nobody up; answers that come late are not taken for those to later requests."""
    plugin = loader.load(falling, contract=contract, isolation=OFF)
    pool: Any = plugin.worker
    [process] = pool._processes
    [pid] = pids_of(plugin)
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for _ in range(600):
            assert not process.answers(0.001)
        assert time.monotonic() - begun < 30.0
    finally:
        os.kill(pid, signal.SIGCONT)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(plugin.work(50_000_000))) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(answers) == 3
    assert pids_of(plugin) == [pid]
    assert plugin.add(40, 2) == 42


def test_instances_and_a_handler_that_calls(build: Callable[..., Path]) -> None:
    """An instance belongs to the worker that made it, whatever else is called before Python has it."""
    contract = loader.Contract.from_header(PLUGINS / "stateful.h")
    first, second = (loader.load(build("stateful.c"), contract=contract, isolation=OFF) for _ in range(2))
    assert first.worker is not second.worker

    class Calls:
        def __del__(self) -> None:
            second.living()

    gc.disable()
    try:
        for _ in range(50):
            circle: list[Any] = [Calls()]
            circle.append(circle)
            del circle
            gc.set_threshold(1)
            gc.enable()
            one, two = first.counter_pair()
            gc.disable()
            assert (one.add(1), two.add(2)) is not None
    finally:
        gc.set_threshold(700, 10, 10)
        gc.enable()
    assert second.living()[0] == 0


def test_more_threads_than_lanes(falling: Path, contract: loader.Contract) -> None:
    """More calls at once than a worker has lanes wait for one."""
    plugin = loader.load(falling, contract=contract, isolation=OFF)
    answers: list[Any] = []

    def call() -> None:
        try:
            plugin.work(5_000_000)
            answers.append(plugin.add(40, 2))
        except loader.LoaderError as error:
            answers.append(error)

    threads = [threading.Thread(target=call) for _ in range(100)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert answers == [42] * 100


def test_interrupts_while_workers_start(run_python: Callable[..., Any], falling: Path) -> None:
    """Ctrl-C at any time of a start, a new lane or a call is KeyboardInterrupt; what comes after it works."""
    done = run_python(
        dedent(f"""
        import os, signal, threading, time, random, logging, loader
        logging.disable()
        contract = loader.Contract.from_header({str(HEADER)!r})
        isolation = loader.Isolation(sandbox="off", crashes=1000000, grace=0.05)
        plugin = loader.load({str(falling)!r}, contract=contract, isolation=isolation)
        caught = 0
        for i in range(80):
            plugin.worker._processes[0].kill() if plugin.worker._processes else None
            timer = threading.Timer(random.uniform(0, 0.006), os.kill, (os.getpid(), signal.SIGINT))
            try:
                timer.start()
                try:
                    plugin.add(1, 2)
                except loader.PluginCrashed:
                    plugin.add(1, 2)
                timer.join()
                time.sleep(0)
            except KeyboardInterrupt:
                caught += 1
            timer.join()
            for _ in range(3):
                try:
                    assert plugin.add(i, 2) == i + 2
                    break
                except loader.PluginCrashed:
                    pass
                except KeyboardInterrupt:
                    caught += 1
            else:
                raise AssertionError("it does not come back")
        print(caught)
        """)
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
