"""loader/process_state.py: who changed what of the state that all plugins share."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER, PLUGINS

import loader
from loader.observe.process_state import Change, StateWatch, snapshot, watch

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

linux = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")

HEADER = PLUGINS / "fatal.h"
#: What the plugin is told to change -> kind and name of the change.
CHANGES = {
    "rounding": ("floating point", "rounding"),
    "flush": ("floating point", "control"),
    "handler": ("signal handlers", "SIGUSR1"),
    "mask": ("blocked signals", "SIGUSR2"),
    "umask": ("umask", ""),
    "folder": ("working folder", ""),
    "locale": ("locale", ""),
    "environment": ("environment", "FATAL_WAS_HERE"),
    "descriptor": ("descriptors", None),
    "thread": ("threads", None),
}
#: Each change is made in a process of its own.
BEGIN = """
import sys, logging, loader, loader.process_state
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
header, path, *more = sys.argv[1:]
contract = loader.Contract.from_header(header)
"""


@pytest.fixture(scope="module")
def fatal(build: Build) -> Path:
    """A plugin that changes what it is told to."""
    return build("fatal.c", flags=["-Wno-infinite-recursion"])


@linux
@pytest.mark.parametrize("strict", [False, True], ids=["warning", "strict"])
@pytest.mark.parametrize("what", CHANGES)
def test_names_who_changed_what(run_python: Run, fatal: Path, what: str, strict: bool) -> None:
    """Each change is told with plugin and function, before and after; in strict mode as an error."""
    if what == "flush" and os.uname().machine != "x86_64":
        pytest.skip("flush-to-zero is set on x86-64 only")
    done = run_python(
        BEGIN
        + """
plugin = loader.load(path, contract=contract)
with loader.process_state.watch(plugin, strict=more[1] == "True") as state:
    assert plugin.change("nothing") == "done" and state.seen == []
    try:
        assert plugin.change(more[0]) == "done"
    except loader.PluginError as error:
        cause = error.__cause__
        assert isinstance(cause, loader.process_state.StateError), cause
        assert [str(c) for c in cause.changes] == [str(c) for _, _, c in state.seen]
        print("raised", end=" ")
    for name, function, change in state.seen:
        print(name, function, change.what, change.which, sep="|")
plugin.change(more[0])
assert len(state.seen) == 1
""",
        HEADER,
        fatal,
        what,
        str(strict),
    )
    kind, name = CHANGES[what]
    [found] = done.stdout.splitlines()
    assert found.startswith("raised " if strict else "fatal")
    assert found.removeprefix("raised ").startswith(f"fatal|change|{kind}|{'' if name is None else name}")
    [line] = done.stderr.splitlines()
    assert line.startswith(
        f"WARNING loader.process_state plugin fatal ({fatal}) changed the state of the process in change: {kind}"
    )


@linux
def test_the_words_for_a_change(run_python: Run, fatal: Path) -> None:
    """Old and new value are in the words that people read."""
    done = run_python(
        BEGIN
        + """
import os
os.umask(0o022)
plugin = loader.load(path, contract=contract)
with loader.process_state.watch(plugin) as state:
    for what in ("rounding", "umask", "environment", "handler"):
        plugin.change(what)
for _, _, change in state.seen:
    print(str(change).replace(hex(0), ""))
""",
        HEADER,
        fatal,
    )
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "floating point rounding: to nearest before, upward after",
        "umask: 022 before, 000 after",
        "environment FATAL_WAS_HERE is new (yes)",
    ]
    assert lines[3].startswith("signal handlers SIGUSR1: default before, function at ")


@linux
def test_load(run_python: Run, go_panics: Path, fatal: Path) -> None:
    """Host(debug=True) looks around the load as well: a Go runtime brings threads and signal handlers."""
    greeter = GREETER
    done = run_python(
        BEGIN
        + """
