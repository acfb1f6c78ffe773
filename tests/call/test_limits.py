"""loader/limits.py: deadlines and cancel tokens, seen by plugins that ask."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import math
import signal
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader
from loader._core._call import Limit
from loader.errors import CallCancelled, DeadlineExceeded, PluginError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("placement")

LONG = 60_000  # milliseconds a plugin spins at most; no test waits for it


@pytest.fixture(autouse=True)
def _nothing_stays_in_force() -> Any:
    """Whatever a test does, no limit is in force after it."""
    yield
    assert Limit.current() is None


class Worker(threading.Thread):
    """A thread that runs one function, and keeps its result or exception."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """What the thread does."""
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def end(self) -> Any:
        """Waits for it; its result, or its exception."""
        self.join(60)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


# ---- Deadlines ---------------------------------------------------------------------------------------------


def test_deadline_stops_a_plugin(probe: loader.Plugin) -> None:
    """A plugin that asks is stopped, with a TimeoutError that says which function of which plugin."""
    for _ in range(3):
        with loader.deadline(0.01), pytest.raises(DeadlineExceeded) as caught:
            probe.spin(LONG)
        error = caught.value
        assert isinstance(error, TimeoutError)
        assert (error.status, error.plugin, error.function) == (5, "probe", "spin")
        assert error.what == "plugin probe stopped because its deadline had passed in spin"


@pytest.mark.parametrize("seconds", [0, -1, 0.0, -math.inf])
def test_deadline_that_is_past(probe: loader.Plugin, seconds: float) -> None:
    """A deadline of no time has passed at once; a plugin that does not ask is not stopped."""
    with loader.deadline(seconds):
        with pytest.raises(DeadlineExceeded):
            probe.spin(LONG)
        assert probe.none() == "none"


@pytest.mark.parametrize("seconds", [3600, 10**9, 1e300, math.inf, 9e9])
def test_deadline_that_is_far(probe: loader.Plugin, seconds: float) -> None:
    """A deadline that does not come does nothing, however far it is."""
    with loader.deadline(seconds):
        assert probe.spin(1) == "nobody stopped me"


@pytest.mark.parametrize(
    ("seconds", "error"), [(math.nan, ValueError), (True, ValueError), (False, ValueError), ("1", TypeError)]
)
def test_deadline_that_is_none(probe: loader.Plugin, seconds: Any, error: type[Exception]) -> None:
    """What is not a number of seconds is refused, and nothing is in force."""
    with pytest.raises(error), loader.deadline(seconds):
        pass
    assert probe.spin(1) == "nobody stopped me"


def test_deadline_ends_with_its_scope(probe: loader.Plugin) -> None:
    """After the scope, also one left by an exception, no deadline holds."""
    with contextlib.suppress(KeyError), loader.deadline(0):
        raise KeyError
    assert Limit.current() is None
    assert probe.spin(1) == "nobody stopped me"


def test_deadlines_nest(probe: loader.Plugin) -> None:
    """The nearest deadline counts, whether it is the inner or the outer one."""
    with loader.deadline(3600):
        with loader.deadline(0.01), pytest.raises(DeadlineExceeded):
            probe.spin(LONG)
        assert probe.spin(1) == "nobody stopped me"
    with loader.deadline(0.01), loader.deadline(3600), pytest.raises(DeadlineExceeded):
        probe.spin(LONG)


def test_deadline_as_a_decorator(probe: loader.Plugin) -> None:
    """A function may be put under a deadline of its own at every call."""

    @loader.deadline(0.01)
    def work() -> str:
        return str(probe.spin(LONG))

    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            work()


def test_deadline_of_one_thread_is_not_anothers(probe: loader.Plugin) -> None:
    """A deadline holds for the thread that set it."""
    with loader.deadline(0):
        assert Worker(lambda: probe.spin(5)).end() == "nobody stopped me"


def test_deadline_goes_along_to_thread(probe: loader.Plugin) -> None:
    """asyncio.to_thread carries the deadline along; another task's deadline is its own."""

    async def limited() -> str:
        with loader.deadline(0.01):
            return str(await asyncio.to_thread(probe.spin, LONG))

    async def free() -> str:
        return str(await asyncio.to_thread(probe.spin, 30))

    async def both() -> list[Any]:
        return await asyncio.gather(limited(), free(), limited(), return_exceptions=True)

    first, second, third = asyncio.run(both())
    assert isinstance(first, DeadlineExceeded)
    assert isinstance(third, DeadlineExceeded)
    assert second == "nobody stopped me"


