"""Instances of a call that is under way: closed, used again, waited for by a signal's handler."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import loader

pytestmark = pytest.mark.usefixtures("placement")

Held = Callable[[Any], AbstractContextManager[Callable[[], None]]]


def test_an_argument_closes_an_argument(stateful: loader.Plugin) -> None:
    """Code of an argument that closes an instance of the same call: the plugin never sees it."""
    counter = stateful.counter(1, 0)

    class Closes:
        def __getattr__(self, name: str) -> Any:
            if name == "at":
                counter.close()
            return lambda _done: None

    with pytest.raises(loader.InstanceError, match="is closed"):
        counter.during(Closes())

    class Index:
        def __index__(self) -> int:
            second.close()
            return 1

    second = stateful.counter(1, 0)
    with pytest.raises(loader.InstanceError, match="is closed"):
        second.add(Index())


def test_an_argument_calls_the_same_function(stateful: loader.Plugin) -> None:
    """Before a call holds its instances, code of its arguments may use them; while it does, not."""
    counter = stateful.counter(1, 0)

    class Again:
        @property
        def at(self) -> Any:
            counter.add(1)
            counter.during(lambda _: None)
            return lambda _done: None

    counter.during(Again())
    assert counter.add(0) == 2


def test_close_on_another_thread_that_the_call_waits_for(stateful: loader.Plugin) -> None:
    """Each waits for the other, in Python code, until the deadline of one; and nothing is broken after it."""
    counter = stateful.counter(1, 0)
    errors: list[BaseException] = []

    def close() -> None:
        try:
            with loader.deadline(0.1):
                counter.close()
        except loader.DeadlineExceeded as error:
            errors.append(error)

    def step(_done: float) -> None:
        thread = threading.Thread(target=close)
        thread.start()
        thread.join(30)

    counter.during(step)
    assert len(errors) == 1
    assert counter.add(1) == 2
    counter.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_a_wait(stateful: loader.Plugin, held: Held) -> None:
    """Ctrl-C in close(), at the end of `with` or in a call that waits: the instance is as it was."""
    counter = stateful.counter(1, 0)

    def leave() -> None:
        with counter:
            pass

    with held(counter):
        for wait in (counter.close, leave, lambda: counter.add(1), lambda: stateful.merge(counter, counter)):
            timer = threading.Timer(0.1, signal.raise_signal, (signal.SIGINT,))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                wait()
            timer.join()
            assert not counter.closed
    assert counter.add(1) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_handler_that_uses_what_is_waited_for(stateful: loader.Plugin, held: Held) -> None:
    """A signal's handler runs in the wait, closes another instance of the call and uses a third one."""
    counter, other, third = (stateful.counter(1, 0) for _ in range(3))
    seen: list[int] = []
    with held(counter) as leave:

        def handler(_number: int, _frame: object) -> None:
            seen.append(third.add(1))
            leave()

        before = signal.signal(signal.SIGUSR1, handler)
        timer = threading.Timer(0.1, signal.raise_signal, (signal.SIGUSR1,))
        try:
            timer.start()
            assert stateful.merge(counter, other) == 2
        finally:
            signal.signal(signal.SIGUSR1, before)
            timer.join()
    assert seen == [2]
