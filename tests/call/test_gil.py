"""_core/call/gil.c: when a call keeps the GIL, and that no plugin with a lock can hang the process.

What might hang runs in a process of its own, which is ended after a time.
"""

from __future__ import annotations

import ctypes
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tree import GREETER, PLUGINS

import loader
from loader.errors import PluginError

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]
Together = Callable[[int, Callable[[int], Any]], list[Any]]

#: Runs each of `jobs` on a thread of its own for `seconds`, and ends the process if one does not come back.
BEGIN = """
import faulthandler, logging, os, sys, threading, time, loader
header, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
contract = loader.Contract.from_header(header)

class Handler(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
lines = []
logging.getLogger("loader.plugin").addHandler(Handler())
logging.getLogger("loader.plugin").setLevel(1)
logging.getLogger("loader.plugin").propagate = False

def at_once(*jobs):
    stop, counts = time.monotonic() + seconds, [0] * len(jobs)
    def run(number, job):
        while counts[number] == 0 or time.monotonic() < stop:
            job()
            counts[number] += 1
    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 20)
    if any(thread.is_alive() for thread in threads):
        print("hangs after", counts, file=sys.stderr)
        faulthandler.dump_traceback()
        os._exit(1)
    assert all(counts), counts
"""
#: Then starts a thread of C, which notes when it gets the GIL.
C_THREAD = """
import ctypes
plugin = loader.load(path, contract=contract)
pthread, ran = ctypes.CDLL(None), []
thread = ctypes.c_ulong()
@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def start(_):
    ran.append(time.monotonic())  # takes the GIL by PyGILState_Ensure
    return None
assert pthread.pthread_create(ctypes.byref(thread), None, start, None) == 0
"""
HEADER = PLUGINS / "locks.h"


@pytest.fixture(scope="module")
def locks_path(build: Build) -> Path:
    """The plugin locks, a file."""
    return build("locks.c")


@pytest.fixture
def contract() -> loader.Contract:
    """The contract of locks.h."""
    return loader.Contract.from_header(HEADER)


@pytest.fixture
def locks(locks_path: Path, contract: loader.Contract) -> loader.Plugin:
    """The plugin locks, without services."""
    return loader.load(locks_path, contract=contract)


class App:
    """A service that does what a test wants."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work


def lend(path: Path, contract: loader.Contract, work: Callable[[], object], **options: Any) -> Any:
    """The plugin with a service."""
    return loader.Host(contract, services={"locks.app/1": App(work)}, **options).load(path)


# ---- When it is let go -------------------------------------------------------------------------------------


def test_is_let_go_around_the_first_call(locks: Any, together: Together) -> None:
    """Two threads meet inside of a function, at the first call and at every other one."""
    for _ in range(70):
        assert together(2, lambda _: locks.meet(2)) == ["met", "met"]


def test_a_promise_keeps_it(locks: Any, together: Together) -> None:
    """Of a function that promised never to block two calls are never in it at once."""
    assert locks.owner.promises == {"meet_promised", "promised"}
    assert sorted(together(2, lambda _: locks.meet_promised(2))) == ["alone", "alone"]


def test_only_thread_keeps_it(run_python: Run, locks_path: Path) -> None:
    """A thread that Python does not see until then cannot get in while the only thread is in a plugin."""
    code = """
begin = time.monotonic()
plugin.promised(500, 0)
end = time.monotonic()
pthread.pthread_join(thread, None)
assert not begin + .2 < ran[0] < end - .2, (begin, ran, end)
"""
    run_python(BEGIN + C_THREAD + code, HEADER, locks_path, "1")


def test_thread_started_in_a_service_may_run(run_python: Run, locks_path: Path) -> None:
    """After a service that started a thread the GIL is let go for the rest of the call, kept as it was until then."""
    code = """
ran = []
class App:
    def work(self):
        threading.Thread(target=lambda: (time.sleep(.05), ran.append(time.monotonic()))).start()
