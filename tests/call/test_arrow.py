"""_core/call/arrow.c: arrays in Arrow's C data interface, lent to plugins; each released once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from arrow_made import END_ARRAY, END_SCHEMA, Gives, Made, Middle

import loader

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("placement")


@pytest.mark.usefixtures("gil")
def test_an_array_is_lent_and_released_once(arrow: loader.Plugin) -> None:
    """When the function has returned: not before, and not again by its capsule."""
    made = Made(1, 2, 39)
    assert arrow.sum(made) == 42
    assert sorted(made.released) == ["array", "schema"]
    assert made.asked == 1
    made = Made()
    assert arrow.look(made) == "0 0 0 0 l"
    assert len(made.released) == 2


def test_it_is_released_whatever_becomes_of_the_call(arrow: loader.Plugin, middle: Middle) -> None:
    """A plugin that fails, a service that raises."""
    made = Made(1)
    made.array.null_count = 1
    with pytest.raises(loader.PluginError, match="nulls are not wanted"):
        arrow.sum(made)
    assert len(made.released) == 2
    made = Made(1)
    middle.action = lambda: 1 / 0
    with pytest.raises(loader.PluginError, match="ZeroDivisionError"):
        arrow.look_twice(made)
    assert len(made.released) == 2


def test_the_wrong_type_is_the_plugins_to_tell(arrow: loader.Plugin) -> None:
    """Which types it takes the header does not say: the schema is there, and LOADER_INVALID its answer."""
    made = Made(1)
    made.schema.format = b"g"
    with pytest.raises(loader.PluginError, match="an array of int64 \\('l'\\) is wanted, not 'g'") as caught:
        arrow.sum(made)
    assert caught.value.status == 3
    assert len(made.released) == 2


def test_a_schema_that_is_shared_has_nobody_while_it_is_lent(arrow: loader.Plugin, middle: Middle) -> None:
    """Who has its capsules too, and asks for them in the middle of the call, finds it released."""
    made = Made(5)
    pair = made.capsules()
    refused = []

    def again() -> None:
        with pytest.raises(ValueError, match="was released, or given away already") as caught:
            arrow.sum(Gives(pair))
        refused.append(caught.value)

    middle.action = again
    assert arrow.look_twice(Gives(pair)) == "1 0 0 0 l"
    assert len(refused) == 1
    assert len(made.released) == 2


@pytest.mark.parametrize("value", [None, 3, b"", [1, 2], "text", memoryview(b"12345678")])
def test_what_is_no_arrow_array(arrow: loader.Plugin, value: object) -> None:
    """TypeError, which says what is wanted."""
    with pytest.raises(TypeError, match=r"sum\(\): values must be an Arrow array \(.*\), not \w+"):
        arrow.sum(value)


def test_wrong_capsules(arrow: loader.Plugin) -> None:
    """By name, by number, by type: TypeError, and what is in them stays with its owner."""
    for names in ((b"arrow_array", b"arrow_schema"), (b"arrow_schema", b"arrow_array_stream"), (b"", b"")):
        made = Made(1, names=names)
        with pytest.raises(TypeError, match="gave another capsule where a capsule 'arrow_"):
            arrow.sum(made)
        assert made.released == []
    for wrong in (None, (), (1, 2), Made(1).capsules()[:1], [*Made(1).capsules()], (*Made(1).capsules(), None)):
        with pytest.raises(TypeError, match=r"its __arrow_c_array__ gave \w+ where"):
            arrow.sum(Gives(wrong))


def test_what_its_own_code_raises_comes_through(arrow: loader.Plugin) -> None:
    """As it is: an interrupt too."""
    for error in (KeyError("mine"), KeyboardInterrupt(), AttributeError("its own")):
        with pytest.raises(type(error)) as caught:
            arrow.sum(Gives(error))
        assert caught.value is error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: setattr(made.schema, "release", END_SCHEMA()), "was released, or given away already"),
        (lambda made: setattr(made.array, "release", END_ARRAY()), "was released, or given away already"),
        (lambda made: setattr(made.schema, "format", None), "has no format"),
        (lambda made: setattr(made.array, "length", -1), "a length, an offset or a number of nulls"),
        (lambda made: setattr(made.array, "offset", 2**63 - 1), "a length, an offset or a number of nulls"),
        (lambda made: setattr(made.array, "null_count", -2), "a length, an offset or a number of nulls"),
        (lambda made: setattr(made.array, "n_buffers", -1), "buffers and no pointer to them"),
        (lambda made: setattr(made.array, "buffers", None), "buffers and no pointer to them"),
        (lambda made: setattr(made.array, "n_children", 1), "other children than its schema"),
        (lambda made: setattr(made.schema, "dictionary", 8), "has a dictionary and its schema none"),
    ],
)
def test_structs_that_are_no_array(arrow: loader.Plugin, change: Callable[[Made], None], words: str) -> None:
    """ValueError before the plugin sees them; they stay with their owner."""
    made = Made(1, 2)
    change(made)
    with pytest.raises(ValueError, match=words):
        arrow.sum(made)
    assert made.released == []


def test_an_argument_behind_it_that_is_wrong(arrow: loader.Plugin) -> None:
    """Nothing is lost by a call that did not take place."""
    with pytest.raises(TypeError):
        arrow.sum(Made(1), 2)
    with pytest.raises(TypeError):
        arrow.sum()


def test_pyarrow_both_ways(arrow: loader.Plugin, living: int) -> None:
    """What it has is lent, with its offset; what a plugin gives it takes without a copy and gives back."""
    pa = pytest.importorskip("pyarrow")
    assert arrow.sum(pa.array([1, 2, 39])) == 42
    assert arrow.sum(pa.array(range(10))[4:7]) == 15
    assert arrow.look(pa.array(["a", None, "c"])) == "3 1 0 0 u"
    assert arrow.look(pa.record_batch({"x": [1, 2], "y": [0.5, 1.5]})) == "2 0 0 2 +s"
    assert arrow.look(pa.array(["a", "b", "a"]).dictionary_encode()) == "3 0 0 0 i"
    assert arrow.look(pa.array([[1], [], None])).endswith("1 +l")
    with pytest.raises(loader.PluginError, match="not 'g'"):
        arrow.sum(pa.array([0.5]))
    taken = pa.array(arrow.count_up(1000))
    assert taken.to_pylist() == list(range(1000))
    assert arrow.sum(taken) == 499500
    assert arrow.alive()[0] >= living / 2
    part = taken[10:12]
    del taken
    assert part.to_pylist() == [10, 11]
    del part
