"""loader/plugin.py: what a Plugin and its functions are, and their lines in the log."""

from __future__ import annotations

import contextlib
import gc
import inspect
import logging
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import loader
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# ---- The Greeter, and what a Plugin is ---------------------------------------------------------------------


def test_greeter(hello: Path, greeter: loader.Contract) -> None:
    """The example of a typical plugin tutorial, as it stands in README."""
    plugin = loader.load(hello, contract=greeter)
    assert plugin.greet("World") == "Hello, World!"


def test_attributes(hello: Path, greeter: loader.Contract) -> None:
    """A Plugin knows name, path, contract, version and digest."""
    plugin = loader.load(hello, contract=greeter)
    assert plugin.name == "hello"
    assert plugin.path == str(hello)
    assert plugin.contract is greeter
    assert plugin.version == (1, 0)
    assert plugin.digest == loader.read_image(hello).digest
    assert dict(plugin.functions) == {"greet": plugin.greet}
    assert repr(plugin) == f"<plugin hello (greeter 1.0) from {hello}>"
    assert {"greet", "name", "path", "contract", "version", "digest", "functions"} <= set(dir(plugin))
    with pytest.raises(TypeError):
        plugin.functions["greet"] = None  # type: ignore[index]


def test_function_is_like_pythons(hello: Path, greeter: loader.Contract) -> None:
    """A function has name, docstring, signature and repr, and says whose it is."""
    plugin = loader.load(hello, contract=greeter)
    function = plugin.greet
    assert function.__name__ == function.__qualname__ == "greet"
    assert function.__doc__ is not None
    assert function.__doc__.startswith("Writes a greeting for `name`")
    assert str(inspect.signature(function)) == "(name: str) -> str"
    assert inspect.signature(function) == inspect.signature(function)
    assert repr(function) == "<function greet of plugin hello>"
    assert function.plugin is plugin
    assert callable(function)
    assert function.address


def test_signature_of_every_kind(probe: loader.Plugin) -> None:
    """inspect.signature has the contract's names, and Python's types for its kinds."""
    assert str(inspect.signature(probe.none)) == "() -> str"
    assert str(inspect.signature(probe.echo_bytes)) == "(data: bytes) -> bytes"
    assert str(inspect.signature(probe.pad)) == "(text: str, count: int, step: int) -> str"
    assert str(inspect.signature(probe.between)) == "(label: str, start: Any, end: Any) -> str"
    assert list(inspect.signature(probe.eight).parameters) == list("abcdefgh")


def test_optional_function(probe: loader.Plugin) -> None:
    """An optional function is there if the plugin has it; if not, the message says what and whose."""
    assert probe.present() == "present"
    assert not hasattr(probe, "extra")
    assert "extra" not in probe.functions
    with pytest.raises(AttributeError) as caught:
        probe.extra("x")
    assert str(caught.value) == "plugin probe does not have the optional function extra of probe 1.2"


def test_unknown_attribute(probe: loader.Plugin) -> None:
    """What the contract does not have is another message."""
    with pytest.raises(AttributeError, match=r"contract probe 1\.2 has no function gree"):
        probe.gree  # noqa: B018


def test_function_with_the_name_of_an_attribute(hidden: loader.Plugin) -> None:
    """An attribute of every Plugin wins over a function of its name, which is found in `functions`."""
    assert len(hidden.digest) == 64
    assert hidden.functions["digest"]() == "of the plugin"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/tt.so", "tt"),
        ("libtt.so", "tt"),
        ("libtt.so.1", "tt"),
        ("libtt.so.1.2.3", "tt"),
        ("tt.dll", "tt"),
        ("libtt.dylib", "tt"),
        ("lib.so", "lib"),
        (".so", ".so"),
        ("tt.song", "tt.song"),
        ("tt.cpython-311.so", "tt.cpython-311"),
        ("plain", "plain"),
    ],
)
def test_plugin_name(path: str, name: str) -> None:
    """A plugin's name is its file's, without "lib" and suffix."""
    assert plugin_name(path) == name


def test_given_name(hello: Path, greeter: loader.Contract) -> None:
    """A name of the caller's choice wins over the file's."""
    assert loader.load(hello, contract=greeter, name="friendly").name == "friendly"


# ---- Lifetime ----------------------------------------------------------------------------------------------


def test_plugin_outlives_its_names(probe_path: Path, probe_contract: loader.Contract) -> None:
    """A function works after everything else that belongs to its plugin was let go."""
    function = loader.load(probe_path, contract=probe_contract).echo
    gc.collect()
    assert function("still there") == "still there"
    assert function.plugin.name == "probe"


def test_plugin_is_freed(probe_path: Path, probe_contract: loader.Contract) -> None:
    """A Plugin and its functions refer to each other, and are freed all the same."""
    plugin = loader.load(probe_path, contract=probe_contract)
    inspect.signature(plugin.echo)
    watch = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert watch() is None


# ---- Logs --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("level", [10, 20, 30, 40])
def test_log(probe: loader.Plugin, caplog: pytest.LogCaptureFixture, level: int) -> None:
    """A plugin's lines arrive under its name and level."""
    with caplog.at_level(1, logger="loader.plugin.probe"):
        for line in ("first", "100 %s %d", "\u65e5\u672c\0", ""):
            assert probe.say(level, line.encode()) == "logged"
    assert [record.getMessage() for record in caplog.records] == ["first", "100 %s %d", "\u65e5\u672c\0", ""]
    assert {(record.name, record.levelno) for record in caplog.records} == {("loader.plugin.probe", level)}


def test_log_that_is_not_utf8(probe: loader.Plugin, caplog: pytest.LogCaptureFixture) -> None:
    """A line is shown as far as it can be."""
    with caplog.at_level(1, logger="loader.plugin.probe"):
        assert probe.say(20, b"caf\xe9!") == "logged"
    assert caplog.messages == ["caf\ufffd!"]


class Broken(logging.Handler):
    """A handler that fails with a given exception."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        """Fails."""
        raise self.error


@contextlib.contextmanager
def handler(error: BaseException) -> Iterator[None]:
    """Inside, logging from probe raises the exception."""
    broken = Broken(error)
    logger = logging.getLogger("loader.plugin.probe")
    logger.addHandler(broken)
    try:
        yield
    finally:
        logger.removeHandler(broken)


def test_log_handler_that_fails(probe: loader.Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that fails does not fail the plugin; Python reports it as what nobody can catch."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    error = RuntimeError("the disk is full")
    with handler(error):
        assert probe.say(40, b"line") == "logged"
    assert [each.exc_value for each in seen] == [error]


@pytest.mark.usefixtures("gil")
def test_interrupt_while_logging(probe: loader.Plugin) -> None:
    """An interrupt that arrives while a line is logged is not lost: it ends the call."""
    with handler(KeyboardInterrupt()):
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                probe.say(40, b"line")
    assert probe.none() == "none"
