"""Ctrl-C and other signals while a plugin runs, and interrupts that arise in services: none is lost or kept."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tree import PLUGINS

from loader.htmlize import Htmlizer, Post

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

#: `ended(…)` runs a call, sends this process a signal after 0.2 s, and gives what the call raised or gave.
BEGIN = """
import contextlib, os, signal, sys, threading, time, loader
header, path = sys.argv[1:]
plugin = loader.load(path, contract=loader.Contract.from_header(header))
def ended(call, number=signal.SIGINT, at_most=.7):
    threading.Timer(.2, os.kill, (os.getpid(), number)).start()
    begin = time.monotonic()
    try:
        result = call()
    except BaseException as error:
        result = error
    took = time.monotonic() - begin
    assert took < at_most, f"{result!r} after {took:.2f} s"
    return result
"""
HEADER = PLUGINS / "locks.h"


@pytest.fixture(scope="module")
def locks(build: Build) -> Path:
    """The plugin locks, a file."""
    return build("locks.c")


@pytest.fixture(scope="module")
def stopping(build: Build) -> Path:
    """The plugin stopping, a file."""
    return build("stopping.c")


@pytest.mark.parametrize(
    "scope",
    [
        "contextlib.nullcontext()",
        "loader.deadline(60)",
        "loader.CancelToken()",
    ],
)
def test_ctrl_c(run_python: Run, locks: Path, scope: str) -> None:
    """A function that asks loader_cancelled ends with KeyboardInterrupt, in the very first call and later."""
    code = f"""
for _ in range(3):
    with {scope}:
        assert type(ended(lambda: plugin.loop(0, 5000))) is KeyboardInterrupt
assert plugin.loop(0, 1) == "end"
"""
    run_python(BEGIN + code, HEADER, locks)


def test_ctrl_c_before_the_first_question(run_python: Run, locks: Path) -> None:
    """The signal arrives while the function does not ask yet."""
    code = """
assert type(ended(lambda: plugin.loop(400, 5000))) is KeyboardInterrupt
"""
    run_python(BEGIN + code, HEADER, locks)


def test_ctrl_c_with_other_threads(run_python: Run, locks: Path) -> None:
    """Others hold the GIL and the plugin's lock, and are not stopped themselves."""
    code = """
stop, count = threading.Event(), [0]
def busy():
    while not stop.is_set():
        plugin.fill("x" * 100)
        count[0] += 1
def loop():
    count.append(plugin.loop(0, 600))
threads = [threading.Thread(target=each) for each in (busy, busy, loop)]
for thread in threads:
    thread.start()
for _ in range(2):
    assert type(ended(lambda: plugin.loop(0, 5000), at_most=1.5)) is KeyboardInterrupt
threads[2].join()
stop.set()
assert count[0] > 0 and count[1] == "end", count
"""
    run_python(BEGIN + code, HEADER, locks)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGALRM", "SIGQUIT"])
def test_what_a_handler_raises(run_python: Run, locks: Path, number: str) -> None:
    """A handler that the application set, before the load or after it, decides what the call raises."""
    code = f"""
class Told(Exception):
    pass
def handler(number, frame):
    raise Told(number)
signal.signal(signal.{number}, handler)
error = ended(lambda: plugin.loop(0, 5000), signal.{number})
assert type(error) is Told and error.args == (signal.{number},), repr(error)
signal.signal(signal.SIGINT, handler)
assert type(ended(lambda: plugin.loop(0, 5000))) is Told
"""
    run_python(BEGIN + code, HEADER, locks)


def test_handler_that_raises_nothing(run_python: Run, locks: Path) -> None:
    """The plugin was told to stop, so the call is CallCancelled, and says why; the handler has run by then."""
    code = """
seen = []
signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
error = ended(lambda: plugin.loop(0, 5000), signal.SIGTERM)
assert type(error) is loader.CallCancelled, repr(error)
assert error.message == "a signal arrived, whose handler in the application raised nothing"
assert seen == [1]
assert plugin.loop(0, 1) == "end"
"""
    run_python(BEGIN + code, HEADER, locks)


@pytest.mark.parametrize("setting", ["lambda *_: seen.append(1)", "signal.SIG_IGN"])
def test_signals_that_do_not_stop(run_python: Run, locks: Path, setting: str) -> None:
    """A child's end, signals that only tell something, and one that is ignored stop no call."""
    code = f"""
seen = []
for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, {setting})
    assert ended(lambda: plugin.loop(0, 400), number, 5) == "end"
assert len(seen) in (0, 4)
signal.signal(signal.SIGINT, signal.SIG_IGN)
assert ended(lambda: plugin.loop(0, 400), signal.SIGINT, 5) == "end"
"""
    run_python(BEGIN + code, HEADER, locks)


