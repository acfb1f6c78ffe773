"""Long values cross whole, wherever they begin and end, and on whichever processors both sides run: wire_copy.c."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from falling import HEADER, pids_of

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")
LONG = 32 << 10  # of wire_copy.c


@pytest.fixture(scope="module")
def plugin(build: Callable[..., Path]) -> loader.Plugin:
    """The plugin falling, whose fall() writes what it does not know."""
    path = build("falling.c", flags=["-Wno-infinite-recursion"])
    return loader.load(path, contract=loader.Contract.from_header(HEADER), isolation=loader.Isolation())


def place(plugin: loader.Plugin, here: int, there: int) -> None:
    """Host and worker on one processor each."""
    for pid, core in ((os.getpid(), here), *((pid, there) for pid in pids_of(plugin))):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})


@pytest.fixture(params=["one processor", "two processors"])
def placed(plugin: loader.Plugin, request: pytest.FixtureRequest) -> Iterator[loader.Plugin]:
    """The plugin, with host and worker on one processor or on two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("needs two processors")
    plugin.fall("warm")
    place(plugin, cores[0], cores[0 if request.param == "one processor" else 1])
    for _ in range(3):  # each side says where it is
        plugin.fall("warm")
    yield plugin
    for pid in (os.getpid(), *pids_of(plugin)):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores)


def text_of(size: int) -> str:
    """That many bytes, no piece like another."""
    return "".join(f"{number:x}," for number in range(size // 2 + 1))[:size]


@pytest.mark.parametrize(
    "size", [LONG - 1, LONG, LONG + 1, LONG + 63, LONG + 64, LONG + 65, 3 * LONG + 17, 5_000_001]
)
def test_of_any_size(placed: loader.Plugin, size: int) -> None:
    """What the plugin was given and writes is what comes back, byte for byte."""
    text = text_of(size)
    assert placed.fall(text) == text


def test_changes_of_size(placed: loader.Plugin) -> None:
    """Nothing of a longer value is in the next shorter one, nor the other way round."""
    for size in (3 * LONG, LONG + 5, 10, 2 * LONG + 1, LONG - 7, 3 * LONG + 3):
        text = text_of(size)[::-1]
        assert placed.fall(text) == text


def test_of_several_threads(plugin: loader.Plugin) -> None:
    """Threads that call at once get their own values."""
    wrong: list[int] = []

    def call(number: int) -> None:
        text = text_of(LONG + number * 1001) + str(number)
        wrong.extend(number for _ in range(20) if plugin.fall(text) != text)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
