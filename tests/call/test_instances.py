"""Instances of a plugin's classes: made, used by one thread at a time, freed once."""

from __future__ import annotations

import copy
import gc
import inspect
import os
import pickle
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def contract() -> loader.Contract:
    """The contract stateful."""
    return loader.Contract.from_header(PLUGINS / "stateful.h")


@pytest.fixture(scope="module")
def path(build: Callable[..., Path]) -> Path:
    """The plugin stateful, a file."""
    return build("stateful.c", flags=["-pthread"])


@pytest.fixture(scope="module")
def loaded(path: Path, contract: loader.Contract) -> loader.Plugin:
    """The plugin stateful."""
    return loader.load(path, contract=contract)


@pytest.fixture
def stateful(loaded: loader.Plugin) -> Iterator[loader.Plugin]:
    """The same, of which no instance lives before or after the test."""
    gc.collect()
    before = loaded.living().count
    yield loaded
    gc.collect()
    assert loaded.living().count == before


# ---- Use ---------------------------------------------------------------------------------------------------


def test_a_class_makes_instances_with_methods(stateful: loader.Plugin, contract: loader.Contract) -> None:
    """The constructor takes what T_new does, by place or by name; each instance has its own state."""
    a = stateful.counter(3, contract.stateful_mode.STATEFUL_PLAIN)
    b = stateful.counter(mode=contract.stateful_mode.STATEFUL_NOISY, start=10)
    assert a.add(4) == 7
    assert b.add(more=1) == 11
    assert (a.name(), b.name()) == ("counter 7", "counter 11!")
    assert stateful.counter.add(a, 1) == 8
    assert stateful.merge(a, b) == 19
    assert stateful.merge(a, a) == 16
    assert isinstance(a, stateful.counter)


def test_iteration_ends_with_done(stateful: loader.Plugin) -> None:
    """T_next gives values until LOADER_DONE; another status is an error; of other functions LOADER_DONE is one."""
    assert list(stateful.counter(3, 0)) == [3, 2, 1]
    assert list(stateful.counter(0, 0)) == []
    thirteen = iter(stateful.counter(14, 0))
    assert next(thirteen) == 14
    with pytest.raises(loader.PluginError, match="thirteen"):
        next(thirteen)
    with pytest.raises(loader.PluginError, match="had nothing more to give in done") as caught:
        stateful.done()
    assert caught.value.status == 8


def test_functions_of_classes_are_in_them(stateful: loader.Plugin) -> None:
    """They are no functions of the plugin; an optional one that is lacking is no method; what gives instances may."""
    assert set(stateful.classes) == {"counter", "hub"}
    assert [each for each in stateful.functions if each.startswith(("counter_", "hub_"))] == ["counter_pair"]
    assert not hasattr(stateful, "counter_free")
    assert not hasattr(stateful.counter, "lacking")
    one, two = stateful.counter_pair()
    assert (one.add(0), two.add(0)) == (1, 2)
    twin = two.clone()
    two.close()
    assert twin.add(1) == 3


def test_signatures(stateful: loader.Plugin) -> None:
    """Help texts and completion see parameters of constructor and methods."""
    assert list(inspect.signature(stateful.counter).parameters) == ["start", "mode"]
    assert list(inspect.signature(stateful.counter(1, 0).add).parameters) == ["more"]
    assert stateful.counter.__doc__ == "Counts."


# ---- Made and freed ----------------------------------------------------------------------------------------


def test_close_with_and_collection_free_once(stateful: loader.Plugin) -> None:
    """Whatever comes first; closing again does nothing."""
    start = stateful.living().count
    with stateful.counter(1, 0) as a:
        assert stateful.living().count == start + 1
    assert stateful.living().count == start
    assert a.closed
    a.close()
    a.close()
    assert stateful.living().count == start
    b = stateful.counter(1, 0)
    alive = weakref.ref(b)
    del b
    assert alive() is None
    assert stateful.living().count == start


def test_a_cycle_with_an_instance_is_collected(stateful: loader.Plugin) -> None:
    """By the garbage collector."""
    start = stateful.living().count

    class Holder:
        """Holds itself, and an instance."""

    holder: Any = Holder()
    holder.me, holder.counter = holder, stateful.counter(1, 0)
    del holder
    gc.collect()
    assert stateful.living().count == start


