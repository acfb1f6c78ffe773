"""Documents whose plugins are in a process of their own: the same HTML, and the host lives on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loader
from loader.htmlize import Htmlizer, Post
from loader.htmlize.htmlizer import shipped_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

ISOLATION = loader.Isolation(sandbox="off")

ROLES = r"""
#include "htmlize/htmlize.h"
#include <stdlib.h>
LOADER_EXPORT int hooks(loader_call *call)
{
    return loader_write_string(call, "role:fine\nrole:bad\nrole:die\nrole:spin\nrole:post\n");
}
int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    switch (role->data[0]) {
    case 'b': return loader_fail(call, "no");
    case 'd': abort();
    case 's':
        for (;;)
            ;
    case 'p': return loader_write_text(call, &post->contents);
    default: return loader_printf(call, "[%.*s]", LOADER_PRINT(text));
    }
}
"""


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory, build: Callable[..., Path]) -> Path:
    """A plugin with roles that answer, fail, die and never end."""
    source = tmp_path_factory.mktemp("roles") / "roles.c"
    source.write_text(ROLES)
    return build(source, name="roles")


@pytest.fixture(scope="module")
def both() -> tuple[Htmlizer, Htmlizer]:
    """The shipped plugins, here and in a process of their own."""
    return Htmlizer(), Htmlizer(isolation=ISOLATION)


@given(text=st.text(st.sampled_from("ab é\n:t`&<x漢"), max_size=200), escape=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_html(both: tuple[Htmlizer, Htmlizer], text: str, escape: bool) -> None:
    """Any document gives what it gives in this process, as str and as bytes."""
    here, there = both
    text = text.replace("t`", ":tt:`")
    expected = here.htmlize(text, escape=escape)
    assert there.htmlize(text, escape=escape) == expected
    assert there.htmlize(text.encode(), escape=escape) == expected.encode()


def test_one_process_for_all(both: tuple[Htmlizer, Htmlizer]) -> None:
    """The plugins of an Htmlizer share a process, with the engine."""
    workers = {plugin.worker for plugin in both[1].plugins}
    assert workers == {both[1].host.workers}
    assert None not in workers


def test_not_utf8(both: tuple[Htmlizer, Htmlizer]) -> None:
    """Bytes that are no UTF-8 raise the same TextError."""
    errors = []
    for app in both:
        with pytest.raises(loader.TextError) as caught:
            app.htmlize(b"abc\xff")
        errors.append((str(caught.value), caught.value.offset))
    assert errors[0] == errors[1]


def errors_of(app: Htmlizer, text: str) -> dict[str, Any]:
    """What is told of the failure that ends a document."""
    with pytest.raises(loader.PluginError) as caught:
        app.htmlize(text)
    error = caught.value
    names = ("path", "plugin", "function", "status", "message", "where")
    return {"text": str(error), "type": type(error)} | {name: getattr(error, name) for name in names}


def test_a_role_that_fails(roles: Path) -> None:
    """The error has the plugin, the role and its place, as in this process."""
    here, there = Htmlizer([roles]), Htmlizer([roles], isolation=ISOLATION)
    for text in ("x :fine:`a` :bad:`b`", "ü :bad:`b`"):
        assert errors_of(there, text) == errors_of(here, text)


def test_what_is_kept(roles: Path) -> None:
    """Problems that a document goes on after are the same."""
    found = []
    for app in (Htmlizer([roles]), Htmlizer([roles], isolation=ISOLATION)):
        problems: list[Any] = []
        html = app.htmlize(":bad:`1` :fine:`2` :bad:`ü`", plugin_errors="keep", report=problems.append)
        found.append((html, problems))
    assert found[0] == found[1]
    assert len(found[0][1]) == 2


def test_post(roles: Path) -> None:
    """Plugins see the post; its contents are the text where it has none."""
    app = Htmlizer([roles], isolation=ISOLATION)
    assert app.htmlize(":post:`x`") == "<p>:post:`x`</p>\n\n"
    assert app.htmlize(":post:`x`", Post(contents="abc")) == "<p>abc</p>\n\n"
    assert app.process_role("post", "x", Post(contents="abc")) == "abc"


def test_a_role_that_dies(roles: Path) -> None:
    """PluginCrashed says which plugin and role it was, and where; the next document is rendered."""
    app = Htmlizer([*shipped_plugins(), roles], isolation=ISOLATION)
    with pytest.raises(
        loader.PluginCrashed, match="plugin roles died of SIGABRT in process_role in role 'die' at"
    ) as caught:
        app.htmlize("x :tt:`a` :die:`b`")
    assert str(caught.value).endswith("of the text after the contents hooks")
    assert (caught.value.plugin, caught.value.signal) == ("roles", signal.SIGABRT)
    assert app.htmlize(":fine:`a` :tt:`b`") == "<p>[a] <tt>b</tt></p>\n\n"


def test_a_role_that_never_ends(roles: Path) -> None:
    """Is stopped by a deadline, though it never asks for it; the error says which it was."""
    app = Htmlizer([roles], isolation=loader.Isolation(sandbox="off", grace=0.1))
    with pytest.raises(loader.DeadlineExceeded, match="in role 'spin'"), loader.deadline(0.1):
        app.htmlize(":spin:`a`")
    assert app.htmlize(":fine:`a`") == "<p>[a]</p>\n\n"


def test_both_placements_in_one_document(roles: Path) -> None:
    """Roles of plugins of this process and of another one; failures of each are what they are alone."""
    app = Htmlizer(isolation=ISOLATION)
    plugin = app.load(roles, isolated=False)
    assert plugin.worker is None
    assert app.htmlize(":tt:`a` :fine:`b` :tt:`c`") == "<p><tt>a</tt> [b] <tt>c</tt></p>\n\n"
    alone = Htmlizer()
    alone.load(roles)
    assert errors_of(app, "ü :bad:`b`") == errors_of(alone, "ü :bad:`b`")
    problems: list[Any] = []
    app.htmlize(":bad:`1` :tt:`2`", plugin_errors="keep", report=problems.append)
    assert [(each.plugin, each.role, each.offset, each.message) for each in problems] == [("roles", "bad", 3, "no")]
    here = Htmlizer()
    assert here.load(roles, isolated=True).worker is not None
    assert here.htmlize(":tt:`a` :fine:`b`") == "<p><tt>a</tt> [b]</p>\n\n"


def test_lazy(roles: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plugin that is not open yet is opened by the document that wants it, in the process of the others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):  # the second time its hooks are remembered
        app = Htmlizer([roles], lazy=True, isolation=ISOLATION)
        assert app.htmlize(":fine:`a`") == "<p>[a]</p>\n\n"
        assert app.htmlize(":fine:`b`") == "<p>[b]</p>\n\n"
        assert app.plugins[0].worker is app.host.workers


def test_a_worker_that_is_killed_between_documents(both: tuple[Htmlizer, Htmlizer]) -> None:
    """The next document is rendered by a fresh one."""
    app = both[1]
    workers = app.host.workers
    assert workers is not None
    assert workers.pid is not None
    first = workers.pid
    os.kill(first, signal.SIGKILL)
    while workers.pid == first:  # until the kernel has told of it
        time.sleep(0.001)
    assert app.htmlize(":tt:`a`") == "<p><tt>a</tt></p>\n\n"
