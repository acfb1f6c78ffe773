"""Ways around what instances and interfaces promise: odd selves, finalizers, debug mode. Of calls that are under way:
test_instances_under_way.py.
"""

from __future__ import annotations

import contextlib
import copyreg
import gc
import pickle
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import loader

pytestmark = pytest.mark.usefixtures("placement")

Watched = Callable[[Callable[[], None]], AbstractContextManager[None]]


# ---- Python's ways to an object ----------------------------------------------------------------------------


def test_methods_take_nothing_else_than_an_instance(stateful: loader.Plugin) -> None:
    """However a method is found, and however its instance is given."""
    counter, hub = stateful.counter(1, 0), stateful.hub()
    add = stateful.counter.add
    assert add(self=counter, more=1) == 2
    assert add(more=1, self=counter) == 3
    assert counter.add.__func__(counter, 1) == 4
    for wrong in (None, 0, hub, stateful.counter, add, object(), counter.add, stateful):
        with pytest.raises(TypeError, match="self must be an instance of counter"):
            add(wrong, 1)
        with pytest.raises(TypeError, match="self must be an instance of counter"):
            add.__get__(wrong, object)(1) if wrong is not None else add(None, 1)
    with pytest.raises(TypeError, match="got self twice"):
        counter.add(1, self=counter)
    with pytest.raises(TypeError, match="is called without self"):
        add(more=1)


def test_another_class_does_not_make_it_another_instance(stateful: loader.Plugin) -> None:
    """What the plugin made it as counts, not what Python takes it for."""
    counter = stateful.counter(1, 0)
    counter.__class__ = stateful.hub
    assert isinstance(counter, stateful.hub)
    with pytest.raises(TypeError, match="self must be an instance of hub, not counter"):
        counter.during(lambda _: None)
    assert stateful.counter.add(counter, 1) == 2
    counter.close()


def test_no_instance_without_the_plugin(stateful: loader.Plugin) -> None:
    """By no way of Python's to make an object of a class, nor by one that takes the class apart."""
    base: Any = stateful.counter.__mro__[1]
    with pytest.raises(TypeError):
        copyreg.__newobj__(stateful.counter)  # type: ignore[attr-defined]
    counter = stateful.counter(1, 0)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            counter.__reduce_ex__(protocol)
    del stateful.counter.__init_subclass__
    below: Any = type("Below", (stateful.counter,), {})
    assert type(below(1, 0)) is stateful.counter
    for odd in (3, None, stateful.counter.add, stateful.counter):
        with pytest.raises(TypeError, match="only functions of plugins make instances"):
            type("Odd", (base,), {"_class": odd})()
    stranger: Any = type("Stranger", (base,), {"_class": stateful.hub._class})
    assert type(stranger()) is stateful.hub
    with pytest.raises(TypeError):
        type("Both", (stateful.counter, int), {})


def test_a_class_that_changes_while_it_makes(stateful: loader.Plugin) -> None:
    """What makes instances may be replaced by code that its own arguments run."""
    native = stateful.counter._class

    class Start:
        def __index__(self) -> int:
            native.finish(stateful.counter, None)
            gc.collect()
            return 3

    assert stateful.counter(Start(), 0).add(0) == 3
    with pytest.raises(TypeError, match="has no function counter_new"):
        stateful.counter(1, 0)


def test_the_garbage_collector_shows_whole_instances(stateful: loader.Plugin, watched: Watched) -> None:
    """Whatever it lends out while instances are made and freed can be looked at and used."""
    seen = 0

    def look() -> None:
        nonlocal seen
        for each in gc.get_objects():
            if type(each) is stateful.counter:
                repr(each)
                with contextlib.suppress(loader.InstanceError):  # closed, or the call under way is of it
                    assert each.add(0) >= 0
                    seen += 1

    with watched(look):
        for _ in range(5):
            one, two = stateful.counter_pair()
            gc.collect()  # at least once while they live
            assert gc.get_referrers(one) is not None
            two.clone().close()
            del one, two
    assert seen > 0


def test_lists_of_an_interface_are_whole_when_they_are_seen(stateful: loader.Plugin, watched: Watched) -> None:
    """A list of structs that a plugin passes is filled while objects are made: nobody sees it before it is full."""
    seen: list[int] = []

    class Visitor:
        def see(self, _word: str, _share: float) -> int:
            return 0

        def place(self, points: list[Any], _mode: Any) -> tuple[float, float]:
            seen.append(len(points))
            assert any(each is points for each in gc.get_objects())
            return points[0]

    def look() -> None:
        for each in gc.get_objects():
            if type(each) is list and len(each) == 321:
                list(each)

    with watched(look):
        stateful.locate([(1, 2)] * 321, Visitor())
    assert seen == [321]