def test_freed_on_another_thread(stateful: loader.Plugin) -> None:
    """The last reference may go anywhere."""
    before = stateful.living().elsewhere
    held = [stateful.counter(1, 0)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert stateful.living().elsewhere == before + 1


def test_an_exception_outlives_the_free(stateful: loader.Plugin) -> None:
    """An instance that goes while an exception is under way does not touch it."""

    def fails() -> None:
        counter = stateful.counter(1, 0)
        raise KeyError(counter.name())

    with pytest.raises(KeyError, match="counter 1"):
        fails()


def test_a_constructor_that_fails(stateful: loader.Plugin) -> None:
    """Nothing is made: T_new failed, was called wrongly, or said that all went well and set nothing."""
    with pytest.raises(loader.PluginError, match="below 0"):
        stateful.counter(-1, 0)
    with pytest.raises(TypeError, match=r"counter_new\(\)"):
        stateful.counter()
    with pytest.raises(loader.PluginError, match="its result made was not set"):
        stateful.unset()


@pytest.mark.parametrize("how", [0, 1, 2])
def test_what_comes_with_a_wrong_answer_is_freed(stateful: loader.Plugin, how: int) -> None:
    """An instance that nobody gets, since another result is wrong. (The fixture counts.)"""
    with pytest.raises(loader.PluginError):
        stateful.spoil(how)
    assert stateful.spoil(3).text == ""


def test_no_python_class_of_its_own(stateful: loader.Plugin) -> None:
    """It has no subclasses, takes no attributes, is not pickled or copied."""
    with pytest.raises(TypeError, match="no subclasses"):
        type("Mine", (stateful.counter,), {})
    counter = stateful.counter(1, 0)
    with pytest.raises(AttributeError):
        counter.colour = "red"
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            way(counter)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(stateful.counter.add)
    base = stateful.counter.__mro__[1]
    with pytest.raises((TypeError, AttributeError)):
        base()
    with pytest.raises(TypeError):
        object.__new__(stateful.counter)


# ---- Refused -----------------------------------------------------------------------------------------------


def test_use_after_close(stateful: loader.Plugin) -> None:
    """Is a typed error: of methods, of functions that take it, of iteration."""
    counter, other = stateful.counter(1, 0), stateful.counter(1, 0)
    counter.close()
    for use in (
        lambda: counter.add(1),
        lambda: stateful.merge(other, counter),
        lambda: stateful.merge(counter, other),
        lambda: next(counter),
        counter.clone,
    ):
        with pytest.raises(loader.InstanceError, match="this counter of plugin stateful is closed"):
            use()
    assert other.add(1) == 2  # it was let go
    assert repr(counter) == "<closed counter of plugin stateful>"


def test_what_is_no_instance_of_this_plugin(
    stateful: loader.Plugin, path: Path, contract: loader.Contract, build: Callable[..., Path]
) -> None:
    """Another type, another class, the same class of another plugin, and of the same file in another host."""
    mine = stateful.counter(1, 0)
    for wrong, what in ((None, "NoneType"), (7, "int"), (stateful.hub(), "hub"), (stateful.counter, "type")):
        with pytest.raises(TypeError, match=rf"b must be an instance of counter, not {what}"):
            stateful.merge(mine, wrong)
    for other in (
        loader.Host(contract).load(path),
        loader.load(build("stateful.c", "OTHER", name="other", flags=["-pthread"]), contract=contract),
    ):
        theirs = other.counter(5, 0)
        with pytest.raises(
            TypeError, match="must be an instance of counter that this plugin made, not counter of plugin"
        ):
            stateful.merge(mine, theirs)
        with pytest.raises(TypeError, match="that this plugin made"):
            stateful.counter.add(theirs, 1)
        assert theirs.add(1) == 6


def test_a_plugin_without_the_free_function(build: Callable[..., Path], contract: loader.Contract) -> None:
    """Is refused before its code runs, as one without any other function."""
    with pytest.raises(loader.HandshakeError, match="counter_free"):
        loader.load(build("stateful.c", "WITHOUT_FREE", name="leaky", flags=["-pthread"]), contract=contract)


# ---- Threads -----------------------------------------------------------------------------------------------


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


def test_others_run_while_one_waits(stateful: loader.Plugin) -> None:
    """Who waits for an instance does not hold the GIL, and gets it when it is free."""
    counter = stateful.counter(0, 0)
    entered, go = threading.Event(), threading.Event()

    def step(_done: float) -> None:
        entered.set()
        go.wait(20)

    inside = threading.Thread(target=counter.during, args=(step,))
    inside.start()
    assert entered.wait(20)
    got: list[int] = []
    waits = threading.Thread(target=lambda: got.append(counter.add(1)))
    waits.start()
    time.sleep(0.1)
    assert not got
    go.set()
    inside.join(20)
    waits.join(20)
    assert got == [1]


def test_a_wait_has_an_end(stateful: loader.Plugin) -> None:
    """A deadline ends it, and a token that is cancelled."""
    counter = stateful.counter(0, 0)
    entered, go = threading.Event(), threading.Event()

    def step(_done: float) -> None:
        entered.set()
        go.wait(20)

    inside = threading.Thread(target=counter.during, args=(step,))
    inside.start()
    assert entered.wait(20)
    with pytest.raises(loader.DeadlineExceeded), loader.deadline(0.05):
        counter.add(1)
    token = loader.CancelToken()
    timer = threading.Timer(0.05, token.cancel)
    timer.start()
    with pytest.raises(loader.CallCancelled), token:
        counter.add(1)
    with pytest.raises(loader.DeadlineExceeded), loader.deadline(0.05):
        counter.close()
    go.set()
    inside.join(20)
    assert counter.add(1) == 1


def test_a_wait_for_another_who_closes_has_an_end(build: Callable[..., Path], contract: loader.Contract) -> None:
    """What ends a wait in close() is raised there, also where another thread is closing it."""
    slow = loader.load(build("stateful.c", "SLOW_FREE", name="slow_free", flags=["-pthread"]), contract=contract)
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


# ---- Fork --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_after_a_fork(stateful: loader.Plugin) -> None:
    """A child goes on with the parent's instances; one that another thread was in when it forked is refused there."""
    free, taken = stateful.counter(1, 0), stateful.counter(1, 0)
    entered, go = threading.Event(), threading.Event()

    def step(_done: float) -> None:
        entered.set()
        go.wait(30)

    inside = threading.Thread(target=taken.during, args=(step,))
    inside.start()
    assert entered.wait(20)
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
    go.set()
    inside.join(20)
    assert free.add(0) == 1


# ---- Debug mode --------------------------------------------------------------------------------------------


def test_in_debug_mode(path: Path, contract: loader.Contract) -> None:
    """A host in debug mode watches the calls of methods as all others."""
    plugin = loader.Host(contract, debug=True).load(path)
    with plugin.counter(1, 0) as counter:
        assert counter.add(1) == 2
        assert list(counter) == [2, 1]