def test_context_that_outlives_its_scope(probe: loader.Plugin) -> None:
    """A context that was copied inside a scope keeps its deadline, also after the scope has ended."""
    with loader.deadline(0):
        context = contextvars.copy_context()
    with pytest.raises(DeadlineExceeded):
        context.run(probe.spin, LONG)
    assert probe.spin(1) == "nobody stopped me"


# ---- Cancel tokens -----------------------------------------------------------------------------------------


def test_token_stops_a_plugin_from_another_thread(probe: loader.Plugin) -> None:
    """cancel() in one thread ends a call that runs in another."""
    token = loader.CancelToken()
    inside = threading.Event()

    def work() -> None:
        with token:
            inside.set()
            probe.spin(LONG)

    worker = Worker(work)
    assert inside.wait(60)
    assert not token.cancelled
    token.cancel()
    assert token.cancelled
    with pytest.raises(CallCancelled) as caught:
        worker.end()
    assert (caught.value.status, caught.value.function) == (4, "spin")


def test_token_stays_cancelled(probe: loader.Plugin) -> None:
    """A token that was cancelled stops every later call under it, and none that is not."""
    token = loader.CancelToken()
    with token:
        assert probe.spin(1) == "nobody stopped me"
    token.cancel()
    token.cancel()
    for _ in range(2):
        with token, pytest.raises(CallCancelled):
            probe.spin(LONG)
    assert probe.spin(1) == "nobody stopped me"


def test_token_in_many_threads(probe: loader.Plugin) -> None:
    """A token may be entered by many threads, often, and in any order; each scope ends on its own."""
    token = loader.CancelToken()
    ready = threading.Barrier(9)

    def work() -> None:
        for _ in range(200):
            with token, token:
                assert probe.none() == "none"
            assert Limit.current() is None
        ready.wait(60)
        with token:
            probe.spin(LONG)

    workers = [Worker(work) for _ in range(8)]
    ready.wait(60)
    token.cancel()
    for worker in workers:
        with pytest.raises(CallCancelled):
            worker.end()


def test_token_left_in_another_order(probe: loader.Plugin) -> None:
    """A thread that leaves a token first does not end another one's scope."""
    token = loader.CancelToken()
    entered, leave = threading.Event(), threading.Event()

    def early() -> None:
        with token:
            entered.set()
            assert leave.wait(60)

    worker = Worker(early)
    assert entered.wait(60)
    with token:
        leave.set()
        worker.end()
        assert Limit.current() is not None
        token.cancel()
        with pytest.raises(CallCancelled):
            probe.spin(LONG)
    assert Limit.current() is None


def test_cancel_counts_before_deadline(probe: loader.Plugin) -> None:
    """Where both hold, the more deliberate one is told, whichever is outside."""
    token = loader.CancelToken()
    token.cancel()
    with loader.deadline(0), token, pytest.raises(CallCancelled):
        probe.spin(LONG)
    with token, loader.deadline(0), pytest.raises(CallCancelled):
        probe.spin(LONG)


def test_tokens_nest(probe: loader.Plugin) -> None:
    """An outer token stops what runs under an inner one."""
    outer, inner = loader.CancelToken(), loader.CancelToken()
    with outer, inner:
        assert probe.spin(1) == "nobody stopped me"
        outer.cancel()
        with pytest.raises(CallCancelled):
            probe.spin(LONG)
    with inner:
        assert probe.spin(1) == "nobody stopped me"


def test_token_is_returned(probe: loader.Plugin) -> None:
    """`with CancelToken() as token` names it."""
    with loader.CancelToken() as token:
        token.cancel()
        with pytest.raises(CallCancelled):
            probe.spin(LONG)


