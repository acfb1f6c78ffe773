"""Of all tests of contracts: a header is read, not remembered."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier test read says nothing of the reader. test_header_cache.py turns it on again."""
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_CACHE", "off")
