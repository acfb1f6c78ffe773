"""What ends a worker, and what becomes of its calls, of the host, and of the next call: loader/isolation/pool.py."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from falling import HEADER, gone, parent_of, pids_of, wait_until

import loader

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")
DEATHS = {
    "abort": (signal.SIGABRT, None),
    "read": (signal.SIGSEGV, None),
    "overflow": (signal.SIGSEGV, None),
    "exit": (None, 7),
    "quit": (None, 8),
}
FLAGS = ["-Wno-infinite-recursion"]


@pytest.fixture(scope="module")
def contract() -> loader.Contract:
    """The contract of falling.h."""
    return loader.Contract.from_header(HEADER)


@pytest.fixture
def load(build: Callable[..., Path], contract: loader.Contract) -> Callable[..., loader.Plugin]:
    """What loads the plugin falling in a process of its own, with defines, services and what Isolation takes."""

    def make(*defines: str, services: dict[str, Any] | None = None, **options: Any) -> loader.Plugin:
        path = build("falling.c", *defines, flags=FLAGS)
        host = loader.Host(contract, services=services or {})
        return loader.load(
            path, contract=contract, services=host._services.native, isolation=loader.Isolation(**options)
        )

    return make


# ---- Deaths ----


@pytest.mark.parametrize("how", DEATHS)
def test_the_host_lives_on(load: Callable[..., loader.Plugin], how: str) -> None:
    """A worker's death is PluginCrashed, which says how and where; the next call is answered by a fresh one."""
    plugin = load()
    [first] = pids_of(plugin)
    with pytest.raises(loader.PluginCrashed, match="in fall") as caught:
        plugin.fall(how)
    number, status = DEATHS[how]
    assert (caught.value.signal, caught.value.exit_status) == (number, status)
    assert (caught.value.plugin, caught.value.function) == ("falling", "fall")
    assert plugin.add(40, 2) == 42
    assert pids_of(plugin) != [first]
    assert gone(first)


@pytest.mark.parametrize("how", DEATHS)
def test_death_in_a_constructor(load: Callable[..., loader.Plugin], how: str) -> None:
    """What ends a worker in a constructor is PluginCrashed of the load, and nothing is left of it."""
    before = children()
    with pytest.raises(loader.PluginCrashed, match="constructors") as caught:
        load(f"LOADING={how}")
    assert (caught.value.signal, caught.value.exit_status) == DEATHS[how]
    assert wait_until(lambda: children() <= before)


def test_a_constructor_that_never_ends(load: Callable[..., loader.Plugin]) -> None:
    """A constructor may take the time that Isolation(start=) gives."""
    before = children()
    with pytest.raises(loader.PluginCrashed, match="took longer"):
        load("LOADING=hang", start=0.3)
    assert wait_until(lambda: children() <= before)


def test_death_after_a_service_was_asked(load: Callable[..., loader.Plugin]) -> None:
    """A worker that dies behind a service's answer takes nothing of the host along; nor does one within a service."""
    asked: list[int] = []

    def answer(number: int) -> int:
        asked.append(number)
        return 2 * number

    plugin = load(services={"falling.host/1": {"answer": answer}})
    for count in (1, 2, 3):
        with pytest.raises(loader.PluginCrashed):
            plugin.back("abort")
        assert asked == [21] * count
        assert plugin.back("ok") == "ok"
        asked.pop()
    assert plugin.add(1, 1) == 2


def test_killed_while_its_service_runs(load: Callable[..., loader.Plugin]) -> None:
    """A worker that is killed while the host does what it asked for is PluginCrashed when that is done."""
    plugins: list[loader.Plugin] = []

    def answer(number: int) -> int:
        for each in pids_of(plugins[0]):
            os.kill(each, signal.SIGKILL)
        return 2 * number

    plugins.append(load(services={"falling.host/1": {"answer": answer}}))
    with pytest.raises(loader.PluginCrashed) as caught:
        plugins[0].back("ok")
    assert caught.value.signal == signal.SIGKILL
    assert plugins[0].add(1, 1) == 2


def test_no_memory(load: Callable[..., loader.Plugin]) -> None:
    """Under memory= a plugin that takes all there is hears it from malloc, or its process ends; the host has more."""
    plugin = load(memory=64 << 20)
    with pytest.raises(loader.PluginError):
        plugin.fall("memory")
    assert plugin.add(1, 1) == 2


