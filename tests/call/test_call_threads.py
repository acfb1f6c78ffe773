"""The C caller: many threads at once. When the GIL is let go: test_gil.py."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from loader.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    import loader

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