plugin = loader.Host(contract, services={"locks.app/1": App()}).load(path)
plugin.serve(1000)
assert time.monotonic() - ran[0] > .5, "the thread waited for the plugin"
"""
    run_python(BEGIN + code, HEADER, locks_path, "1")


def test_thread_started_in_a_service_wants_the_lock(run_python: Run, locks_path: Path) -> None:
    """The same, and the thread wants the plugin's lock: neither waits for the other."""
    code = """
threads = []
class App:
    def work(self):
        threads.append(threading.Thread(target=lambda: [plugin.quick() for _ in range(1000)]))
        threads[-1].start()
plugin = loader.Host(contract, services={"locks.app/1": App()}).load(path)
for _ in range(20):
    plugin.serve(5)
for thread in threads:
    thread.join(20)
    assert not thread.is_alive()
"""
    run_python(BEGIN + code, HEADER, locks_path, "1")


def test_question_lets_it_go(run_python: Run, locks_path: Path) -> None:
    """A function that asks loader_cancelled is long: from then on others run, a thread that C starts among them."""
    code = """
plugin.loop(0, 700)
assert time.monotonic() - ran[0] > .3
pthread.pthread_join(thread, None)
"""
    run_python(BEGIN + C_THREAD + code, HEADER, locks_path, "1")


def test_c_table_never_counts_as_alone(lent: Callable[..., loader.Plugin]) -> None:
    """A plugin that got a C table of the application is called without the GIL: threads may come by that way."""

    class Table(ctypes.Structure):
        _fields_ = (("size", ctypes.c_size_t), ("now", ctypes.c_void_p))

    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64))
    now = function(lambda _call, _table, out: out.__setitem__(0, 7) or 0)
    table = Table(ctypes.sizeof(Table), ctypes.cast(now, ctypes.c_void_p).value)
    plugin = lent(clock=ctypes.addressof(table))
    assert not plugin.owner.attaches
    for _ in range(2):
        assert plugin.clock_now() == "7"
        assert plugin.owner.attaches


# ---- Locks -------------------------------------------------------------------------------------------------

JOBS = {
    "writes": "lambda: plugin.fill('x' * 20000)",
    "writes a little": "lambda: plugin.fill('x' * 30)",
    "writes text": "lambda: plugin.fill('é' * 3000)",
    "logs": "lambda: plugin.note('noted')",
    "asks": "plugin.ask",
    "fails": "failing",
}


@pytest.mark.parametrize("what", JOBS)
def test_lock_is_held(run_python: Run, locks_path: Path, what: str) -> None:
    """A function does with its mutex held what plugin.h allows, while other threads want the mutex."""
    code = f"""
plugin = loader.load(path, contract=contract)
def failing():
    try:
        plugin.fail()
    except loader.PluginError as error:
        assert error.message == "second"
job = {JOBS[what]}
at_once(job, plugin.quick, job, plugin.quick, lambda: sum(range(1000)))
assert plugin.fill("ab" * 5000) == "ab" * 40000
"""
    run_python(BEGIN + code, HEADER, locks_path, "1")


def test_rust_mutex(run_python: Run, rust_lock: Path) -> None:
    """The same of a Rust Mutex that a guard holds to the function's end."""
    code = """
plugin = loader.load(path, contract=contract)
def job():
    assert plugin.greet("ab" * 3000) == "ab" * 24000
at_once(job, lambda: plugin.greet("a"), job)
assert set(lines) == {"counted"}
"""
    run_python(BEGIN + code, GREETER, rust_lock, "1")


def test_static_of_a_function(run_python: Run, build: Build) -> None:
    """The same of the lock that C++ has around a static of a function, in the very first calls."""
    code = """
plugin = loader.load(path, contract=contract)
found = []
threads = [threading.Thread(target=lambda: found.append(plugin.greet("me")), daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(20)
assert sorted(map(len, found)) == [2, 2, 2, 100_002], [len(each) for each in found]
assert lines == ["made"]
"""
    run_python(BEGIN + code, GREETER, build("guarded.cpp"), "1")


def test_many_threads_and_locks(run_python: Run, locks_path: Path) -> None:
    """64 threads on all that the plugin does with its lock, services that start threads among it."""
    code = """
class App:
    def work(self):
        thread = threading.Thread(target=plugin.quick)
        thread.start()
        thread.join()
plugin = loader.Host(contract, services={"locks.app/1": App()}).load(path)
jobs = [lambda: plugin.fill("x" * 9000), lambda: plugin.note("noted"), plugin.ask, plugin.quick,
        lambda: plugin.serve(0), lambda: plugin.fill("é" * 40), lambda: plugin.promised(0, 0), plugin.quick]
sys.setswitchinterval(1e-4)
at_once(*jobs * 8)
"""
    run_python(BEGIN + code, HEADER, locks_path, "4")