def test_killed_under_load(load: Callable[..., loader.Plugin], tmp_path: Path) -> None:
    """Workers that are killed at any time: no answer is wrong, none is lost, no call is made twice."""
    log = tmp_path / "log"
    plugin = load(sandbox="off", crashes=1000)
    plugin.note(str(log), 0)
    over = threading.Event()
    killer = threading.Thread(target=kill_again_and_again, args=(plugin, over, 15))
    killer.start()
    answered, crashed = [0], []
    while not over.is_set():
        number = len(answered) + len(crashed)
        try:
            assert plugin.note(str(log), number) == 2 * number
            answered.append(number)
        except loader.PluginCrashed:
            crashed.append(number)
    killer.join()
    assert 0 < len(crashed) <= 15
    written = numbers_in(log)
    assert len(written) == len(set(written))
    assert set(answered) <= set(written) <= {*answered, *crashed}


def test_threads_under_load(load: Callable[..., loader.Plugin], together: Callable[..., Any]) -> None:
    """The same with threads and two workers: each thread gets its own answers, or PluginCrashed."""
    plugin = load(workers=2, crashes=1000)
    over = threading.Event()
    killer = threading.Thread(target=kill_again_and_again, args=(plugin, over, 8))
    killer.start()

    def work(thread: int) -> int:
        answers = 0
        while not over.is_set():
            try:
                assert plugin.add(thread, answers) == thread + answers
                answers += 1
            except loader.PluginCrashed:
                pass
        return answers

    assert all(together(6, work))
    killer.join()


def test_an_end_that_comes_late(load: Callable[..., loader.Plugin]) -> None:
    """What ends a worker refers to it as long as somebody could use it: were its number given to another worker's
    descriptor, to end the dead one would end that.
    """
    plugin = load()
    assert plugin.worker is not None
    [dead] = plugin.worker._processes
    os.kill(dead.pid, signal.SIGKILL)
    assert wait_until(lambda: gone(dead.pid))
    others = [load() for _ in range(3)]
    dead.close()
    assert "Pid:\t-1\n" in Path(f"/proc/self/fdinfo/{dead.pidfd}").read_text()  # of nobody any more
    dead.kill()
    assert [each.add(1, 1) for each in others] == [2, 2, 2]


# ---- Again, or no more ----


def test_retry(load: Callable[..., loader.Plugin], tmp_path: Path) -> None:
    """With on_crash="retry" a call whose worker died is made again, and its answer is the fresh worker's."""
    plugin = load(on_crash="retry", repeatable=["note"], sandbox="off", crashes=1000)
    log = tmp_path / "log"
    assert plugin.note(str(log), 1) == 2
    for number in range(2, 8):
        [pid] = pids_of(plugin)
        os.kill(pid, signal.SIGKILL)
        assert plugin.note(str(log), number) == 2 * number
    assert numbers_in(log) == [1, 2, 3, 4, 5, 6, 7]


def test_retry_ends(load: Callable[..., loader.Plugin]) -> None:
    """A call that ends each worker that it meets ends in PluginCrashed, not in workers without end."""
    plugin = load(on_crash="retry", repeatable=True, crashes=3)
    with pytest.raises(loader.PluginCrashed):
        plugin.fall("abort")


def test_quarantine(load: Callable[..., loader.Plugin]) -> None:
    """A plugin whose workers died `crashes` times in a row without an answer is not started again; others are."""
    plugin, other = load(crashes=3), load()
    for _ in range(3):
        with pytest.raises(loader.PluginCrashed, match="SIGABRT"):
            plugin.fall("abort")
    with pytest.raises(loader.PluginCrashed, match="not started again") as caught:
        plugin.add(1, 1)
    assert "SIGABRT" in str(caught.value)
    assert pids_of(plugin) == []
    assert other.add(1, 1) == 2


def test_answers_between_deaths(load: Callable[..., loader.Plugin]) -> None:
    """A plugin that answers between its deaths is started again, however often it dies."""
    plugin = load(crashes=2)
    for _ in range(4):
        with pytest.raises(loader.PluginCrashed, match="SIGABRT"):
            plugin.fall("abort")
        assert plugin.add(1, 1) == 2


# ---- Calls that do not end ----


def test_hang(load: Callable[..., loader.Plugin]) -> None:
    """A call past its deadline that does not listen is DeadlineExceeded, and its process is gone."""
    plugin = load(deadline=0.1, grace=0.05)
    [pid] = pids_of(plugin)
    started = time.monotonic()
    with pytest.raises(loader.DeadlineExceeded):
        plugin.fall("hang")
    assert 0.1 <= time.monotonic() - started < 5
    assert wait_until(lambda: gone(pid))
    assert plugin.add(1, 1) == 2


