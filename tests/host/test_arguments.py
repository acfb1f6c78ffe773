"""What public functions are given and cannot mean anything: an error at once, which says what would be right."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import PLUGINS

import loader
from loader.errors import ServiceError
from loader.htmlize import Htmlizer

NO_LIMIT = [
    -1,
    -(1 << 70),
    True,
    False,
    math.nan,
    math.inf,
    1.5,
    100.0,
    sys.maxsize + 1,
    1 << 70,
    "100",
    b"1",
    [],
    (),
]


@pytest.mark.parametrize("value", NO_LIMIT, ids=repr)
def test_max_output(greeter: loader.Contract, hello: Path, value: object) -> None:
    """Negative numbers, bools, floats, NaN and text are no number of bytes, wherever it is asked for."""
    makers: list[Callable[[], object]] = [
        lambda: loader.Host(greeter, max_output=value),  # type: ignore[arg-type]
        lambda: loader.load(hello, contract=greeter, max_output=value),  # type: ignore[arg-type]
        lambda: loader.load("/there/is/none.so", contract=greeter, max_output=value),  # type: ignore[arg-type]
        lambda: Htmlizer([], max_output=value),  # type: ignore[arg-type]
        lambda: setattr(loader.Host(greeter), "max_output", value),
    ]
    for make in makers:
        with pytest.raises(
            ValueError, match=r"^max_output is None or a whole number of bytes from 0 to \d+, not "
        ) as caught:
            make()
        assert repr(value) in str(caught.value)


def test_max_output_that_is_one(greeter: loader.Contract, hello: Path) -> None:
    """0, the largest number, None, and what has __index__ are taken; a host's can be changed for what comes."""

    class Number:
        def __index__(self) -> int:
            return 5

    host = loader.Host(greeter, max_output=Number())  # type: ignore[arg-type]
    assert host.max_output == 5
    with pytest.raises(loader.PluginError, match="room for its output"):
        host.load(hello, name="small").greet("you")
    for value in (sys.maxsize, None):
        host.max_output = value
        assert host.load(hello, name=f"name{value}").greet("you") == "Hello, you!"
    host.max_output = 0
    with pytest.raises(loader.PluginError, match="room for its output"):
        host.load(hello, name="none").greet("you")


@pytest.fixture(scope="module")
def app() -> Htmlizer:
    """With the plugins that ship."""
    return Htmlizer()


@pytest.mark.parametrize("value", ["skip", "Keep", "keep ", "", None, 0, True, b"keep"], ids=repr)
@pytest.mark.parametrize("text", ["plain", b"plain", "", ":tt:`pie`"])
def test_plugin_errors(app: Htmlizer, text: str | bytes, value: object) -> None:
    """Another word than raise and keep is refused, also where no plugin is asked or none fails."""
    with pytest.raises(ValueError, match=r"^plugin_errors is 'raise' or 'keep', not ") as caught:
        app.htmlize(text, plugin_errors=value)  # type: ignore[arg-type]
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["replce", "Strict", "", None, 1, "keep"], ids=repr)
@pytest.mark.parametrize("text", ["plain", b"plain", "", "\udc80", b"\xff"])
def test_errors(app: Htmlizer, text: str | bytes, value: object) -> None:
    """A name that no codec knows is refused, also where the text is valid and nothing has to be replaced."""
    with pytest.raises(ValueError, match=r"^errors is 'strict', 'replace', .* not ") as caught:
        app.htmlize(text, errors=value)  # type: ignore[arg-type]
    assert repr(value) in str(caught.value)


def test_both_words_as_they_should_be(app: Htmlizer) -> None:
    """What there is goes on as before."""
    for errors in ("strict", "replace", "ignore", "backslashreplace"):
        for plugin_errors in ("raise", "keep"):
            assert app.htmlize("plain", errors=errors, plugin_errors=plugin_errors) == app.htmlize("plain")  # type: ignore[arg-type]
    assert app.htmlize("a\udc80", errors="replace") == app.htmlize("a?")


@pytest.mark.parametrize("value", [-1, True, False], ids=repr)
def test_descriptors_of_crash_reports(value: int) -> None:
    """A bool or a negative number is no descriptor, which would be standard output or nothing."""
    for function in (loader.crash.enable, loader.crash.read_report):
        with pytest.raises(ValueError, match="a descriptor of one from 0 on"):
            function(value)


@pytest.mark.parametrize("value", [0, -1, 1 << 64], ids=repr)
def test_addresses_of_services(value: int) -> None:
    """NULL, a negative number and one that no pointer holds are no table."""
    host = loader.Host(loader.Contract.from_header(PLUGINS / "lend.h"))
    with pytest.raises(ServiceError, match="expected the address of a table"):
        host.provide("some.table/1", value)
