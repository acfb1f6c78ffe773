"""What passes through a service: the same kinds as through a contract's functions, seen from the other side."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

Ask = Callable[..., loader.Plugin]


class World:
    """A service "values.world/1" that gives what it is told, and remembers what it was asked."""

    def __init__(self, **gives: Any) -> None:
        self.gives = gives
        self.asked: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Any function of the table."""

        def answer(*arguments: Any) -> Any:
            self.asked = arguments
            given = self.gives[name]
            return given(*arguments) if callable(given) else given

        return answer


@pytest.fixture
def ask(build: Callable[..., Path]) -> Ask:
    """The plugin values, lent a world."""
    contract = loader.Contract.from_header(PLUGINS / "values.h")

    def make(world: World) -> loader.Plugin:
        host = loader.Host(contract)
        host.provide("values.world/1", world)
        return host.load(build("values.c"))

    return make


def test_arrays_in(ask: Ask) -> None:
    """An array arrives as a memoryview of a copy, which may be kept."""
    world = World(mean=lambda of: sum(of) / len(of))
    assert ask(world).ask_mean(array.array("d", [1, 2, 6])) == 3.0
    (kept,) = world.asked
    assert (kept.format, kept.tolist(), kept.readonly) == ("d", [1, 2, 6], False)


def test_floats_enums_and_several_results(ask: Ask) -> None:
    """Floating-point numbers arrive among integers, enums as members, bools as bools; several results are a tuple."""
    plugin = ask(world := World())
    mode = plugin.contract.values_mode
    world.gives["mix"] = (1.5, mode.VALUES_LAST, True, 0.1, 65535)
    answer = plugin.ask_mix(0.5, -3, 1e300, 1, 1)
    assert world.asked == (0.5, -3, 1e300, mode.VALUES_BEST, True, 0.25)
    assert world.asked[3] is mode.VALUES_BEST
    assert world.asked[4] is True
    assert (answer.sum, answer.same, answer.other, answer.small) == (1.5, mode.VALUES_LAST, True, 65535)
    assert answer.narrow == pytest.approx(0.1, rel=1e-7)
    assert answer.narrow != 0.1  # a float


def test_as_many_as_there_may_be(ask: Ask) -> None:
    """Eight words and eight floating-point numbers, in registers and on the stack."""
    world = World(crowd=lambda *values: sum(values))
    assert ask(world).ask_crowd() == sum(range(1, 15)) - 15
    assert world.asked == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, -15)


def test_texts(ask: Ask) -> None:
    """A list of texts arrives as a list of str; text and bytes are two results."""
    world = World(words=lambda words: ("-".join(words), b"\xff"))
    assert ask(world).ask_words(["a", "é", ""]) == (b"\xff", "a-é-")
    assert world.asked == (["a", "é", ""],)


def test_lists(ask: Ask) -> None:
    """Structs arrive as rows, and records go back."""
    world = World(trail=lambda points: [(each.y, each.x) for each in points] + [{"x": 9}])
    assert list(ask(world).ask_trail([(1, 2), (3, 4)])) == [(2, 1), (4, 3), (9, 0)]
    assert list(ask(World(trail=[])).ask_trail([])) == []


def test_arrays_out(ask: Ask) -> None:
    """An array goes out as it lies, and can be resized again when the plugin's function has returned."""
    numbers, more = array.array("d", [1, 2, 3.5]), array.array("h", [-1, -2])

    def give(count: int) -> Any:
        assert count == 2
        return numbers, more

    assert ask(World(numbers=give)).ask_numbers(2) == (6.5, -3)
    numbers.append(1.0)


def test_structs(ask: Ask) -> None:
    """A struct goes out with all that is in it: nested ones, arrays, text."""
    world = World()
    plugin = ask(world)
    world.gives["stats"] = lambda given: given
    stats = plugin.describe(array.array("d", [1, 5, 2]))
    assert plugin.ask_stats(stats) == stats
    world.gives["stats"] = {"mean": 2, "name": "é", "corners": [(1, 2), {}]}
    assert plugin.ask_stats(stats).name == "é"
    assert plugin.ask_stats(stats).corners == ((1, 2), (0, 0))


@pytest.mark.parametrize(
    ("asks", "gives", "error", "text"),
    [
        (
            "mean",
            "x",
            TypeError,
            "mean of service values.world/1, result mean: it gave str where",
        ),
        (
            "mix",
            1.5,
            TypeError,
            "mix of service values.world/1: it gave float where its header",
        ),
        ("mix", (1.5, 1, True, 1.0), TypeError, "a tuple of 5 results"),
        ("mix", (1.5, 5, True, 1.0, 1), ValueError, "result same: same is VALUES_FAST"),
        ("mix", (1.5, 1, 2, 1.0, 1), ValueError, "result other: other is True or False, not 2"),
        ("mix", (1.5, 1, None, 1.0, 1), TypeError, "result other: other is True or False, not NoneType"),
        ("mix", (1.5, 1, True, "x", 1), TypeError, "result narrow: it gave str where its header declares a float"),
        (
            "mix",
            (1.5, 1, True, 1.0, 65536),
            OverflowError,
            "result small: it gave 65536 where its header",
        ),
        ("words", ("a", "b"), TypeError, "result bytes: it gave str where its header declares bytes"),
        ("trail", 5, TypeError, "result back: back must be a sequence of values_point, not int"),
        ("trail", [(1,)], TypeError, "result back: struct values_point has 2 fields"),
        (
            "numbers",
            ([1.0], array.array("h")),
            TypeError,
            "result numbers: numbers must be a buffer of",
        ),
        (
            "numbers",
            (array.array("f"), array.array("h")),
            TypeError,
            "result numbers: numbers must have",
        ),
        ("stats", {"nothing": 1}, TypeError, "result back: struct values_stats has no field 'nothing'"),
    ],
)
def test_wrong_results(ask: Ask, asks: str, gives: Any, error: type[Exception], text: str) -> None:
    """The error says whose result of which function, and is the cause of the plugin's failure."""
    given: dict[str, tuple[Any, ...]] = {
        "mean": (array.array("d", [1]),),
        "mix": (1.0, 1, 1.0, 1, 1),
        "words": (["a"],),
        "trail": ([(1, 2)],),
        "numbers": (1,),
        "stats": ({},),
    }
    plugin = ask(World(**{asks: gives}))
    with pytest.raises(loader.PluginError) as caught:
        getattr(plugin, f"ask_{asks}")(*given[asks])
    assert isinstance(caught.value.__cause__, error)
    assert text in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("how", "text"),
    [(0, "1 numbers at"), (1, "numbers at"), (2, "NULL where a pointer is wanted"), (3, "NULL for a result")],
)
def test_what_a_plugin_passes_is_checked(ask: Ask, how: int, text: str) -> None:
    """Arrays that cannot be are refused before they are read."""
    with pytest.raises(loader.PluginError) as caught:
        ask(World(mean=1.0)).ask_wrongly(how)
    assert text in str(caught.value.__cause__)


def test_no_member(ask: Ask) -> None:
    """A value that its enum does not have does not reach the application."""
    world = World(mix=None)
    with pytest.raises(loader.PluginError) as caught:
        ask(world).ask_mix(1.0, 1, 1.0, 7, 1)
    assert "mode is 7, which is none of its values" in str(caught.value.__cause__)
    assert world.asked is None
