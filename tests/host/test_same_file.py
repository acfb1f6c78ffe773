"""Host.load: a file that is loaded once more is the plugin that it is already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import loader
from loader.errors import TrustError

Together = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def path(hello: Path, tmp_path: Path) -> Path:
    """A copy of the greeter's plugin."""
    (tmp_path / "p").mkdir()
    return Path(shutil.copy(hello, tmp_path / "p" / "hello.so"))


@pytest.fixture
def ways(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ways to one file: as it is, relative, through a folder's link, a link of another name, a hard link."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q").symlink_to(path.parent)
    (tmp_path / "alias.so").symlink_to(path)
    os.link(path, tmp_path / "hard.so")
    return [str(path), "p/hello.so", "p/../p/./hello.so", "q/hello.so", "alias.so", "hard.so"]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_one_file_is_one_plugin(
    greeter: loader.Contract, ways: list[str], caplog: pytest.LogCaptureFixture, lazy: bool, strict: bool
) -> None:
    """By every way, lazy too, strict too; nobody warns, and claims are asked once."""
    asked: list[loader.Plugin] = []

    def claims(plugin: loader.Plugin) -> list[str]:
        asked.append(plugin)
        return ["role"]

    host = loader.Host(greeter, strict=strict)
    several = [host.load(way, claims=claims, lazy=lazy) for way in ways]
    assert set(several) == {several[0]}
    assert host.plugins == (several[0],)
    assert asked == [several[0]]
    assert several[0].greet("you") == "Hello, you!"
    assert [host.load(way, lazy=not lazy) for way in ways] == several
    assert caplog.records == []


def test_load_all_gives_each_once(greeter: loader.Contract, ways: list[str], path: Path) -> None:
    """A folder that is named twice, and a file of it, are the plugins of one folder."""
    host = loader.Host(greeter)
    assert [plugin.path for plugin in host.load_all([path.parent, *ways])] == [str(path)]
    assert len(host.plugins) == 1


def test_other_bytes_are_another_plugin(greeter: loader.Contract, path: Path) -> None:
    """A file that was rebuilt, in place or by rename, is loaded anew; so is one that was taken out."""
    host = loader.Host(greeter)
    for lazy in (False, True):
        first = host.load(path, lazy=lazy)
        assert first.greet("a") == "Hello, a!"
        with path.open("ab") as file:
            file.write(b"more")
        second = host.load(path, lazy=lazy)
        assert second is not first
        assert second.digest != first.digest
        assert host.load(path) is second
    host.registry.remove(second)
    assert host.load(path) is not second


def test_other_name_is_another_plugin(greeter: loader.Contract, path: Path) -> None:
    """A name that is given tells two apart; given again, it is the one that has it."""
    host = loader.Host(greeter)
    first, second = host.load(path), host.load(path, name="second")
    assert first is not second
    assert (host.load(path), host.load(path, name="second"), host.load(path, name="hello")) == (first, second, first)


def test_another_file_is_another_plugin(greeter: loader.Contract, path: Path, tmp_path: Path) -> None:
    """A copy in another folder has a way of its own to data beside it."""
    (tmp_path / "r").mkdir()
    other = shutil.copy(path, tmp_path / "r")
    host = loader.Host(greeter)
    assert host.load(path) is not host.load(other)
    assert loader.Host(greeter).load(path) is not host.load(path)


def test_the_second_way_is_judged(greeter: loader.Contract, ways: list[str], tmp_path: Path) -> None:
    """What the policy asks holds for the way that is named now."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "hello.so").symlink_to(ways[0])
    policy = loader.Policy.for_folders({closed: loader.Policy(lock=tmp_path / "none.lock")})
    (tmp_path / "none.lock").write_text("")
    host = loader.Host(greeter, policy=policy)
    host.load(ways[0])
    with pytest.raises(TrustError):
        host.load(closed / "hello.so")
    assert len(host.plugins) == 1


def test_from_many_threads(greeter: loader.Contract, path: Path, together: Together) -> None:
    """Threads that load a file at once get one plugin."""
    host = loader.Host(greeter)
    several = together(8, lambda _: host.load(path))
    assert host.plugins == (several[0],)
    assert set(several) == {several[0]}
