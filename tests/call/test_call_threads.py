"""The C caller: when the GIL is released, and many threads at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import loader
from loader.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

# ---- Threads -----------------------------------------------------------------------------------------------


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Runs work(0) … work(count - 1) in threads; their results, or the first exception."""
    results: list[Any] = [None] * count
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def meetings(probe: loader.Plugin, text: str = "") -> list[str]:
    """Meets another thread in the plugin 30 times. Both would wait for ever if a call kept the GIL."""
    return [probe.meet(text, 2) for _ in range(30)]


@pytest.fixture
def quick(probe: loader.Plugin) -> loader.Plugin:
    """A probe whose `meet` was seen to be quick. The next 60 calls are not timed, so nothing looks slow."""
    probe.meet("", 1)
    return probe


def test_gil_is_released_under_a_limit(quick: loader.Plugin) -> None:
    """Two calls under a deadline are in the plugin at once: each waits there for the other."""

    def work(_: int) -> list[str]:
        with loader.deadline(60):
            return meetings(quick)

    assert together(2, work) == [["met"] * 30] * 2


def test_gil_is_released_for_long_input(quick: loader.Plugin) -> None:
    """Two calls with long input are in the plugin at once."""
    assert together(2, lambda _: meetings(quick, "x" * 16384)) == [["met"] * 30] * 2


def test_gil_is_released_for_plugins_that_talk(
    quick: loader.Plugin, caplog: pytest.LogCaptureFixture
) -> None:
    """A plugin that has called into Python once may need to again while others wait: the GIL is let go."""
    with caplog.at_level(1, logger="loader.plugin.probe"):
        quick.say(20, b"hello")
    assert quick.owner.talks
    assert together(2, lambda _: meetings(quick)) == [["met"] * 30] * 2


def test_gil_is_released_for_slow_functions(probe: loader.Plugin) -> None:
    """A function that takes long lets other calls of it in, the very first ones included."""
    results = together(2, lambda _: [probe.meet_slowly(2) for _ in range(200)])
    assert results == [["met"] * 200] * 2


def test_many_threads(probe: loader.Plugin) -> None:
    """Calls from many threads at once give each its own result."""

    def work(number: int) -> int:
        for turn in range(1500):
            text = f"{number}-{turn}" * (1 + turn % 200)
            assert probe.echo(text) == text
            assert probe.encode(text) == text.encode()
            assert probe.two(number, turn % 256) == f"{number} {turn % 256}"
            with pytest.raises(PluginError) as caught:
                probe.fail(1, text.encode())
            assert caught.value.message == text
        return number

    assert together(8, work) == list(range(8))
