"""Host.survey: a row for each plugin, from what is counted anyway, in bounded time."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import GREETER

import loader
from loader.htmlize import Htmlizer
from loader.lazy import LazyPlugin

if TYPE_CHECKING:
    from conftest import Builds  # type: ignore[attr-defined]


@pytest.fixture
def host(reloaded: loader.Contract, builds: Builds) -> loader.Host:
    """A host with one plugin."""
    host = loader.Host(reloaded)
    host.load(builds.path)
    return host


def row(host: loader.Host) -> loader.SurveyRow:
    """That of the one plugin."""
    (found,) = host.survey()
    return found


def test_a_row(host: loader.Host, builds: Builds) -> None:
    """What there is to say of a plugin that nobody has called, in plain values."""
    found = row(host)
    assert (found.name, found.path) == ("worker", str(builds.path))
    assert (found.placement, found.state) == ("in-process", "ready")
    assert (found.pid, found.calls, found.failures, found.restarts) == (os.getpid(), 0, 0, 0)
    assert (found.memory, found.last_error, found.answered) == (None, None, True)
    assert found.uptime is not None
    assert 0 < found.uptime < 60
    assert json.loads(json.dumps(found.to_dict()))["name"] == "worker"


def test_counts_every_way_of_calling(host: loader.Host) -> None:
    """By position, by name, a function that was kept, one of doubles alone, results, methods, new, close."""
    plugin = host.plugins[0]
    kept = plugin.build
    plugin.build()
    kept()
    plugin.fail.__self__  # noqa: B018 - to look is no call
    assert row(host).calls == 2
    for call in (
        lambda: plugin.next_to(1.0),
        lambda: plugin.next_to(number=1.0),
        lambda: plugin.next_to(1),
        plugin.times,
        plugin.build.__self__,
        plugin.functions["build"],
    ):
        before = row(host).calls
        call()
        assert row(host).calls == before + 1, call
    before = row(host).calls
    with plugin.adder() as adder:  # new, add, close
        adder.add(1)
    assert row(host).calls == before + 3
    with pytest.raises(TypeError):
        plugin.next_to("no number")
    assert row(host).calls == before + 3  # it never came to the plugin
    assert row(host).failures == 0


def test_failures_and_the_last_error(host: loader.Host) -> None:
    """What raised PluginError is counted, and the last one told in its own words."""
    plugin = host.plugins[0]
    for text in ("first", "läst"):
        with pytest.raises(loader.PluginError) as caught:
            plugin.fail(text)
    assert (row(host).calls, row(host).failures) == (2, 2)
    assert row(host).last_error == str(caught.value)
    plugin.build()
    assert row(host).last_error == str(caught.value)


def test_goes_on_over_a_reload(host: loader.Host, builds: Builds) -> None:
    """Counts are the plugin's, not its code's; the time since it was opened is the code's."""
    plugin = host.plugins[0]
    plugin.build()
    with pytest.raises(loader.PluginError):
        plugin.fail("x")
    time.sleep(0.05)
    builds.put("0001")
    plugin.reload()
    found = row(host)
    assert (found.calls, found.failures) == (2, 1)
    assert found.uptime is not None
    assert found.uptime < 0.05 or found.uptime < row(host).uptime  # type: ignore[operator]
    assert found.last_error is None
    for count in (3, 4, 5):
        plugin.build()
        assert (row(host).calls, row(host).failures) == (count, 1)
        builds.put(f"000{count}")
        plugin.reload()


def test_from_many_threads(host: loader.Host, together: Callable[..., Any]) -> None:
    """No call is lost."""
    plugin = host.plugins[0]

    def work(_: int) -> None:
        for _ in range(2000):
            plugin.build()
            plugin.next_to(1.0)

    together(4, work)
    assert row(host).calls == 16000


def test_lazy_is_not_opened(reloaded: loader.Contract, builds: Builds) -> None:
    """It has a row, says so, and stays as it is; when it is opened it is like any other."""
    host = loader.Host(reloaded)
    plugin = host.load(builds.path, lazy=True)
    assert isinstance(plugin, LazyPlugin)
    found = row(host)
    assert (found.name, found.state, found.pid, found.uptime) == ("worker", "not opened", None, None)
    assert (found.calls, found.answered) == (0, False)
    assert not plugin.opened
    plugin.build()
    assert (row(host).state, row(host).calls) == ("ready", 1)


def test_an_empty_host_and_arguments(reloaded: loader.Contract) -> None:
    """No plugins are no rows; a time is 0 or more."""
    assert loader.Host(reloaded).survey() == []
    for timeout in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            loader.Host(reloaded).survey(timeout)


def test_in_a_forked_child(run_python: Callable[..., Any], go_panics: Path) -> None:
    """A plugin whose runtime did not survive the fork does not answer; its pid is the child's."""
    program = """
import os, sys, loader
host = loader.Host(loader.Contract.from_header(sys.argv[2]))
host.load(sys.argv[1])
assert host.survey()[0].state == "ready"
pid = os.fork()
if pid == 0:
    row, = host.survey()
    os._exit(0 if (row.state, row.answered, row.pid) == ("ended", False, os.getpid()) else 1)
assert os.waitpid(pid, 0)[1] == 0
"""
    run_python(program, go_panics, GREETER, flags=("-W", "ignore::DeprecationWarning"))


def test_documents(native_plugins: Path) -> None:
    """A role that is processed alone is a call; one in a document is not counted, as the docs say."""
    app = Htmlizer([native_plugins / "tt.so"])
    before = app.host.survey()[0].calls  # `hooks`
    app.process_role("tt", "x", None)  # type: ignore[arg-type]
    app.htmlize("a :tt:`x`")
    assert app.host.survey()[0].calls == before + 1


class Worker:
    """What a plugin in a process of its own is asked; see docs/isolation.md."""

    pid, state, restarts, uptime, memory, last_error = 7, "busy", 2, 1.5, 4096, "it crashed"

    def __init__(self, answers: threading.Event | bool | None) -> None:
        self._answers = answers

    def ask(self, timeout: float) -> bool:
        """Whether it answers; `timeout` is not kept by one that hangs."""
        if self._answers is None:
            raise OSError("the channel is gone")
        return self._answers if isinstance(self._answers, bool) else self._answers.wait(timeout * 100)

    def close(self) -> None:
        """Nothing to end."""


def test_workers_are_asked_together(reloaded: loader.Contract, builds: Builds) -> None:
    """Each by a thread of its own: those that hang take the time once, and no more than there is."""
    never = threading.Event()
    host = loader.Host(reloaded)
    for number, answers in enumerate([never, None, True, False, never]):
        host.load(builds.path, name=f"w{number}").worker = Worker(answers)
    host.load(builds.path, name="here")
    begin = time.monotonic()
    rows = host.survey(timeout=0.3)
    assert time.monotonic() - begin < 2
    never.set()
    assert [found.answered for found in rows] == [False, False, True, False, False, True]
    assert [found.placement for found in rows] == ["worker"] * 5 + ["in-process"]
    found = rows[0]
    assert (found.pid, found.state, found.restarts, found.uptime, found.memory) == (7, "busy", 2, 1.5, 4096)
    assert found.last_error == "it crashed"
