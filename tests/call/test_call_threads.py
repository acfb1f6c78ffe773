"""The C caller: many threads at once. When the GIL is let go: test_gil.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loader.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    import loader

pytestmark = pytest.mark.usefixtures("placement")


def test_many_threads(probe: loader.Plugin, together: Callable[[int, Callable[[int], Any]], list[Any]]) -> None:
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