@pytest.mark.parametrize(
    "before", ["signal.signal(signal.SIGINT, signal.SIG_IGN)", "faulthandler.register(signal.SIGINT)"]
)
@pytest.mark.parametrize("where", ["here", "on a thread"])
def test_what_was_set_before_the_load(run_python: Run, locks: Path, before: str, where: str) -> None:
    """SIGINT ignored or taken by others when loader is imported, on any thread: signals are seen all the same."""
    code = f"""
import faulthandler, signal, sys, threading
{before}
def load():
    exec({BEGIN!r}, globals())
if {where!r} == "here":
    load()
else:
    worker = threading.Thread(target=load)
    worker.start()
    worker.join()
class Told(Exception):
    pass
def handler(number, frame):
    raise Told
signal.signal(signal.SIGTERM, handler)
assert type(ended(lambda: plugin.loop(0, 5000), signal.SIGTERM)) is Told
faulthandler.unregister(signal.SIGINT)
signal.signal(signal.SIGINT, handler)
assert type(ended(lambda: plugin.loop(0, 5000))) is Told
"""
    run_python(code, HEADER, locks)


def test_function_that_asks_nobody(run_python: Run, locks: Path) -> None:
    """Its result is its result; the interrupt comes right after."""
    code = """
kept = []
error = ended(lambda: kept.append(plugin.loop(400, 0)))
assert type(error) is KeyboardInterrupt
assert kept in ([], ["end"])
"""
    run_python(BEGIN + code, HEADER, locks)


def test_after_fork(run_python: Run, locks: Path) -> None:
    """A child is interrupted as its parent is, also if another thread than the main one forked."""
    code = """
plugin.loop(0, 1)
def child():
    pid = os.fork()
    if pid == 0:
        error = ended(lambda: plugin.loop(0, 5000))
        os._exit(0 if type(error) is KeyboardInterrupt else 1)
    assert os.waitpid(pid, 0)[1] == 0
child()
thread = threading.Thread(target=child)
thread.start()
thread.join()
"""
    run_python(BEGIN + code, HEADER, locks)


def test_wakeup_descriptor_is_the_applications(run_python: Run, locks: Path) -> None:
    """The way of asyncio to hear of signals works as before, and signal.getsignal tells what was set."""
    code = """
import asyncio
async def main():
    seen = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, seen.append, 1)
    error = ended(lambda: plugin.loop(0, 5000), signal.SIGTERM)
    assert type(error) is loader.CallCancelled, repr(error)
    await asyncio.sleep(.1)
    assert seen == [1]
asyncio.run(main())
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    run_python(BEGIN + code, HEADER, locks)


# ---- Documents ---------------------------------------------------------------------------------------------


@pytest.mark.in_process("the engine of htmlize")
@pytest.mark.parametrize("keep", ["raise", "keep"])
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_in_a_document(run_python: Run, stopping: Path, locks: Path, keep: str, threads: int) -> None:
    """A document with a role that asks ends with KeyboardInterrupt, whatever is done with plugins' failures."""
    code = f"""
from loader.htmlize import Htmlizer
app = Htmlizer([{str(stopping)!r}])
if {threads} == 2:
    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
text = "a :loop:`x` b :slow:`y`"
report = lambda problem: None
assert type(ended(lambda: app.htmlize(text, plugin_errors={keep!r}, report=report))) is KeyboardInterrupt
assert type(ended(lambda: app.process_role("loop", "x", None))) is KeyboardInterrupt
"""
    run_python(BEGIN + code, HEADER, locks)


@pytest.mark.in_process("the engine of htmlize")
@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("role", ["swallow", "hand"])
@pytest.mark.parametrize("way", ["raise", "keep", "role"])
def test_interrupt_in_a_service(stopping: Path, kind: type[BaseException], role: str, way: Any) -> None:
    """An interrupt in a service of a document's role, or of a role alone, goes through, also if the plugin takes
    no notice; and the document after it is as it should be.
    """
    told: list[object] = []
    failing = [True]

    class Posts:
        def title(self, _id: int) -> str:
            if failing[0]:
                raise kind
            return "title"

    app = Htmlizer([stopping], posts=Posts())
    text = f"a :{role}:`x` b :{role}:`y`"

    def call() -> str:
        if way == "role":
            return app.process_role(role, "x", Post())
        return app.htmlize(text, plugin_errors=way, report=told.append)

    with pytest.raises(kind):
        call()
    assert not told
    failing[0] = False
    assert app.htmlize(text) == "<p>a x b y</p>\n\n"


@pytest.mark.in_process("the engine of htmlize")
@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("role", ["swallow", "hand"])
def test_failures_are_still_kept(stopping: Path, role: str) -> None:
    """An ordinary exception of a service is the plugin's to take or to hand on."""
    told: list[Any] = []

    class Posts:
        def title(self, _id: int) -> str:
            raise LookupError("none")

    app = Htmlizer([stopping], posts=Posts())
    html = app.htmlize(f"a :{role}:`x`", plugin_errors="keep", report=told.append)
    if role == "swallow":
        assert html == "<p>a x</p>\n\n"
        assert not told
    else:
        assert html == "<p>a :hand:`x`</p>\n\n"
        assert isinstance(told[0].cause, LookupError)
