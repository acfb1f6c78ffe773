"""Instances of a plugin's classes: made, used, freed once. Of several threads: test_instance_threads.py."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import pydoc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")


# ---- Use ---------------------------------------------------------------------------------------------------


def test_a_class_makes_instances_with_methods(stateful: loader.Plugin, stateful_contract: loader.Contract) -> None:
    """The constructor takes what T_new does, by place or by name; each instance has its own state."""
    a = stateful.counter(3, stateful_contract.stateful_mode.STATEFUL_PLAIN)
    b = stateful.counter(mode=stateful_contract.stateful_mode.STATEFUL_NOISY, start=10)
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


def test_docstrings(stateful: loader.Plugin) -> None:
    """A method has the header's comment, through an instance and its class; one without a comment has None or ""."""
    assert inspect.getdoc(stateful.counter(1, 0).add) == inspect.getdoc(stateful.counter.add) == "Adds to the count."
    assert "Adds to the count." in pydoc.render_doc(stateful.counter.add)
    assert not stateful.counter(1, 0).name.__doc__


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


@pytest.mark.in_process("it tells by the plugin's thread, and a worker has threads of its own")
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
    stateful: loader.Plugin, stateful_path: Path, stateful_contract: loader.Contract, build: Callable[..., Path]
) -> None:
    """Another type, another class, the same class of another plugin, and of the same file in another host."""
    mine = stateful.counter(1, 0)
    for wrong, what in ((None, "NoneType"), (7, "int"), (stateful.hub(), "hub"), (stateful.counter, "type")):
        with pytest.raises(TypeError, match=rf"b must be an instance of counter, not {what}"):
            stateful.merge(mine, wrong)
    for other in (
        loader.Host(stateful_contract).load(stateful_path),
        loader.load(build("stateful.c", "OTHER", name="other"), contract=stateful_contract),
    ):
        theirs = other.counter(5, 0)
        with pytest.raises(
            TypeError, match="must be an instance of counter that this plugin made, not counter of plugin"
        ):
            stateful.merge(mine, theirs)
        with pytest.raises(TypeError, match="that this plugin made"):
            stateful.counter.add(theirs, 1)
        assert theirs.add(1) == 6


def test_a_plugin_without_the_free_function(build: Callable[..., Path], stateful_contract: loader.Contract) -> None:
    """Is refused before its code runs, as one without any other function."""
    with pytest.raises(loader.HandshakeError, match="counter_free"):
        loader.load(build("stateful.c", "WITHOUT_FREE", name="leaky"), contract=stateful_contract)


# ---- Debug mode --------------------------------------------------------------------------------------------


def test_in_debug_mode(stateful_path: Path, stateful_contract: loader.Contract) -> None:
    """A host in debug mode watches the calls of methods as all others."""
    plugin = loader.Host(stateful_contract, debug=True).load(stateful_path)
    with plugin.counter(1, 0) as counter:
        assert counter.add(1) == 2
        assert list(counter) == [2, 1]
