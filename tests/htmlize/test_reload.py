"""Htmlizer.reload: roles and hooks follow a plugin's new code; documents end with the engine that they began with."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import loader
from loader.htmlize import Htmlizer

_SOURCE = """
#include "htmlize/htmlize.h"

int hooks(loader_call *call)
{
    return loader_write_string(call, HOOKS);
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)role;
    (void)text;
    (void)post;
    return loader_write_string(call, ANSWER);
}

int process_contents(loader_call *call, const loader_text *text, const htmlize_post *post)
{
    (void)text;
    (void)post;
    return loader_write_string(call, ANSWER);
}
"""

Put = Callable[..., Path]


@pytest.fixture
def put(build: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts a plugin with these hooks and this answer at its path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "roles.c"
    source.write_text(_SOURCE)

    def make(hooks: str, answer: str) -> Path:
        text = "\\n".join(hooks.split(",")) + "\\n"
        shutil.copy(build(source, f'HOOKS="{text}"', f'ANSWER="{answer}"'), tmp_path / "beside")
        os.replace(tmp_path / "beside", tmp_path / "roles.so")
        return tmp_path / "roles.so"

    return make


def test_roles_follow(put: Put) -> None:
    """Roles that are new, gone, or answered otherwise."""
    app = Htmlizer([put("role:a,role:b", "1")])
    process_role: Any = app.process_role
    put("role:b,role:c", "2")
    assert app.reload("roles") is app.plugins[0]
    assert set(app.roles) == {"b", "c"}
    assert app.htmlize(":a:`x` :b:`x` :c:`x`") == "<p>:a:`x` 2 2</p>\n\n"
    assert app.process_role("c", "x", None) == "2"  # type: ignore[arg-type]
    assert process_role("a", "x", None) == "1"  # what was kept is old


def test_contents_hooks_follow(put: Put) -> None:
    """A plugin that begins to change contents, and one that no longer does."""
    app = Htmlizer([put("role:a", "1")])
    put("contents", "2")
    app.reload("roles")
    assert app.contents_hooks == app.plugins
    assert app.htmlize(":a:`x`") == "2"
    put("role:a", "3")
    app.plugins[0].reload()  # by whatever way
    assert app.contents_hooks == ()
    assert app.htmlize(":a:`x`") == "<p>3</p>\n\n"


@pytest.mark.parametrize("hooks", ["role:a,nonsense", "role:taken"])
def test_refused_hooks(put: Put, build: Callable[..., Path], tmp_path: Path, hooks: str) -> None:
    """What load refuses a reload does, and the document goes on as it was."""
    taken = shutil.copy(build(tmp_path / "roles.c", r'HOOKS="role:taken\n"', 'ANSWER="t"'), tmp_path / "taken.so")
    app = Htmlizer([put("role:a", "1"), taken], strict=True)
    put(hooks, "2")
    with pytest.raises(loader.RegistryError):
        app.reload("roles")
    assert app.htmlize(":a:`x` :taken:`x`") == "<p>1 t</p>\n\n"
    assert set(app.roles) == {"a", "taken"}


def test_an_engine_that_cannot_be_made(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old code is put back, in documents and elsewhere."""
    app = Htmlizer([put("role:a", "1")])
    put("role:b", "2")

    def fails() -> None:
        raise MemoryError

    monkeypatch.setattr(app.host, "on_reload", fails)
    with pytest.raises(MemoryError):
        app.reload("roles")
    assert list(app.roles) == ["a"]
    assert app.plugins[0].process_role("a", "x", {}) == "1"
    assert app.htmlize(":a:`x`") == "<p>1</p>\n\n"


@pytest.mark.parametrize("used", [False, True])
def test_lazy(put: Put, monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    """What is cached of a file is not believed of the next one."""
    monkeypatch.setattr("loader.cache._FRESH", -(10**18))
    path = put("role:a", "1")
    Htmlizer([path], lazy=True)
    app = Htmlizer([path], lazy=True)
    if used:
        assert app.htmlize(":a:`x`") == "<p>1</p>\n\n"
    put("role:b", "2")
    app.reload("roles")
    assert app.htmlize(":a:`x` :b:`x`") == "<p>:a:`x` 2</p>\n\n"


def test_watched(put: Put) -> None:
    """host.watch is enough."""
    app = Htmlizer([put("role:a", "1")])
    watch = app.host.watch(interval=None)
    watch.step()
    put("role:a", "2")
    watch.step()
    watch.step()
    assert app.htmlize(":a:`x`") == "<p>2</p>\n\n"


def test_while_documents_are_rendered(put: Put, together: Callable[..., Any]) -> None:
    """Each document is of one build, and none fails."""
    app = Htmlizer([put("role:a", "1")])
    document = ":a:`x` " * 200
    whole = {app.htmlize(document).replace("1", answer) for answer in "12"}
    over = threading.Event()

    def work(number: int) -> int:
        count = 0
        if number == 0:
            try:
                for turn in range(30):
                    put("role:a", "12"[turn % 2])
                    app.reload("roles")
            finally:
                over.set()
        while not over.is_set():
            assert app.htmlize(document) in whole
            assert app.process_role("a", "x", None) in ("1", "2")  # type: ignore[arg-type]
            count += 1
        return count

    assert sum(together(4, work)) > 30
