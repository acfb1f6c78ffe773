"""Host.watch: files that change are reloaded, when nobody writes to them any more."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from conftest import Builds  # type: ignore[attr-defined]


@pytest.fixture
def host(reloaded: loader.Contract, builds: Builds) -> loader.Host:
    """A host with one plugin."""
    host = loader.Host(reloaded)
    host.load(builds.path)
    return host


@pytest.fixture
def watch(host: loader.Host) -> loader.Watch:
    """A watch without a thread, which has looked twice: it knows what is there."""
    watch = host.watch(interval=None)
    assert watch.step() == watch.step() == []
    return watch


def test_two_looks(host: loader.Host, watch: loader.Watch, builds: Builds) -> None:
    """The first look sees that something changed, the second that it is all of it."""
    (plugin,) = host.plugins
    builds.put("0001")
    assert watch.step() == []
    assert plugin.build() == "0000"
    assert watch.step() == [plugin]
    assert plugin.build() == "0001"
    assert watch.step() == []


def test_what_changed_before_the_watch(host: loader.Host, builds: Builds) -> None:
    """A file that was changed after the load and before the first look is not overlooked."""
    builds.put("0001")
    watch = host.watch(interval=None)
    watch.step()
    assert watch.step() == list(host.plugins)


def test_while_it_is_written(host: loader.Host, watch: loader.Watch, builds: Builds, tmp_path: Path) -> None:
    """A file that grows between looks is not read before it has come to rest."""
    data = builds.put("0001", path=tmp_path / "next.so").read_bytes()
    collected = loader.health.collect()
    builds.path.unlink()
    with builds.path.open("wb", buffering=0) as file:
        for begin in range(0, len(data), 1000):
            file.write(data[begin : begin + 1000])
            assert watch.step() == []
    assert collected.take() == []
    assert watch.step() == list(host.plugins)
    assert [event.kind for event in collected.take()] == ["reloaded"]
    collected.close()


def test_rewritten_in_place(host: loader.Host, watch: loader.Watch, builds: Builds, tmp_path: Path) -> None:
    """The same inode and size, and even the same time of writing: the change of the inode tells."""
    status = builds.path.stat()
    builds.path.write_bytes(builds.put("0001", path=tmp_path / "next.so").read_bytes())
    os.utime(builds.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    watch.step()
    assert watch.step() == list(host.plugins)


def test_touched_only(host: loader.Host, watch: loader.Watch, builds: Builds) -> None:
    """The same bytes are no change, whatever their times say: nothing is even asked of them."""
    host.policy = loader.Policy(lock=str(builds.path.with_name("none.lock")))
    os.utime(builds.path)
    with loader.health.collect() as found:
        assert watch.step() == watch.step() == []
        assert found.take() == []


def test_gone_and_back(
    host: loader.Host, watch: loader.Watch, builds: Builds, caplog: pytest.LogCaptureFixture
) -> None:
    """Between unlink and the new file nothing happens, without a word."""
    builds.path.unlink()
    for _ in range(3):
        assert watch.step() == []
    builds.put("0001")
    assert watch.step() == []
    assert watch.step() == list(host.plugins)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_through_a_link(reloaded: loader.Contract, builds: Builds, tmp_path: Path) -> None:
    """A link that is turned to another file is a change, as deployments do it."""
    first, second = builds.put("0000", path=tmp_path / "first.so"), builds.put("0001", path=tmp_path / "second.so")
    link = tmp_path / "current.so"
    link.symlink_to(first)
    host = loader.Host(reloaded)
    plugin = host.load(link)
    watch = host.watch(interval=None)
    watch.step()
    watch.step()
    (tmp_path / "new").symlink_to(second)
    os.replace(tmp_path / "new", link)
    watch.step()
    assert watch.step() == [plugin]
    assert plugin.build() == "0001"


def test_failures_go_on(host: loader.Host, builds: Builds, caplog: pytest.LogCaptureFixture) -> None:
    """A bad file is told once, not at each look, and the next good one is taken."""
    watch = host.watch(interval=None, self_test="check")
    watch.step()
    watch.step()
    builds.put("F001")
    with loader.health.collect() as found:
        for _ in range(4):
            assert watch.step() == []
        assert [event.kind for event in found.take()] == ["reload_failed"]
    (record,) = [record for record in caplog.records if record.name == "loader.watch"]
    assert "goes on as it is" in record.getMessage()
    assert host.plugins[0].build() == "0000"
    builds.put("0002")
    watch.step()
    assert watch.step() == list(host.plugins)


def test_one_bad_does_not_stop_others(host: loader.Host, watch: loader.Watch, builds: Builds, tmp_path: Path) -> None:
    """Claims of the application may raise anything."""

    def claims(plugin: loader.Plugin) -> list[str]:
        if plugin.build() == "F001":
            raise RuntimeError("what is this?")
        return []

    bad = builds.put("0000", path=tmp_path / "bad.so")
    host.load(bad, claims=claims)
    good = host.load(builds.put("0000", path=tmp_path / "good.so"))
    watch.step()
    watch.step()
    builds.put("F001", path=bad)
    builds.put("0001", path=tmp_path / "good.so")
    watch.step()
    assert watch.step() == [good]


def test_lazy_stays_closed(reloaded: loader.Contract, builds: Builds) -> None:
    """A plugin that nobody has used yet is not opened by a change; it has what is there when it is."""
    host = loader.Host(reloaded)
    plugin = host.load(builds.path, lazy=True)
    watch = host.watch(interval=None)
    watch.step()
    builds.put("0001")
    assert watch.step() == watch.step() == []
    assert "not opened" in repr(plugin)
    assert plugin.build() == "0001"
    builds.put("0002")
    watch.step()
    assert watch.step() == [plugin]


def test_by_a_thread(host: loader.Host, builds: Builds) -> None:
    """With an interval a thread looks, until the end of the block."""
    seen = threading.Event()
    unsubscribe = loader.health.subscribe(lambda event: seen.set() if event.kind == "reloaded" else None)
    with host.watch(interval=0.01):
        builds.put("0001")
        assert seen.wait(60)
    unsubscribe()
    assert host.plugins[0].build() == "0001"
    assert not [thread for thread in threading.enumerate() if thread.name == "loader.watch"]


def test_closed_from_its_own_callback(host: loader.Host, builds: Builds) -> None:
    """Who is told of a reload by the watch's thread may close it."""
    closed = threading.Event()

    def close(event: Any) -> None:
        if event.kind == "reloaded":
            watch.close()
            closed.set()

    unsubscribe = loader.health.subscribe(close)
    watch = host.watch(interval=0.01)
    builds.put("0001")
    assert closed.wait(60)
    unsubscribe()
    watch.close()
    watch.close()


def test_closed_in_a_child(run_python: Callable[..., Any], builds: Builds) -> None:
    """A forked child has no thread of it: to close it there waits for nothing, and the parent's goes on."""
    program = """
import os, sys, time, loader
host = loader.Host(loader.Contract.from_header(sys.argv[3]))
plugin = host.load(sys.argv[1])
with host.watch(interval=0.001):
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            break
        assert os.waitpid(pid, 0)[1] == 0
if pid == 0:
    os._exit(0)
with host.watch(interval=0.01):
    os.replace(sys.argv[2], sys.argv[1])
    until = time.monotonic() + 60
    while plugin.build() != "0001" and time.monotonic() < until:
        time.sleep(0.01)
assert plugin.build() == "0001"
"""
    other = builds.put("0001", path=builds.path.with_name("next.so"))
    run_python(program, builds.path, other, PLUGINS / "reloaded.h", flags=("-W", "ignore::DeprecationWarning"))


@pytest.mark.parametrize("interval", [0, -1.0, float("nan"), float("inf")])
def test_interval_that_is_none(host: loader.Host, interval: float) -> None:
    """A time above 0, or None."""
    with pytest.raises(ValueError, match="interval"):
        host.watch(interval)
