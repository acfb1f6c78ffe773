"""loader/host.py: contract, policy, services, plugins and failures of one application."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import PLUGINS

import loader
from loader.errors import HandshakeError, ImageError, PluginError, PluginNotFound, RegistryError

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]


def test_holds_what_it_was_given(greeter: loader.Contract) -> None:
    """A Host knows its contract, policy and options, and starts empty."""
    host = loader.Host(greeter, strict=True, max_output=100)
    assert host.contract is greeter
    assert host.policy == loader.Policy()
    assert (host.strict, host.max_output, host.plugins, host.failures) == (True, 100, (), [])
    assert repr(host) == "<host of greeter 1.0, 0 plugins>"


def test_load(hello: Path, greeter: loader.Contract) -> None:
    """A plugin that was loaded is in the registry, by its name or the given one."""
    host = loader.Host(greeter)
    first = host.load(hello)
    second = host.load(hello, name="other")
    assert host.plugins == (first, second)
    assert [plugin.name for plugin in host.plugins] == ["hello", "other"]
    assert second.greet("you") == "Hello, you!"
    assert repr(host) == "<host of greeter 1.0, 2 plugins>"


def test_failure_leaves_no_trace(build: Build, hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A plugin that is refused is not entered, and the host goes on."""
    host = loader.Host(greeter)
    for path, error in (
        (tmp_path / "no.so", PluginNotFound),
        (build("hostile.c", "NO_GREET"), HandshakeError),
    ):
        with pytest.raises(error):
            host.load(path)
    assert host.plugins == ()
    assert host.load(hello).greet("") == "Hello, !"


def test_claims(build: Build, greeter: loader.Contract) -> None:
    """`claims` asks the loaded plugin; what it raises keeps the plugin out."""
    host = loader.Host(greeter)
    good = host.load(build("hostile.c"), claims=lambda plugin: [plugin.greet("role")])
    assert host.registry.claims == {"Hello, role!": good}
    with pytest.raises(PluginError, match="I do not know role"):
        host.load(build("hostile.c", "GREET=fails_with_text"), claims=lambda plugin: [plugin.greet("role")])
    assert host.plugins == (good,)


def test_max_output(build: Build, greeter: loader.Contract) -> None:
    """The host's limit of output holds for its plugins, and not for another host's."""
    path = build("hostile.c")
    small = loader.Host(greeter, max_output=10).load(path)
    large = loader.Host(greeter).load(path)
    with pytest.raises(PluginError, match="longer than the host allows"):
        small.greet("everybody")
    assert large.greet("everybody") == "Hello, everybody!"


def test_room_that_was_refused_is_an_error(build: Build, greeter: loader.Contract) -> None:
    """A plugin that does not look whether it could write does not pass half an answer for a whole one."""
    path = build("hostile.c", "GREET=ignores_lack_of_room")
    assert loader.load(path, contract=greeter).greet("") == "ten bytes." * 100_000
    plugin = loader.Host(greeter, max_output=5000).load(path)
    with pytest.raises(PluginError, match="longer than the host allows") as caught:
        plugin.greet("")
    assert caught.value.status == 2


@pytest.fixture
def folder(build: Build, tmp_path: Path) -> Path:
    """Five files in one folder: three plugins, one of another contract, one that is none."""
    place = tmp_path / "plugins"
    place.mkdir()
    for name in ("b", "a", "d"):
        shutil.copy(build("hostile.c"), place / f"{name}.so")
    shutil.copy(build("hostile.c", "MARKS=MARK(loader_abi_1) MARK(parrot_abi_2_1)"), place / "c.so")
    (place / "e.so").write_text("nothing")
    return place


def test_load_all(greeter: loader.Contract, folder: Path) -> None:
    """All files of a folder in order of their names; what fails is noted and stops nothing."""
    host = loader.Host(greeter)
    loaded = host.load_all(folder)
    assert [plugin.name for plugin in loaded] == ["a", "b", "d"]
    assert host.plugins == tuple(loaded)
    assert [type(error) for error in host.failures] == [HandshakeError, ImageError]
    assert [error.path for error in host.failures] == [str(folder / "c.so"), str(folder / "e.so")]


def test_load_all_strict(greeter: loader.Contract, folder: Path) -> None:
    """A strict host raises the first failure; what was loaded before it stays."""
    host = loader.Host(greeter, strict=True)
    with pytest.raises(HandshakeError):
        host.load_all(folder)
    assert [plugin.name for plugin in host.plugins] == ["a", "b"]
    other = folder / "other"
    other.mkdir()
    shutil.copy(folder / "a.so", other)
    with pytest.raises(RegistryError, match="has the name a"):
        host.load(other / "a.so")


def test_load_all_from_several_places(
    greeter: loader.Contract, folder: Path, hello: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths, then an environment variable, are searched; a place that is not there is a failure."""
    monkeypatch.setenv("APP_PLUGINS", str(hello))
    host = loader.Host(greeter)
    loaded = host.load_all([folder / "d.so", folder / "nowhere"], environment="APP_PLUGINS")
    assert [plugin.name for plugin in loaded] == ["d", "hello"]
    assert [type(error) for error in host.failures] == [PluginNotFound]


def test_two_hosts_with_two_contracts(build: Build, greeter: loader.Contract) -> None:
    """One file that implements two contracts, in two hosts at once."""
    parrot = loader.Contract.from_header(PLUGINS / "parrot.h")
    marks = "MARKS=MARK(loader_abi_1) MARK(greeter_abi_1_0) MARK(parrot_abi_2_1)"
    path = build("hostile.c", marks, "PARROT")
    greets, parrots = loader.Host(greeter), loader.Host(parrot)
    first, second = greets.load(path), parrots.load(path)
    assert (first.greet("you"), second.repeat("ab", 3)) == ("Hello, you!", "ababab")
    assert (first.version, second.version) == ((1, 0), (2, 1))
    assert not hasattr(first, "repeat")
    assert not hasattr(second, "greet")
    assert not hasattr(second, "shout")
    assert greets.plugins == (first,)
    assert parrots.plugins == (second,)


def test_claims_of_two_hosts_are_apart(hello: Path, greeter: loader.Contract) -> None:
    """A claim in one host does not concern another, strict or not."""
    hosts = [loader.Host(greeter, strict=True) for _ in range(2)]
    plugins = [host.load(hello, claims=lambda _: ["role:tt"]) for host in hosts]
    assert [host.registry.claims for host in hosts] == [{"role:tt": plugin} for plugin in plugins]