# ---- Log lines ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gil")
def test_lines_come_in_order(locks: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What a call logged is there when it has returned, in order."""
    caplog.set_level(1, logger="loader.plugin")
    locks.chatter(500, 3)
    assert caplog.messages == [f"{number} xxx" for number in range(500)]


@pytest.mark.usefixtures("gil")
def test_lines_are_before_a_services(
    locks_path: Path, contract: loader.Contract, caplog: pytest.LogCaptureFixture
) -> None:
    """A line that was logged before a service was called is told before the service begins."""
    caplog.set_level(1, logger="loader.plugin")
    seen: list[list[str]] = []
    lend(locks_path, contract, lambda: seen.append(caplog.messages)).serve(0)
    assert seen == [["serving"]]
    assert caplog.messages == ["serving", "served"]


@pytest.mark.usefixtures("gil")
def test_too_many_lines_are_counted(locks: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A call keeps a MiB of lines; those beyond are counted, and the log says so."""
    caplog.set_level(1, logger="loader.plugin")
    locks.chatter(2000, 1000)
    *kept, last = caplog.messages
    assert 900 < len(kept) < 1100
    assert last == f"{2000 - len(kept)} lines of its log were lost: a call keeps 1024 KiB of them"
    assert caplog.records[-1].levelname == "WARNING"


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupt_in_a_log_handler(
    locks: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    """An interrupt out of a log handler ends the call, and no further line is told."""
    caplog.set_level(1, logger="loader.plugin")
    told: list[int] = []

    def emit(_record: object) -> None:
        told.append(1)
        raise kind

    monkeypatch.setattr(caplog.handler, "emit", emit)
    with pytest.raises(kind):
        locks.chatter(3, 1)
    assert told == [1]


# ---- Debug mode --------------------------------------------------------------------------------------------


def test_names_who_holds_a_lock_across_a_service(locks_path: Path, contract: loader.Contract) -> None:
    """In debug mode a call that waits beside one in a service for a second is told of, with both names."""
    waiting, over = threading.Event(), threading.Event()

    def work() -> None:
        waiting.set()
        over.wait(10)

    host = loader.Host(contract, services={"locks.app/1": App(work)}, debug=True)
    plugin: Any = host.load(locks_path)
    assert host.state_watch is not None
    holder = threading.Thread(target=plugin.serve_locked, name="holder")
    waiter = threading.Thread(target=plugin.quick, name="waiter")
    holder.start()
    assert waiting.wait(10)
    waiter.start()
    waiter.join(2.5)
    over.set()
    holder.join()
    waiter.join()
    (said,) = host.state_watch.waits.said
    assert "has been in quick for" in said
    assert "while its serve_locked is in the service locks.app/1 on thread holder" in said


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("arguments", "how"), [((150, 0), "took 1"), ((0, 1), "called the service locks.app/1")])
def test_broken_promise(
    locks_path: Path, contract: loader.Contract, arguments: tuple[int, int], how: str, strict: bool
) -> None:
    """In debug mode a function that promised never to block and does is told of; strictly, it fails."""
    host = loader.Host(contract, services={"locks.app/1": App(lambda: None)}, debug=True, strict=strict)
    plugin: Any = host.load(locks_path)
    assert host.state_watch is not None
    plugin.promised(0, 0)
    assert not host.state_watch.waits.said
    if strict:
        with pytest.raises(PluginError) as caught:
            plugin.promised(*arguments)
        assert type(caught.value.__cause__).__name__ == "PromiseError"
    else:
        plugin.promised(*arguments)
    (said,) = host.state_watch.waits.said
    assert how in said


def test_broken_promise_works_all_the_same(locks_path: Path, contract: loader.Contract) -> None:
    """A service that such a function calls does its work, with other threads and without."""
    asked: list[int] = []
    plugin = lend(locks_path, contract, lambda: asked.append(1))
    plugin.promised(0, 1)
    assert asked == [1]