# ---- Finalizers --------------------------------------------------------------------------------------------


def test_a_finalizer_may_use_and_keep_it(stateful: loader.Plugin) -> None:
    """A __del__ that is put into the class, and keeps the instance: it is freed once, later."""
    kept: list[Any] = []
    start = stateful.living().count

    def keep(self: Any) -> None:
        kept.append((self, self.add(1)))

    stateful.counter.__del__ = keep
    counter = stateful.counter(1, 0)
    del counter
    ((again, value),) = kept
    assert value == 2
    assert again.add(1) == 3
    assert stateful.living().count == start + 1
    kept.clear()
    del again
    assert stateful.living().count == start
    del stateful.counter.__del__


def test_weak_references_end_before_it_is_freed(stateful: loader.Plugin) -> None:
    """Who is called when it goes finds nothing, may use others, and may raise."""
    other, seen = stateful.counter(5, 0), []

    def gone(reference: Any) -> None:
        seen.append((reference(), other.add(1)))

    counter = stateful.counter(1, 0)
    first, second = weakref.ref(counter, gone), weakref.ref(counter, gone)
    weakref.finalize(counter, other.add, 1)
    del counter
    assert [each for each, _ in seen] == [None, None]
    assert other.add(0) == 8
    assert first() is second() is None


def test_it_outlives_its_plugin(stateful_path: Path, stateful_contract: loader.Contract) -> None:
    """An instance works, and is freed, when the Plugin, its class and all functions of it are given up."""
    plugin: Any = loader.load(stateful_path, contract=stateful_contract)
    living = plugin.living
    start = living().count
    counter = plugin.counter(1, 0)
    add = counter.add
    del plugin
    gc.collect()
    assert add(1) == 2
    del add, counter
    gc.collect()
    assert living().count == start


def test_a_plugin_with_classes_pickles(stateful: loader.Plugin) -> None:
    """As any: what comes back is another plugin, whose instances are its own."""
    again = pickle.loads(pickle.dumps(stateful))
    with again.counter(1, 0) as counter:
        assert counter.add(1) == 2
        if again.counter is not stateful.counter:
            with pytest.raises(TypeError, match="that this plugin made"):
                stateful.counter.add(counter, 1)


# ---- Debug mode, limits ------------------------------------------------------------------------------------


def test_what_a_watch_refuses_is_freed(stateful: loader.Plugin) -> None:
    """A constructor that went well and is an error all the same, as debug mode says: nobody gets the instance."""
    start = stateful.living().count

    def watch(_owner: object, function: str, token: object, _what: object) -> object:
        if token is not None and function in ("counter_new", "counter_pair"):
            raise ValueError("not so")
        return True

    stateful.owner.watch = watch
    try:
        for make in (lambda: stateful.counter(1, 0), stateful.counter_pair):
            with pytest.raises(loader.PluginError) as caught:
                make()
            assert isinstance(caught.value.__cause__, ValueError)
            assert caught.value.status == 1
    finally:
        stateful.owner.watch = None
    assert stateful.living().count == start


def test_an_interrupt_in_what_makes_an_instance(stateful: loader.Plugin) -> None:
    """What a watch raises that is no error goes on as it is, and the instance is freed."""
    start = stateful.living().count

    def watch(_owner: object, function: str, token: object, _what: object) -> object:
        if token is not None and function == "counter_new":
            raise KeyboardInterrupt
        return True

    stateful.owner.watch = watch
    try:
        with pytest.raises(KeyboardInterrupt):
            stateful.counter(1, 0)
    finally:
        stateful.owner.watch = None
    assert stateful.living().count == start


def test_output_that_is_too_long_leaves_the_instance(stateful_path: Path, stateful_contract: loader.Contract) -> None:
    """max_output is of a call, not of the instance."""
    plugin = loader.Host(stateful_contract, max_output=10).load(stateful_path)
    counter = plugin.counter(5, 0)
    assert counter.name() == "counter 5"
    counter.add(10**6)
    with pytest.raises(loader.PluginError):
        counter.name()
    assert counter.add(-(10**6)) == 5
    assert counter.name() == "counter 5"
