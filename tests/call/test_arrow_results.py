"""_core/call/arrow.c: arrays in Arrow's C data interface that plugins give: whose they are, and released once."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest
from arrow_made import Gives, Middle
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")


@pytest.mark.usefixtures("gil")
def test_a_result_goes_to_another_function_as_it_lies(arrow: loader.Plugin, living: int) -> None:
    """As often as is wanted: it is lent, and not given away."""
    values = arrow.count_up(10)
    assert repr(values) == "<Arrow array of format 'l', 10 elements>"
    assert arrow.sum(values) == arrow.sum(values) == 45
    assert arrow.alive() == (living, 0)
    del values
    assert arrow.alive() == (0, 0)


def test_a_result_is_given_away_once(arrow: loader.Plugin, living: int) -> None:
    """Then it has nothing more, and says so; what nobody took goes with the capsules."""
    values = arrow.count_up(3)
    schema, array = values.__arrow_c_array__(requested_schema=None)
    assert repr(values) == "<Arrow array, given away>"
    with pytest.raises(ValueError, match="was given away already; keep what took it"):
        values.__arrow_c_array__()
    with pytest.raises(ValueError, match="values was given away already; pass what took it"):
        arrow.sum(values)
    assert arrow.sum(Gives((schema, array))) == 3
    with pytest.raises(ValueError, match="was released"):
        arrow.sum(Gives((schema, array)))
    assert arrow.alive() == (0, 0)
    pair = arrow.count_up(3).__arrow_c_array__()
    assert arrow.alive() == (living, 0)
    del pair
    assert arrow.alive() == (0, 0)


def test_a_result_that_is_lent_is_not_given_away(arrow: loader.Plugin, middle: Middle, living: int) -> None:
    """Neither to the service that is called meanwhile, nor when it lets go of it."""
    values = [arrow.count_up(3)]

    def take() -> None:
        with pytest.raises(ValueError, match="is lent to a call of a plugin"):
            values[0].__arrow_c_array__()
        assert arrow.sum(values[0]) == 3
        values.clear()
        gc.collect()
        assert arrow.alive() == (living, 0)

    middle.action = take
    assert arrow.look_twice(values[0]) == "3 0 0 0 l"
    assert values == []
    assert arrow.alive() == (0, 0)


def test_several_results(arrow: loader.Plugin) -> None:
    """A row of them, each of its own."""
    row = arrow.two()
    assert (row.text, row.number, arrow.sum(row.first), arrow.sum(row.second)) == ("both", 7, 1, 3)
    del row


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize(
    ("how", "words"),
    [
        (0, "its result values was not set"),
        (1, "has a schema and no array"),
        (2, "has an array and no schema"),
        (3, "after all of it"),
        (4, "after half of it"),
        (5, "points elsewhere"),
        (6, "points elsewhere"),
        (7, "has no format"),
        (8, "a length, an offset or a number of nulls"),
        (9, "has children and no pointer to them"),
        (10, "other children than its schema"),
        (11, "has a child that is NULL"),
        (12, "nests more deeply, or has more parts"),
        (13, "wrote text, and its header declares LOADER_OUT results only"),
        (14, "77"),
        (15, "forgets"),
        (16, "a length, an offset or a number of nulls"),
        (17, "is in memory of loader_alloc, which goes when the call ends"),
        (18, "is in memory of loader_alloc, which goes when the call ends"),
    ],
)
def test_results_that_are_wrong(arrow: loader.Plugin, how: int, words: str) -> None:
    """PluginError; what the plugin had filled is released, once, whatever its status was."""
    with pytest.raises(loader.PluginError, match=words):
        arrow.badly(how)
    assert arrow.alive() == (0, 0)


def test_another_result_that_is_wrong(arrow: loader.Plugin) -> None:
    """The array is released, though it was right."""
    with pytest.raises(loader.PluginError, match="its result text is wrong"):
        arrow.spoilt()
    assert arrow.alive() == (0, 0)


def test_it_is_not_copied(arrow: loader.Plugin) -> None:
    """Neither pickled nor copied, nor made by anybody else: whose it is would not be clear."""
    values = arrow.count_up(3)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(values)
    with pytest.raises(TypeError):
        type(values)()
    with pytest.raises(TypeError):
        object.__new__(type(values))
    assert arrow.sum(values) == 3
    del values


def test_given_away_while_it_is_given_away(arrow: loader.Plugin) -> None:
    """By what the garbage collector runs in the middle: one of both has it."""
    given = [arrow.count_up(3)]
    taken: list[object] = []

    def take() -> None:
        with contextlib.suppress(ValueError):
            taken.append(given[0].__arrow_c_array__())

    class Garbage:
        def __del__(self) -> None:
            take()

    threshold = gc.get_threshold()
    try:
        garbage = Garbage()
        garbage.self = garbage  # type: ignore[attr-defined]
        del garbage
        gc.set_threshold(1)
        take()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert len(taken) == 1
    assert arrow.sum(Gives(taken.pop())) == 3


def test_kept_until_the_end(arrow_path: Path, run_python: Callable[..., Any]) -> None:
    """What is there when the interpreter ends is released, or lost; nothing crashes."""
    code = f"""
        import loader, threading
        arrow = loader.load({str(arrow_path)!r}, contract=loader.Contract.from_header({str(PLUGINS / "arrow.h")!r}))
        kept = [arrow.count_up(3), arrow.count_up(4).__arrow_c_array__()]
        kept.append(kept)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        print(arrow.sum(kept[0]))
    """
    assert run_python(textwrap.dedent(code)).stdout == "3\n"


def test_threads_give_away_one_array(
    arrow: loader.Plugin, together: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    """One of them has it."""
    for _ in range(50):
        values = arrow.count_up(4)

        def take(_: int, values: Any = values) -> object:
            try:
                return values.__arrow_c_array__()
            except ValueError:
                return None

        assert sum(each is not None for each in together(4, take)) == 1


def test_released_on_another_thread(arrow: loader.Plugin) -> None:
    """Whoever lets go of it last."""
    kept = [arrow.count_up(4)]
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    assert arrow.alive() == (0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child(arrow: loader.Plugin) -> None:
    """Both sides have a copy, and each releases its own."""
    values = arrow.count_up(4)
    child = os.fork()
    if child == 0:
        good = arrow.sum(values) == 6
        del values
        os._exit(0 if good and arrow.alive() == (0, 0) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert arrow.sum(values) == 6
    del values
