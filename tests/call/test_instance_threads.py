"""Instances of a plugin's classes and several threads: one at a time in each, or all at once; a fork meanwhile."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import loader

pytestmark = pytest.mark.usefixtures("placement")

Held = Callable[[Any], AbstractContextManager[Callable[[], None]]]


def test_one_thread_at_a_time(stateful: loader.Plugin) -> None:
    """Threads that use one instance wait for each other; with two instances they do not."""
    counter = stateful.counter(0, 0)
    overlaps: list[int] = []
    threads = [threading.Thread(target=lambda: overlaps.append(counter.spin(20_000))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert overlaps == [0] * 4


def test_others_run_while_one_waits(stateful: loader.Plugin, held: Held) -> None:
    """Who waits for an instance does not hold the GIL, and gets it when it is free."""
    counter = stateful.counter(0, 0)
    got: list[int] = []
    with held(counter) as leave:
        waits = threading.Thread(target=lambda: got.append(counter.add(1)))
        waits.start()
        time.sleep(0.1)
        assert not got
        leave()
        waits.join(20)
    assert got == [1]


def test_a_wait_has_an_end(stateful: loader.Plugin, held: Held) -> None:
    """A deadline ends it, and a token that is cancelled."""
    counter = stateful.counter(0, 0)
    with held(counter):
        with pytest.raises(loader.DeadlineExceeded) as late, loader.deadline(0.05):
            counter.add(1)
        token = loader.CancelToken()
        timer = threading.Timer(0.05, token.cancel)
        timer.start()
        with pytest.raises(loader.CallCancelled) as cancelled, token:
            counter.add(1)
        with pytest.raises(loader.DeadlineExceeded), loader.deadline(0.05):
            counter.close()
    assert counter.add(1) == 1
    for error, status, reason in ((late.value, 5, "deadline has passed"), (cancelled.value, 4, "call was cancelled")):
        begin = f"this counter of plugin {stateful.name} is in use by another thread, and the call"
        assert error.what.startswith(begin)  # the plugin was not entered: it did not stop, nor fail to
        assert error.what.endswith(f"{reason} before counter_add could begin")
        assert (error.status, error.function, error.plugin) == (status, "counter_add", stateful.name)
        assert error.cure
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.what, again.status) == (type(error), error.what, status)


@pytest.mark.in_process("it tells by the plugin's thread who was first")
def test_a_wait_for_another_who_closes_has_an_end(
    build: Callable[..., Path], stateful_contract: loader.Contract
) -> None:
    """What ends a wait in close() is raised there, also where another thread is closing it."""
    slow = loader.load(
        build("stateful.c", "SLOW_FREE", name="slow_free", flags=["-pthread"]), contract=stateful_contract
    )
    for _ in range(20):
        counter, barrier = slow.counter(0, 0), threading.Barrier(2)
        moved = slow.living().elsewhere

        def step(_done: float, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(20)
            barrier.wait(20)

        inside = threading.Thread(target=counter.during, args=(step,))
        inside.start()
        barrier.wait(20)
        closers = [threading.Thread(target=counter.close) for _ in range(5)]
        for each in (threading.Timer(0.05, barrier.wait), *closers):
            each.start()
        ended = False
        try:
            with loader.deadline(0.2):
                counter.close()
        except loader.DeadlineExceeded:
            ended = True
        for each in (inside, *closers):
            each.join(20)
        assert counter.closed
        if slow.living().elsewhere > moved:  # not this thread was the first, and freeing takes 0.3 s
            assert ended
            return
    pytest.fail("this thread was always the first")


def test_two_instances_in_two_orders(stateful: loader.Plugin) -> None:
    """merge(a, b) and merge(b, a) at the same time do not wait for each other for ever."""
    a, b = stateful.counter(1, 0), stateful.counter(2, 0)
    ends: list[bool] = []

    def run(one: Any, two: Any) -> None:
        for _ in range(3000):
            stateful.merge(one, two)
        ends.append(True)

    threads = [threading.Thread(target=run, args=each) for each in ((a, b), (b, a), (a, a))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(ends) == 3


def test_coming_back_is_refused(stateful: loader.Plugin) -> None:
    """A call that comes back to its instance on its own thread would wait for itself; closing it too."""
    counter = stateful.counter(1, 0)
    for again in (lambda _: counter.add(1), lambda _: counter.close(), lambda _: counter.during(lambda _: None)):
        with pytest.raises(loader.PluginError) as caught:
            counter.during(again)
        assert isinstance(caught.value.__cause__, loader.InstanceError)
        assert "by the very call that this one came from" in str(caught.value.__cause__)
    other = stateful.counter(1, 0)
    counter.during(lambda _: str(other.add(1)))
    assert counter.add(1) == 2


def test_a_shared_class(stateful: loader.Plugin) -> None:
    """Several threads are in it at once; freed when the last is out, and closed from close() on."""
    hub = stateful.hub()
    barrier, inside = threading.Barrier(3), []

    def step(_done: float) -> None:
        barrier.wait(20)  # all three are in it
        barrier.wait(20)

    threads = [threading.Thread(target=lambda: inside.append(hub.during(step))) for _ in range(2)]
    for each in threads:
        each.start()
    before = stateful.living().count
    barrier.wait(20)
    hub.close()
    assert hub.closed
    assert stateful.living().count == before
    with pytest.raises(loader.InstanceError, match="is closed"):
        hub.during(lambda _: None)
    barrier.wait(20)
    for each in threads:
        each.join(20)
    assert sorted(inside) == ["1", "2"]
    assert stateful.living().count == before - 1
    assert stateful.hub().during(lambda _: "x") == "x1"


def test_many_threads_close_and_use(stateful: loader.Plugin) -> None:
    """However they meet, each call worked or was told that it is closed."""
    for make in (lambda: stateful.counter(1, 0), stateful.hub):
        for _ in range(50):
            instance = make()
            use = instance.add if hasattr(instance, "add") else instance.during
            argument: Any = 1 if hasattr(instance, "add") else (lambda _: None)
            odd: list[BaseException] = []

            def run(use: Any = use, argument: Any = argument, odd: list[BaseException] = odd) -> None:
                for _ in range(20):
                    try:
                        use(argument)
                    except loader.InstanceError:
                        return
                    except BaseException as error:  # noqa: BLE001 - is what is looked for
                        odd.append(error)

            threads = [threading.Thread(target=run) for _ in range(3)]
            threads += [threading.Thread(target=instance.close) for _ in range(2)]
            for each in threads:
                each.start()
            for each in threads:
                each.join(30)
            assert not odd
            assert instance.closed


@pytest.mark.in_process("a child's workers have none of the parent's instances")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_after_a_fork(stateful: loader.Plugin, held: Held) -> None:
    """A child goes on with the parent's instances; one that another thread was in when it forked is refused there."""
    free, taken = stateful.counter(1, 0), stateful.counter(1, 0)
    with held(taken):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if free.add(1) == 2:
                    try:
                        taken.add(1)
                    except loader.InstanceError as error:
                        code = 0 if "when this process was forked" in str(error) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert free.add(0) == 1
