"""Interfaces: arguments that are tables of functions, with Python objects behind them."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import loader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")


class Visitor:
    """Weighs words by their length."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def see(self, word: str, share: float) -> int:
        """The length."""
        self.seen.append((word, share))
        return len(word)

    def place(self, points: list[Any], mode: Any) -> tuple[float, float]:
        """The first of the points."""
        self.seen.append((points, mode))
        return points[0].x, points[0].y


def test_an_object_with_the_methods(stateful: loader.Plugin, stateful_contract: loader.Contract) -> None:
    """Its methods are called with Python values of the declared kinds, and give the declared results."""
    visitor = Visitor()
    assert stateful.visit(["one", "f\u00fcnf"], visitor) == 7
    assert visitor.seen == [("one", 0.5), ("f\u00fcnf", 0.5)]
    centre = stateful.locate([(1, 2), (3, 4)], visitor=visitor)
    assert (centre.x, centre.y) == (1, 2)
    points, mode = visitor.seen[-1]
    assert points == [(1, 2), (3, 4)]
    assert mode is stateful_contract.stateful_mode.STATEFUL_NOISY


def test_a_callable_where_there_is_one_function(stateful: loader.Plugin) -> None:
    """A function, a bound method and a lambda will do; what they give is written."""
    seen: list[float] = []
    assert stateful.walk(4, seen.append) == "...."
    assert seen == [0, 0.25, 0.5, 0.75]
    assert stateful.walk(2, lambda done: f"{done}") == "0.0.0.5."


def test_a_method_comes_before_the_call(stateful: loader.Plugin) -> None:
    """An object that has the method and can be called too means the method."""

    class Both:
        def at(self, _done: float) -> str:
            return "m"

        def __call__(self, _done: float) -> str:
            return "c"

    assert stateful.walk(1, Both()) == "m."


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "step must have a method at, or be callable, and NoneType has none"),
        ({"at": print}, "step must have a method at, or be callable, and dict has none"),
        (type("Odd", (), {"at": 3})(), "step must have a method at, and that of Odd is no function"),
    ],
)
def test_what_is_none_is_refused(stateful: loader.Plugin, value: Any, reason: str) -> None:
    """Before the plugin runs, with what is missing."""
    with pytest.raises(TypeError) as caught:
        stateful.walk(1, value)
    assert str(caught.value) == f"walk(): {reason}"


def test_a_callable_is_not_enough_for_two_functions(stateful: loader.Plugin) -> None:
    """Of several functions each must be there."""
    with pytest.raises(TypeError, match=r"^visit\(\): visitor must have a method see, and .*function has none$"):
        stateful.visit(["a"], lambda _word, _share: 1)


def test_an_attribute_that_raises_is_heard(stateful: loader.Plugin) -> None:
    """What looking a method up raises is the caller's, as it is."""

    class Broken:
        @property
        def at(self) -> object:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        stateful.walk(1, Broken())


def test_what_it_raises_is_the_cause(stateful: loader.Plugin) -> None:
    """The plugin's failure names it, and has it as its cause."""

    def fails(_done: float) -> None:
        raise KeyError("mine")

    with pytest.raises(loader.PluginError, match="KeyError: 'mine'") as caught:
        stateful.walk(1, fails)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("value", ["7", 1.5, None, 1 << 80])
def test_results_are_checked(stateful: loader.Plugin, value: Any) -> None:
    """What a method gives is of the declared kind, or the call fails and says whose result it was."""
    visitor = Visitor()
    visitor.see = lambda _word, _share: value  # type: ignore[method-assign]
    with pytest.raises(loader.PluginError, match="see of interface stateful_visitor, result weight: it gave"):
        stateful.visit(["a"], visitor)


def test_a_plugin_is_called_in_an_interface(stateful: loader.Plugin) -> None:
    """A method may call the same plugin again, with an interface of its own; too deep is an error and no crash."""
    assert stateful.walk(1, lambda _: stateful.walk(2, lambda _: "x")) == "x.x.."

    def again(_done: float) -> str:
        return str(stateful.walk(1, again))

    with pytest.raises(loader.PluginError) as caught:
        stateful.walk(1, again)
    assert isinstance(caught.value.__cause__, RecursionError)


def test_nothing_is_kept(stateful: loader.Plugin) -> None:
    """When the call is over the object is the caller's alone; also after a failure."""
    visitor = Visitor()
    alive = weakref.ref(visitor)
    before = sys.getrefcount(visitor)
    stateful.visit(["a"] * 100, visitor)
    assert sys.getrefcount(visitor) == before
    visitor.see = lambda *_: 1 / 0  # type: ignore[method-assign,assign,return-value]
    with pytest.raises(loader.PluginError):
        stateful.visit(["a"], visitor)
    del visitor
    gc.collect()
    assert alive() is None


def test_several_threads(stateful: loader.Plugin) -> None:
    """Each call has a table of its own."""
    wrong: list[object] = []

    def run(number: int) -> None:
        for _ in range(200):
            seen: list[float] = []
            text = stateful.walk(3, lambda done, seen=seen: seen.append(done) or str(number))  # type: ignore[misc]
            if text != f"{number}." * 3 or len(seen) != 3:
                wrong.append((number, text, seen))

    threads = [threading.Thread(target=run, args=(each,)) for each in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong


def test_debug_mode_sees_who_is_called(stateful_path: Path, stateful_contract: loader.Contract) -> None:
    """A host in debug mode goes the same way."""
    host = loader.Host(stateful_contract, debug=True)
    plugin = host.load(stateful_path)
    assert plugin.walk(2, lambda _: "") == ".."
