"""What is dropped is freed, also where it leads back to itself through the C side."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path
from typing import Any

import pytest

import loader
from loader.htmlize import Htmlizer
from loader.htmlize._engine import Engine
from loader.htmlize.htmlizer import _POST


@pytest.fixture
def tt(build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin with one role, old enough for its answers to be kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "role.c"
    source.write_text(
        '#include "htmlize/htmlize.h"\n'
        'int hooks(loader_call *call) { return loader_write_string(call, "role:k\\n"); }\n'
        "int process_role(loader_call *call, const loader_text *role, const loader_text *text,\n"
        "                 const htmlize_post *post)\n{\n"
        "    (void)role;\n    (void)post;\n    return loader_write_text(call, text);\n}\n"
    )
    path: Path = build(source)
    os.utime(path, (1, 1))
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))
    return path


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("used", [False, True])
def test_htmlizers(tt: Path, lazy: bool, used: bool) -> None:
    """Htmlizers, lazy ones too, whose plugins were opened or not."""

    def one() -> weakref.ref[Htmlizer]:
        app = Htmlizer([tt], lazy=lazy)
        if used:
            assert app.htmlize(":k:`x`") == "<p>x</p>\n\n"
        return weakref.ref(app)

    one()
    gone = [one() for _ in range(5)]
    gc.collect()
    assert [each() for each in gone] == [None] * 5


def test_engine_in_a_circle() -> None:
    """An engine whose role is opened by something that holds the engine."""

    class Opens:
        engine: Engine

        def __call__(self, _: str) -> Any:
            return None

    opens = Opens()
    owner = loader._core._call.Owner("o", "o.so")  # type: ignore[attr-defined]
    opens.engine = Engine([("k", owner, opens)], [], _POST)
    gone = weakref.ref(opens)
    assert gc.is_tracked(opens.engine)
    del opens
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("through", ["service", "watch", "attribute"])
def test_hosts(lend_path: Path, lend_contract: loader.Contract, through: str) -> None:
    """A host whose plugin leads back to it: by a service, a watch, or an attribute of the plugin."""

    class Data:
        host: loader.Host

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return lambda *_: self.host and "x"

        def __call__(self, *_: object) -> Any:
            return None

    data = Data()
    host = data.host = loader.Host(lend_contract, services={"lend.db/1": data})
    plugin = host.load(lend_path)
    assert plugin.title(1) == "x"
    if through == "watch":
        plugin.owner.watch = data
    elif through == "attribute":
        plugin.data = data  # type: ignore[assignment]
    gone = weakref.ref(host), weakref.ref(plugin), weakref.ref(data)
    del host, plugin, data
    gc.collect()
    assert [each() for each in gone] == [None] * 3
