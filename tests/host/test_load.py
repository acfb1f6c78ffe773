"""loader/load.py: all stages of loading, several at once, and side by side."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tree import GREETER

import loader
from loader.errors import HandshakeError, ImageError, LoaderError, PluginNotFound

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
MakeContract = Callable[..., loader.Contract]

GREET = "LOADER_EXPORT int greet(loader_call *call, const loader_text *name);"


def marks(*names: str) -> str:
    """The compiler's flag for exactly these markers."""
    return "MARKS=MARK(loader_abi_1) " + " ".join(f"MARK({name})" for name in names)


def test_greeter_example(hello: Path) -> None:
    """The example of the documentation, as it is written there."""
    header = GREETER
    greeter = loader.Contract.from_header(str(header))
    plugin = loader.load(str(hello), contract=greeter)
    assert plugin.greet("World") == "Hello, World!"


@pytest.mark.parametrize("form", [str, Path])
def test_path_forms(hello: Path, greeter: loader.Contract, form: Callable[[Path], Any]) -> None:
    """A path is a str or an os.PathLike."""
    assert loader.load(form(hello), contract=greeter).path == str(hello)


def test_bytes_are_no_path(hello: Path, greeter: loader.Contract) -> None:
    """A path of bytes is refused with the way to make one of text."""
    with pytest.raises(TypeError, match=r"os\.fsdecode"):
        loader.load(str(hello).encode(), contract=greeter)  # type: ignore[arg-type]


def test_names_for_what_is_in_files(hello: Path, greeter: loader.Contract) -> None:
    """A header's or policy's name in the place of the thing is a TypeError that says how to read it."""
    wrong: Any = "greeter.h"
    for way in (lambda: loader.load(hello, contract=wrong), lambda: loader.Host(wrong)):
        with pytest.raises(TypeError, match=r"loader\.Contract\.from_header\('greeter\.h'\)"):
            way()
    wrong = Path("loader.toml")
    ways = (lambda: loader.load(hello, contract=greeter, policy=wrong), lambda: loader.Host(greeter, policy=wrong))
    for way in ways:
        with pytest.raises(TypeError, match=r"loader\.Policy\.from_file\('loader\.toml'\)"):
            way()


def test_what_is_no_contract_and_no_policy(hello: Path, greeter: loader.Contract) -> None:
    """Anything else in their place is a TypeError that says what it is, before the file is looked at."""
    wrong: Any = {"name": "greeter"}
    for path in (hello, Path("nowhere.so")):
        with pytest.raises(TypeError, match=r"contract is a loader\.Contract, not dict"):
            loader.load(path, contract=wrong)
        with pytest.raises(TypeError, match=r"policy is a loader\.Policy, not dict"):
            loader.load(path, contract=greeter, policy=wrong)


def test_relative_path(
    hello: Path, greeter: loader.Contract, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A relative path begins at the current folder, and is remembered as an absolute one."""
    shutil.copy(hello, tmp_path / "here.so")
    monkeypatch.chdir(tmp_path)
    plugin = loader.load("here.so", contract=greeter)
    assert plugin.path == str(tmp_path / "here.so")


def test_symbolic_link(hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A link is followed; the plugin has the link's name."""
    (tmp_path / "link.so").symlink_to(hello)
    plugin = loader.load(tmp_path / "link.so", contract=greeter)
    assert (plugin.name, plugin.greet("x")) == ("link", "Hello, x!")


def test_two_versions_side_by_side(build: Build, contract_of: MakeContract) -> None:
    """Two major versions of one contract, and a plugin for each, in one process."""
    one, two = contract_of("greeter", 1, 0, GREET), contract_of("greeter", 2, 0, GREET)
    old = build("hostile.c", "GREET=greets_with_build", "BUILD=41")
    new = build("hostile.c", "GREET=greets_with_build", "BUILD=42", marks("greeter_abi_2_0"))
    first, second = loader.load(old, contract=one), loader.load(new, contract=two)
    assert (first.greet("you"), second.greet("you")) == ("41 greets you", "42 greets you")
    assert (first.version, second.version) == ((1, 0), (2, 0))
    for path, contract in ((old, two), (new, one)):
        with pytest.raises(HandshakeError, match="another major version"):
            loader.load(path, contract=contract)


def test_one_file_for_two_versions(build: Build, contract_of: MakeContract) -> None:
    """A file may serve hosts of an old and of a new major version."""
    path = build("hostile.c", marks("greeter_abi_1_0", "greeter_abi_2_0"))
    plugins = [loader.load(path, contract=contract_of("greeter", major, 0, GREET)) for major in (1, 2)]
    assert [plugin.version for plugin in plugins] == [(1, 0), (2, 0)]
    assert plugins[0].greet("a") == plugins[1].greet("a")


def test_stages_fail_in_order(build: Build, greeter: loader.Contract, tmp_path: Path) -> None:
    """What is wrong first is what is said: no file, no library, no plugin."""
    path = tmp_path / "plugin.so"
    seen: list[type[LoaderError]] = []
    for content in (
        None,
        b"text",
        build("hostile.c", "MARKS=").read_bytes(),
        build("hostile.c").read_bytes(),
    ):
        if content is not None:
            path.write_bytes(content)
        try:
            loader.load(path, contract=greeter)
        except LoaderError as error:
            seen.append(type(error))
    assert seen == [PluginNotFound, ImageError, HandshakeError]


def test_loading_while_others_call(build: Build, greeter: loader.Contract) -> None:
    """Eight threads call while another loads plugins: every result is right."""
    paths = [build("hostile.c", "GREET=greets_with_build", f"BUILD={number}") for number in range(100, 112)]
    first = loader.load(paths[0], contract=greeter)
    plugins = [(100, first)]
    stop = threading.Event()
    errors: list[BaseException] = []
    calls = [0] * 8

    def call(number: int) -> None:
        try:
            while not stop.is_set() or calls[number] < 2000:
                build_number, plugin = plugins[calls[number] % len(plugins)]
                text = f"{number} {calls[number]}"
                assert plugin.greet(text) == f"{build_number} greets {text}"
                calls[number] += 1
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for number, path in enumerate(paths[1:], 101):
        plugins.append((number, loader.load(path, contract=greeter)))
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert min(calls) >= 2000
    assert len(plugins) == 12


@pytest.mark.in_process("each worker has a library of its own")
def test_loading_one_file_in_many_threads(build: Build, greeter: loader.Contract, sentinel: Path) -> None:
    """Many threads that load one file at once get one library: its constructor runs once."""
    path = build("hostile.c", "BUILD=120")
    plugins: list[loader.Plugin] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(60)
        plugins.append(loader.load(path, contract=greeter))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({plugin.greet.__self__.address for plugin in plugins}) == 1
    assert len(plugins) == 8
    assert sentinel.read_text().count("ran") == 1


def test_values_of_the_road_are_frozen(hello: Path, greeter: loader.Contract) -> None:
    """What one stage hands to the next cannot be changed."""
    image = loader.read_image(hello)
    for value, field in (
        (image, "exports"),
        (image.file, "data"),
        (greeter, "name"),
        (greeter.functions[0], "name"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, None)