host = loader.Host(contract, debug=True)
host.load(path).echo("x")
assert host.state_watch.seen == [], host.state_watch.seen
strict = loader.Host(contract, debug=True, strict=True)
plugin = strict.load(path)
try: plugin.change("umask")
except loader.PluginError as error: print(error.__cause__)
# Go last: its runtime goes on starting threads after the load.
go = loader.Host(loader.Contract.from_header(more[1]), debug=True)
go.load(more[0])
kinds = {(name, function, change.what) for name, function, change in go.state_watch.seen}
assert ("panic_go", "dlopen", "threads") in kinds, kinds
assert ("panic_go", "dlopen", "signal handlers") in kinds, kinds
""",
        HEADER,
        fatal,
        go_panics,
        greeter,
    )
    assert "plugin fatal changed the state of the process in change; found umask: " in done.stdout
    assert done.stdout.endswith("A plugin puts back what it changes before it returns\n")


CHANGER = """
#define _GNU_SOURCE
#include "htmlize/htmlize.h"
#include <stdlib.h>
#include <sys/stat.h>
int hooks(loader_call *call) { return loader_write_string(call, ROLES); }
int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)role, (void)post;
    if (text->size == 4) (void)umask(0);
    return loader_write_text(call, text);
}
int process_contents(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    (void)post;
    (void)umask(0);
    return loader_write_text(call, contents);
}
"""


@pytest.mark.parametrize("strict", [False, True], ids=["warning", "strict"])
@pytest.mark.parametrize("way", ["document", "contents", "single role"])
def test_documents(build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str, strict: bool) -> None:
    """Roles and contents hooks of a document are looked at one by one, though Python calls but once."""
    from loader.htmlize import Htmlizer

    source = tmp_path / "changer.c"
    source.write_text(CHANGER)
    roles = '"contents\\n"' if way == "contents" else '"role:mask\\n"'
    guilty = build(source, f"ROLES={roles}", name="guilty")
    innocent = build(source, 'ROLES="role:other\\n"', name="innocent")
    app = Htmlizer([guilty, innocent])
    old = os.umask(0o022)
    try:
        with watch(app.host, strict=strict) as state, caplog.at_level(logging.WARNING):
            work: Callable[[], str] = lambda: app.htmlize(":other:`abc` :mask:`four` :other:`def`")  # noqa: E731
            if way == "single role":
                work = lambda: app.process_role("mask", "four", None)  # type: ignore[arg-type]  # noqa: E731
            if strict:
                with pytest.raises(loader.PluginError, match="changed the state of the process"):
                    work()
            else:
                assert "four" in work()
    finally:
        os.umask(old)
    function = "process_contents" if way == "contents" else "process_role"
    assert state.seen == [("guilty", function, Change("umask", "", "022", "000"))]
    assert len(caplog.records) == 1
    caplog.clear()
    assert "four" in app.htmlize(":mask:`four`")
    os.umask(old)
    assert caplog.records == []


def test_overlapping_calls_are_told_of_both(fatal: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where two watched calls ran at the same time, the change may be either's, and both are named."""
    plugin = loader.load(fatal, contract=loader.Contract.from_header(HEADER))
    state = StateWatch()
    first = state._begin("first")
    second = state._begin("second")
    os.environ["FATAL_TEST"] = "yes"
    try:
        state._end(second, "second", "second.so", "f")
        state._end(first, "first", "first.so", "f")
    finally:
        del os.environ["FATAL_TEST"]
    assert [name for name, _, _ in state.seen] == ["second", "first"]
    texts = [record.getMessage() for record in caplog.records]
    assert texts[0].endswith("(or it was one of those that ran at the same time: first)")
    assert texts[1].endswith("(or it was one of those that ran at the same time: second)")
    assert plugin.echo("x") == "x"


@linux
@pytest.mark.parametrize("how", ["with", "remove", "nested"])
def test_watch_that_ends_during_a_call(
    lent: Callable[..., loader.Plugin], caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """A watch that ends while a call runs accuses nobody of it, nor is that call told of by later ones."""
    outer, state = StateWatch(strict=True), StateWatch(strict=True)

    class Data:
        def title(self, number: int) -> str:
            if number == 1:
                os.environ["WATCH_TEST"] = "it changes"
                if how == "with":
                    entered.close()
                else:
                    state.remove(plugin)
                if how == "nested":
                    outer.add(plugin)
                raise LookupError("no such title")
            return "title"

        def __getattr__(self, _: str) -> object:
            return lambda *_: "x"

    plugin = lent(Data())
    entered = contextlib.ExitStack()
    if how == "with":
        state = entered.enter_context(watch(plugin, strict=True))
    else:
        state.add(plugin)
    try:
        with pytest.raises(loader.PluginError, match="no such title"):
            plugin.title(1)
    finally:
        del os.environ["WATCH_TEST"]
    assert state.seen == outer.seen == []
    assert state._running == outer._running == []
    assert plugin.title(2) == "title"
    outer.remove(plugin)
    assert not caplog.records


def test_nothing_changed() -> None:
    """Two looks at a process in which nothing happened are equal."""
    assert snapshot().changes(snapshot()) == []


def test_result_and_failure_are_the_plugins_own(probe: loader.Plugin) -> None:
    """A watched call gives what it would give otherwise: results of any length, and errors."""
    with watch(probe):
        assert probe.echo("x" * 100_000) == "x" * 100_000
        assert [probe.one(n) for n in range(100)] == [str(n) for n in range(100)]
        with pytest.raises(loader.PluginError, match="no such thing"):
            probe.fail(1, b"no such thing")