def test_plugin_that_says_so_itself(probe: loader.Plugin) -> None:
    """A plugin that returns these statuses without having been asked raises the same errors."""
    with pytest.raises(CallCancelled):
        probe.fail(4, b"")
    with pytest.raises(DeadlineExceeded):
        probe.fail(5, b"")


def test_errors_of_a_plugin_under_a_limit(probe: loader.Plugin) -> None:
    """Under a deadline a plugin's own errors are what they are."""
    with loader.deadline(3600), pytest.raises(PluginError, match="no such post") as caught:
        probe.fail(1, b"no such post")
    assert type(caught.value) is PluginError


# ---- Under the hood ----------------------------------------------------------------------------------------


def test_limits_are_freed() -> None:
    """Nothing keeps a scope's limit, or what is outside of it, after the scope."""

    class Watched(loader.CancelToken):
        __slots__ = ("__weakref__",)

    token = Watched()
    watch = weakref.ref(token)
    with token, loader.deadline(5), token:
        pass
    del token
    gc.collect()
    assert watch() is None


def test_deadline_is_measured_by_a_clock_that_only_goes_forward(probe: loader.Plugin) -> None:
    """A call stops after its deadline, not before."""
    for seconds in (0.001, 0.02, 0.05):
        begin = time.monotonic()
        with loader.deadline(seconds), pytest.raises(DeadlineExceeded):
            probe.spin(LONG)
        assert time.monotonic() - begin >= seconds


def test_interrupt_reaches_a_thread_that_waits(
    run_python: Callable[..., subprocess.CompletedProcess[str]], probe_path: Path
) -> None:
    """While a plugin spins under a deadline other threads run: here, one that cancels it."""
    header = PLUGINS / "probe.h"
    done = run_python(
        """
import sys, threading, loader
probe = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
token = loader.CancelToken()
threading.Timer(0.05, token.cancel).start()
try:
    with token:
        probe.spin(60000)
except loader.CallCancelled as error:
    print("cancelled", error.status)
""",
        probe_path,
        header,
    )
    assert done.stdout == "cancelled 4\n"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize(
    "scope",
    [
        "loader.deadline(50)",
        pytest.param(
            "token",
            marks=pytest.mark.skipif(
                sys.version_info[:2] == (3, 14), reason="3.14 begins blocks without an end, with a Lock too"
            ),
        ),
    ],
)
def test_an_interrupt_leaves_no_limit_in_force(run_python: Callable[..., Any], scope: str) -> None:
    """Interrupts at random moments, the edges of a block among them: nothing is in force afterwards."""
    code = f"""
import random, signal, time, loader
from loader._core._call import Limit
class Stop(BaseException): pass
def stop(*_): raise Stop
signal.signal(signal.SIGALRM, stop)
token, stopped, until = loader.CancelToken(), 0, time.monotonic() + 2
loader.deadline
while time.monotonic() < until:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(2e-6, 60e-6))
        for _ in range(50):
            with {scope}: pass
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Stop: stopped += 1
    assert Limit.current() is None, stopped
print("free" if stopped > 100 else stopped)
"""
    assert run_python(code).stdout == "free\n"


def test_a_deadline_is_for_one_block_at_a_time() -> None:
    """It may be used again when its block has ended, not inside; and what is no time is said where it stands."""
    limit = loader.deadline(100)
    for _ in range(2):
        with limit, pytest.raises(RuntimeError, match="each block has one of its own"), limit:
            pass
    assert Limit.current() is None
    with pytest.raises(ValueError, match="NaN"):
        loader.deadline(float("nan"))


def test_blocks_that_end_in_another_context() -> None:
    """A block that is ended in another context than it was begun in says so, and a token ends none of others."""
    limit, token = loader.deadline(100), loader.CancelToken()
    context = contextvars.copy_context()
    context.run(limit.__enter__)
    with pytest.raises(ValueError, match="different Context"):
        limit.__exit__(None, None, None)
    with loader.deadline(100):
        outer = Limit.current()
        token.__exit__(None, None, None)
        assert Limit.current() is outer
    assert Limit.current() is None
