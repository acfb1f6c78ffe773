"""Handles pickle by identity and are opened again where they are unpickled; Records pickle by value."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tree import GREETER

import loader
from loader.errors import HandshakeError, LibraryError, PluginNotFound

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

PROTOCOLS = pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))


@PROTOCOLS
def test_plugin(hello: Path, greeter: loader.Contract, protocol: int) -> None:
    """A Plugin comes back with name, path, contract, version and digest, and works."""
    plugin = loader.load(hello, contract=greeter, name="friendly")
    again = pickle.loads(pickle.dumps(plugin, protocol))
    assert again is not plugin
    for field in ("name", "path", "contract", "version", "digest"):
        assert getattr(again, field) == getattr(plugin, field)
    assert again.greet("you") == "Hello, you!"


@PROTOCOLS
def test_function(hello: Path, greeter: loader.Contract, protocol: int) -> None:
    """A function comes back as the function of its plugin."""
    function = pickle.loads(pickle.dumps(loader.load(hello, contract=greeter).greet, protocol))
    assert function("you") == "Hello, you!"
    assert function.__self__.plugin.greet is function


def test_function_with_the_name_of_an_attribute(hidden: loader.Plugin) -> None:
    """A function that an attribute hides comes back as the function."""
    assert pickle.loads(pickle.dumps(hidden.functions["digest"]))() == "of the plugin"


def test_placement(hello: Path, greeter: loader.Contract, placement: str) -> None:
    """A plugin that is isolated comes back isolated, as it was set up, with a worker of its own."""
    plugin = loader.load(hello, contract=greeter)
    again = pickle.loads(pickle.dumps(plugin))
    if placement == "in-process":
        assert again.worker is None
    else:
        assert again.worker.isolation == plugin.worker.isolation
        assert again.worker.pid not in (None, plugin.worker.pid)
    assert again.greet("World") == plugin.greet("World")


def test_copies(hello: Path, greeter: loader.Contract) -> None:
    """A copy and a deep copy are what unpickling gives."""
    plugin = loader.load(hello, contract=greeter)
    assert copy.copy(plugin).greet("a") == copy.deepcopy([plugin])[0].greet("a") == "Hello, a!"


def test_small(hello: Path, greeter: loader.Contract) -> None:
    """What is pickled names the file; it does not hold it."""
    data = pickle.dumps(loader.load(hello, contract=greeter))
    assert str(hello).encode() in data
    assert len(data) < 2000


def test_changed_file(build: Build, greeter: loader.Contract, tmp_path: Path) -> None:
    """A file that changed since is refused, with both digests and a cure."""
    path = tmp_path / "plugin.so"
    shutil.copy(build("hostile.c", "BUILD=400"), path)
    plugin = loader.load(path, contract=greeter)
    data = pickle.dumps(plugin)
    shutil.copy(build("hostile.c", "BUILD=401"), path)
    with pytest.raises(LibraryError) as caught:
        pickle.loads(data)
    assert caught.value.what == "is not the file that was pickled"
    assert caught.value.expected == f"SHA-256 {plugin.digest}"
    assert caught.value.found == loader.read_image(path).digest
    assert caught.value.cure


@pytest.mark.in_process("in a worker constructors have no environment to tell by")
def test_changed_file_does_not_run(build: Build, greeter: loader.Contract, tmp_path: Path, sentinel: Path) -> None:
    """The changed file is not the one that was asked for: no constructor of it runs."""
    path = tmp_path / "plugin.so"
    shutil.copy(build("hostile.c", "BUILD=402"), path)
    data = pickle.dumps(loader.load(path, contract=greeter))
    sentinel.unlink()
    shutil.copy(build("hostile.c", "BUILD=403"), path)
    with pytest.raises(LibraryError):
        pickle.loads(data)
    assert not sentinel.exists()


def test_missing_and_unfit_files(build: Build, greeter: loader.Contract, tmp_path: Path) -> None:
    """A file that is gone, or is no plugin any more, fails at the stage where it fails."""
    path = tmp_path / "plugin.so"
    shutil.copy(build("hostile.c", "BUILD=404"), path)
    data = pickle.dumps(loader.load(path, contract=greeter))
    shutil.copy(build("hostile.c", "MARKS="), path)
    with pytest.raises((HandshakeError, LibraryError)):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(PluginNotFound):
        pickle.loads(data)


def test_without_services(lend_path: Path, lend_contract: loader.Contract) -> None:
    """What a host lent stays with that host."""
    names = ["title", "blob", "count", "ratio", "note", "describe", "many"]
    services = {"lend.db/1": {name: lambda *_: "x" for name in names}}
    plugin = loader.Host(lend_contract, services=services).load(lend_path)
    assert plugin.survey().startswith("db there")
    assert pickle.loads(pickle.dumps(plugin)).survey().startswith("db absent")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers(run_python: Run, hello: Path, method: str) -> None:
    """Plugins and functions go to the workers of a pool, which open the file themselves."""
    done = run_python(
        """
import multiprocessing, os, sys
import loader

def work(plugin, function, name):
    return [os.getpid(), plugin.greet(name), function(name), plugin.path]

if __name__ == "__main__":
    plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
    with multiprocessing.get_context(sys.argv[3]).Pool(1) as pool:
        pid, *rest = pool.apply(work, (plugin, plugin.greet, "worker"))
        assert pid != os.getpid()
        print(rest == ["Hello, worker!"] * 2 + [sys.argv[1]])
        print(pool.map(plugin.greet, ["a", "b"]))
""",
        hello,
        GREETER,
        method,
    )
    assert done.stdout == "True\n['Hello, a!', 'Hello, b!']\n"


def test_errors_of_a_worker(run_python: Run, build: Build) -> None:
    """A plugin's error in a worker arrives in the parent with its fields."""
    done = run_python(
        """
import multiprocessing, sys
import loader

if __name__ == "__main__":
    plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            pool.apply(plugin.greet, ("you",))
        except loader.PluginError as error:
            print(error.status, error.message, error.plugin, error.function, error.path == sys.argv[1])
""",
        build("hostile.c", "GREET=fails_with_text"),
        GREETER,
    )
    assert done.stdout == "1 I do not know you hostile greet True\n"


# ---- Records -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Open(loader.Record):
    """A Record with a dict."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Slotted(loader.Record):
    """A Record with slots."""

    x: float
    y: float


@dataclass(slots=True)
class Loose(loader.Record):
    """A Record with slots that is not frozen, for which dataclasses does not make a __getstate__."""

    x: float
    y: float


@pytest.mark.parametrize("kind", [Open, Slotted, Loose])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_record(probe: loader.Plugin, kind: type[Open], protocol: int) -> None:
    """A Record pickles by its fields, also after its native form was made; the copy makes its own."""
    record = kind(1.5, -2.5)
    for _ in range(2):
        again = pickle.loads(pickle.dumps(record, protocol))
        assert again == record
        assert probe.between("p", again, record) == "p 1.5,-2.5 1.5,-2.5"
        assert copy.copy(record) == copy.deepcopy(record) == record