def test_a_call_that_listens(load: Callable[..., loader.Plugin]) -> None:
    """A call past its deadline that asks is told to stop; its process stays."""
    plugin = load(deadline=0.1, grace=5.0)
    before = pids_of(plugin)
    with pytest.raises(loader.DeadlineExceeded):
        plugin.fall("stop")
    assert pids_of(plugin) == before
    assert plugin.add(1, 1) == 2


def test_the_deadline_of_a_block(load: Callable[..., loader.Plugin]) -> None:
    """loader.deadline holds for isolated calls, and the shorter of two holds."""
    plugin = load(deadline=60.0, grace=0.05)
    with pytest.raises(loader.DeadlineExceeded), loader.deadline(0.1):
        plugin.fall("hang")
    assert plugin.add(1, 1) == 2


def test_others_meanwhile(load: Callable[..., loader.Plugin]) -> None:
    """While one call hangs, another thread's are answered by the same worker."""
    plugin = load(deadline=1.0, grace=0.05)
    caught: list[BaseException] = []

    def hang() -> None:
        try:
            plugin.fall("hang")
        except loader.PluginError as error:
            caught.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.05)
    assert [plugin.add(number, 1) for number in range(20)] == list(range(1, 21))
    thread.join()
    assert [type(each) for each in caught] == [loader.DeadlineExceeded]


# ---- Its end ----


def test_one_that_ignores_sigterm(load: Callable[..., loader.Plugin]) -> None:
    """A worker that ignores SIGTERM, with a thread that never ends, is gone when its plugin is."""
    plugin = load("SPAWN")
    plugin.deaf()
    [pid] = pids_of(plugin)
    os.kill(pid, signal.SIGTERM)
    assert plugin.add(1, 1) == 2
    assert pids_of(plugin) == [pid]
    del plugin
    gc.collect()
    assert wait_until(lambda: gone(pid))


def test_closed_pool(load: Callable[..., loader.Plugin]) -> None:
    """A plugin that was replaced ends its workers; who kept a function of it gets one of the old code once more."""
    plugin = load(workers=2)
    pids = pids_of(plugin)
    assert plugin.worker is not None
    plugin.worker.close()
    assert wait_until(lambda: all(map(gone, pids)))
    assert pids_of(plugin) == []
    assert plugin.add(1, 1) == 2
    assert not set(pids_of(plugin)) & set(pids)


def test_no_descriptors_are_left(load: Callable[..., loader.Plugin]) -> None:
    """Plugins that come and go, and workers that die, leave no descriptor and no process behind."""
    load().add(1, 1)
    gc.collect()
    before = descriptors()
    for _ in range(5):
        plugin = load()
        with pytest.raises(loader.PluginCrashed):
            plugin.fall("abort")
        assert plugin.add(1, 1) == 2
        del plugin
    gc.collect()
    assert wait_until(lambda: descriptors() <= before)


# ---- What it prints ----


def test_lines_in_logging(load: Callable[..., loader.Plugin], caplog: pytest.LogCaptureFixture) -> None:
    """What a worker prints arrives in logging, a line each; stderr as warnings; also what has no end yet."""
    caplog.set_level(logging.DEBUG)
    plugin = load()
    plugin.fall("print")
    with pytest.raises(loader.PluginCrashed) as caught:
        plugin.fall("abort")
    assert caught.value.lines == ("a line", "a complaint", "without an end") or set(caught.value.lines) == {
        "a line",
        "a complaint",
        "without an end",
    }

    def told() -> set[tuple[str, int, str]]:
        return {
            (record.name, record.levelno, record.getMessage())
            for record in caplog.records
            if record.name.startswith("loader.plugin.")
        }

    assert wait_until(
        lambda: (
            told()
            >= {
                ("loader.plugin.falling.stdout", logging.INFO, "a line"),
                ("loader.plugin.falling.stderr", logging.WARNING, "a complaint"),
                ("loader.plugin.falling.stderr", logging.WARNING, "without an end"),
            }
        )
    )


# ---- What tests ask ----


def children() -> set[int]:
    """The processes that this one has started and that live."""
    return {each for each in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(each) == os.getpid()}


def descriptors() -> int:
    """How many this process has."""
    return len(os.listdir("/proc/self/fd"))


def numbers_in(log: Path) -> list[int]:
    """What `note` has written."""
    data = log.read_bytes()
    assert len(data) % 8 == 0
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def kill_again_and_again(plugin: loader.Plugin, over: threading.Event, times: int) -> None:
    """Kills a worker `times` times, each after some calls; then says that it is over."""
    try:
        for number in range(times):
            time.sleep(0.01 + number % 7 * 0.003)
            for pid in pids_of(plugin)[:1]:
                os.kill(pid, signal.SIGKILL)
    finally:
        over.set()
