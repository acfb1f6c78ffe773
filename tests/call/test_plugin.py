"""loader/plugin.py: what a Plugin and its functions are, and their lines in the log."""

from __future__ import annotations

import contextlib
import copy
import gc
import inspect
import logging
import pickle
import pydoc
import sys
import weakref
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

import pytest

import loader
from loader.plugin import address_of
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

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
    """A function is a builtin with name, docstring and signature; what C knows of it has the types."""
    plugin = loader.load(hello, contract=greeter)
    function = plugin.greet
    assert type(function) is BuiltinFunctionType
    assert function.__name__ == "greet"
    assert function.__doc__ is not None
    assert function.__doc__.startswith("Writes a greeting for `name`")
    assert str(inspect.signature(function)) == "(name)"
    assert repr(function).startswith("<built-in method greet of ")
    behind = function.__self__
    assert behind.__name__ == behind.__qualname__ == "greet"
    assert behind.__doc__ == function.__doc__
    assert str(inspect.signature(behind)) == "(name: str) -> str"
    assert inspect.signature(behind) == inspect.signature(behind)
    assert repr(behind) == "<function greet of plugin hello>"
    assert behind.plugin is plugin
    assert callable(behind)
    assert behind("World") == function("World") == function(name="World")


def test_help(hello: Path, greeter: loader.Contract) -> None:
    """help() shows a function as it shows those of Python."""
    text = pydoc.plain(pydoc.render_doc(loader.load(hello, contract=greeter).greet))
    assert "greet(name)" in text
    assert "Writes a greeting for `name`" in text


@pytest.mark.in_process("addresses")
@pytest.mark.parametrize("name", ["address", "builtin", "plugin"])
def test_functions_of_any_name(build: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """A function may be called as what C knows of it is: it pickles, and its address is found."""
    header = tmp_path / "named.h"
    header.write_text(
        '#include "loader/plugin.h"\nLOADER_CONTRACT(named, 1, 0);\n'
        f"LOADER_BEGIN_C\nLOADER_EXPORT int {name}(loader_call *call);\nLOADER_END_C\n"
    )
    source = tmp_path / "named.c"
    source.write_text(
        f'#include "named.h"\nint {name}(loader_call *call) {{ return loader_write_string(call, "it"); }}\n'
    )
    plugin = loader.load(
        build(source, name=f"named_{name}", flags=["-I", str(tmp_path)]), contract=loader.Contract.from_header(header)
    )
    function = plugin.functions[name]
    assert function() == "it"
    assert pickle.loads(pickle.dumps(function))() == "it"
    assert isinstance(address_of(function), int)


def test_copies_and_pickles(hello: Path, greeter: loader.Contract) -> None:
    """A function is its own copy, pickles by its plugin, and so does what C knows of it."""
    plugin = loader.load(hello, contract=greeter)
    assert copy.copy(plugin.greet) is copy.deepcopy(plugin.greet) is plugin.greet
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(plugin.greet, protocol))
        assert type(again) is BuiltinFunctionType
        assert again("World") == plugin.greet("World")
        behind = pickle.loads(pickle.dumps(plugin.greet.__self__, protocol))
        assert type(behind) is type(plugin.greet.__self__)


@pytest.mark.in_process("addresses")
def test_address(hello: Path, greeter: loader.Contract) -> None:
    """Engines ask for a function's address; it is that of its copies too."""
    function = loader.load(hello, contract=greeter).greet
    assert function.__self__.address == address_of(function) == address_of(pickle.loads(pickle.dumps(function)))


def test_outlives_its_plugin(hello: Path, greeter: loader.Contract) -> None:
    """A function that is kept works when nothing else of its plugin is; without it all of them go."""
    function = loader.load(hello, contract=greeter).greet
    gone = weakref.ref(function)
    gc.collect()
    assert function("World") == function.__self__("World")
    del function
    gc.collect()
    assert gone() is None


def test_signature_of_every_kind(probe: loader.Plugin) -> None:
    """inspect.signature has the contract's names, and Python's types for its kinds."""
    signatures = {name: str(inspect.signature(each.__self__)) for name, each in probe.functions.items()}
    assert signatures["none"] == "() -> str"
    assert signatures["echo_bytes"] == "(data: bytes) -> bytes"
    assert signatures["pad"] == "(text: str, count: int, step: int) -> str"
    assert signatures["between"] == "(label: str, start: Any, end: Any) -> str"
    assert str(inspect.signature(probe.none)) == "()"
    assert str(inspect.signature(probe.between)) == "(label, start, end)"
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
    with pytest.raises(AttributeError, match=r"contract probe 1\.2 has no function gree") as caught:
        probe.gree  # noqa: B018
    assert str(caught.value).count("Did you mean") == 1
    assert (caught.value.name, caught.value.obj) == ("gree", None)  # Python would ask a second time by obj


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
    assert function.__self__.plugin.name == "probe"


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
