"""on_crash="retry": which calls are made twice after a worker's death, and that no other one is, nor three times."""

from __future__ import annotations

import logging
import pickle
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader
from loader.errors import PluginCrashed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")


@pytest.fixture(scope="module")
def contract() -> loader.Contract:
    """The contract of repeated.h."""
    return loader.Contract.from_header(PLUGINS / "repeated.h")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the plugin notes its calls: a byte each."""
    return tmp_path / "log"


@pytest.fixture
def load(build: Callable[..., Path], contract: loader.Contract, log: Path) -> Callable[..., loader.Plugin]:
    """What loads the plugin in a process of its own, with what Isolation takes."""
    path = build("repeated.c")

    def make(**options: Any) -> loader.Plugin:
        return loader.load(path, contract=contract, isolation=loader.Isolation(write=(str(log.parent),), **options))

    return make


def calls(log: Path) -> int:
    """How often a function was entered."""
    return log.stat().st_size


def test_a_header_says_it(load: Callable[..., loader.Plugin], log: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A call of a function that the header marks is made once more, and answered; a warning says so."""
    plugin = load(on_crash="retry")
    with caplog.at_level(logging.WARNING):
        assert plugin.marked(str(log), 1) == 2
    assert calls(log) == 2
    assert "is made again" in caplog.text
    assert "SIGABRT" in caplog.text


def test_others_are_called_once(load: Callable[..., loader.Plugin], log: Path) -> None:
    """A function that nobody says it of is never called twice, also if others of the contract are."""
    for plugin in (load(on_crash="retry"), load(on_crash="retry", repeatable=["marked", "asked"])):
        log.unlink(missing_ok=True)
        with pytest.raises(PluginCrashed):
            plugin.plain(str(log), 1)
        assert calls(log) == 1


def test_without_on_crash_nothing_is_repeated(load: Callable[..., loader.Plugin], log: Path) -> None:
    """What the header says allows it and does not ask for it: that does the host."""
    with pytest.raises(PluginCrashed):
        load().marked(str(log), 1)
    assert calls(log) == 1


@pytest.mark.parametrize("named", ["plain", ("plain",), True])
def test_the_host_says_it(load: Callable[..., loader.Plugin], log: Path, named: Any) -> None:
    """The host names functions, or says it of all."""
    plugin = load(on_crash="retry", repeatable=named)
    assert plugin.plain(str(log), 1) == 2
    assert plugin.marked(str(log), 3) == 4  # what the header marks goes on to be
    assert calls(log) == 4


def test_never_three_times(load: Callable[..., loader.Plugin], log: Path) -> None:
    """A call that ends a second worker too is PluginCrashed; so it is in each of several threads."""
    plugin = load(on_crash="retry", repeatable=True, crashes=100)
    with pytest.raises(PluginCrashed):
        plugin.marked(str(log), 1000)
    assert calls(log) == 2

    def work() -> None:
        with pytest.raises(PluginCrashed):
            plugin.plain(str(log), 1000)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 4 <= calls(log) - 2 <= 8  # one whose worker another one ended may not have come to its function
    with pytest.raises(PluginCrashed):
        plugin.plain(str(log), 1000)


def test_instances_end_it(load: Callable[..., loader.Plugin], log: Path) -> None:
    """A method is never called twice, whatever is said of it: its instance has died. The crash is told as such."""
    plugin = load(on_crash="retry", repeatable=True)
    with pytest.raises(PluginCrashed):
        plugin.tally().count(str(log), 1)
    assert calls(log) == 1
    assert plugin.tally().count(str(log), 1) == 2


def test_nested_calls(build: Callable[..., Path], contract: loader.Contract, log: Path) -> None:
    """A call in a service that is not to be repeated is not; the outer one, which is, is made twice as a whole."""
    inner: list[str] = []

    def answer(number: int) -> int:
        try:
            plugins[0].plain(str(log), 1)
        except PluginCrashed:
            inner.append("crashed")
        else:
            inner.append("answered")
        return 2 * number

    isolation = loader.Isolation(on_crash="retry", write=(str(log.parent),))
    host = loader.Host(contract, services={"repeated.host/1": {"answer": answer}}, isolation=isolation)
    plugins = [host.load(build("repeated.c"))]
    assert plugins[0].asked(str(log), 0) == 3  # `plain` twice, once in each try, and itself
    assert inner == ["crashed", "answered"]


def test_where_it_is_unpickled(load: Callable[..., loader.Plugin], log: Path) -> None:
    """A plugin that is unpickled repeats what the pickled one did, and nothing else."""
    plugin = pickle.loads(pickle.dumps(load(on_crash="retry")))
    assert plugin.marked(str(log), 1) == 2
    with pytest.raises(PluginCrashed):
        plugin.plain(str(log), 3)
    assert calls(log) == 3


def test_after_a_reload(load: Callable[..., loader.Plugin], log: Path, build: Callable[..., Path]) -> None:
    """What may be repeated goes by the contract, also of new code."""
    plugin = load(on_crash="retry")
    plugin.reload(build("repeated.c", "AGAIN"))
    assert plugin.marked(str(log), 1) == 2


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"repeatable": ("plain",)}, 'goes with on_crash="retry"'),
        ({"repeatable": True}, 'goes with on_crash="retry"'),
        ({"on_crash": "retry", "repeatable": 1}, "names of functions"),
        ({"on_crash": "retry", "repeatable": b"plain"}, "names of functions"),
        ({"on_crash": "retry", "repeatable": ("",)}, "names of functions"),
        ({"on_crash": "again"}, "on_crash is"),
    ],
)
def test_settings_without_meaning(options: dict[str, Any], rule: str) -> None:
    """What has no meaning is refused where it is said."""
    with pytest.raises(ValueError, match=rule):
        loader.Isolation(**options)


def test_a_misspelt_name(load: Callable[..., loader.Plugin], contract: loader.Contract) -> None:
    """A name that is no function of the contract is refused, by load and by a host: nothing would be repeated."""
    with pytest.raises(ValueError, match="'plian'"):
        load(on_crash="retry", repeatable=("plian",))
    with pytest.raises(ValueError, match="'plian'"):
        loader.Host(contract, isolation=loader.Isolation(on_crash="retry", repeatable=("plian",)))
