"""Workers that lie: whatever they write to shared memory, the host lives on, and says what is wrong by its type."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import hostile
import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")


@pytest.mark.parametrize("name", hostile.CALLS)
@pytest.mark.parametrize("way", hostile.WAYS)
def test_lies(tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str, name: str) -> None:
    """Calls of all kinds give values or typed errors, in time, while the worker changes what the host reads.

    100,000 changes each: python tests/hostile.py 100000
    """
    caplog.set_level(100)
    if name == "arrow_echo":
        pytest.importorskip("pyarrow")
    attack = hostile.Attack(tmp_path, name, way)
    attack.run(2000, 4.0)
    print(attack)
    assert attack.changes > 5
    assert attack.longest < hostile.DEADLINE + hostile.GRACE + hostile.SLACK
