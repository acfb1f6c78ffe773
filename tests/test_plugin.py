"""loader/plugin.py and the C caller: arguments, results, failures, threads of a plugin's functions."""

from __future__ import annotations

import array
import contextlib
import gc
import inspect
import logging
import mmap
import sys
import threading
import types
from collections import UserDict, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loader
from loader.errors import CallCancelled, DeadlineExceeded, PluginError
from loader.plugin import plugin_name

Build = Callable[..., Path]

FRESH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@contextlib.contextmanager
def gil(kept: bool) -> Iterator[None]:
    """Inside, calls keep the GIL, unless they look slow, or let it go."""
    with contextlib.nullcontext() if kept else loader.deadline(3600):
        yield


GIL = pytest.mark.parametrize("kept", [True, False], ids=["GIL kept", "GIL released"])


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


def test_function_with_the_name_of_an_attribute(probe: loader.Plugin) -> None:
    """An attribute of every Plugin wins over a function of its name, which is found in `functions`."""
    assert len(probe.digest) == 64
    assert probe.functions["digest"]() == "of the plugin"


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


# ---- Arguments: integers -----------------------------------------------------------------------------------

WIDTHS = [(8, True), (8, False), (16, True), (16, False), (32, True), (32, False), (64, True), (64, False)]
COUNTS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight"]


def extremes(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest number of a width."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


@GIL
@pytest.mark.parametrize("count", range(9))
def test_every_number_of_parameters(probe: loader.Plugin, count: int, kept: bool) -> None:
    """0 to 8 parameters arrive in order, each with all its bits."""
    function = probe.functions[COUNTS[count]]
    with gil(kept):
        for place in (0, 1):
            values = [extremes(*width)[place] for width in WIDTHS[:count]]
            for _ in range(3):
                assert function(*values) == (" ".join(map(str, values)) or "none")


@given(st.tuples(*(st.integers(*extremes(*width)) for width in WIDTHS)))
@FRESH
def test_integers(probe: loader.Plugin, values: tuple[int, ...]) -> None:
    """Integers of every width and sign arrive as they are."""
    assert probe.eight(*values) == " ".join(map(str, values))


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("beyond", [-1, 1, 2**64])
def test_integers_that_do_not_fit(probe: loader.Plugin, place: int, beyond: int) -> None:
    """A number beyond a parameter's width is an OverflowError that names function, parameter and width."""
    bits, signed = WIDTHS[place]
    least, most = extremes(bits, signed)
    values = [0] * 8
    values[place] = least - 1 if beyond < 0 else most + beyond
    with pytest.raises(OverflowError) as caught:
        probe.eight(*values)
    sign = "a signed" if signed else "an unsigned"
    assert str(caught.value) == f"eight(): {'abcdefgh'[place]} does not fit {sign} integer of {bits} bits"


def test_integer_from_what_is_like_one(probe: loader.Plugin) -> None:
    """What has __index__ is an integer; True is 1."""

    class Seven:
        def __index__(self) -> int:
            return 7

    assert probe.two(Seven(), True) == "7 1"


@pytest.mark.parametrize("value", ["1", 1.0, None, b"1", [1]])
def test_integer_from_what_is_none(probe: loader.Plugin, value: object) -> None:
    """Nothing is turned into an integer silently."""
    with pytest.raises(TypeError) as caught:
        probe.one(value)
    assert str(caught.value) == f"one(): a is an int, not {type(value).__name__}"


# ---- Arguments: text and bytes -----------------------------------------------------------------------------


class Text(str):
    """A str subclass."""

    __slots__ = ()


@GIL
@pytest.mark.parametrize(
    "text", ["", "x", "ASCII", "na\u00efve", "\0", "a\0b", "\u65e5\u672c", "\U0001f600", "\x7f\x80\u07ff\u0800\uffff\U0010ffff"]
)
def test_text(probe: loader.Plugin, text: str, kept: bool) -> None:
    """Text arrives and comes back as it is: empty, with NUL, beyond ASCII, beyond the BMP."""
    with gil(kept):
        for _ in range(3):
            assert probe.echo(text) == text
            assert probe.echo(Text(text)) == text
            assert probe.encode(text) == text.encode()


@given(st.text())
@FRESH
def test_any_text(probe: loader.Plugin, text: str) -> None:
    """Any text makes the round trip."""
    assert probe.echo(text) == text
    assert type(probe.echo(text)) is str


@given(st.binary())
@FRESH
def test_any_bytes(probe: loader.Plugin, data: bytes) -> None:
    """Any bytes make the round trip, from whichever object."""
    assert probe.echo_bytes(data) == probe.echo_bytes(bytearray(data)) == probe.echo_bytes(memoryview(data)) == data
    assert type(probe.echo_bytes(data)) is bytes


@given(st.binary())
@FRESH
def test_any_answer(probe: loader.Plugin, data: bytes) -> None:
    """What a plugin says is text is text if, and only if, Python's own decoder says so; the offset is its."""
    try:
        expected = data.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(PluginError, match=rf"wrote invalid UTF-8 at byte {error.start} of its answer"):
            probe.decode(data)
    else:
        assert probe.decode(data) == expected


@GIL
@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f600"])
@pytest.mark.parametrize("size", [0, 1, 2, 383, 384, 385, 639, 640, 641, 16383, 16384, 16385, 1 << 20])
def test_long_text(probe: loader.Plugin, letter: str, size: int, kept: bool) -> None:
    """Text of every length the caller treats differently makes the round trip."""
    text = letter * size
    with gil(kept):
        for _ in range(2):
            assert probe.echo(text) == text
            assert probe.encode(text) == text.encode()
            assert probe.echo_bytes(text.encode()) == text.encode()


@pytest.mark.parametrize("place", [0, 1, 63, 64, 65, 255, 256, 257, 1000, 99_999])
def test_invalid_answer_far_inside(probe: loader.Plugin, place: int) -> None:
    """One bad byte is found wherever it is."""
    data = bytearray(b"x" * 100_000)
    data[place] = 0xFF
    with pytest.raises(PluginError, match=rf"invalid UTF-8 at byte {place} of"):
        probe.decode(data)


def test_text_that_cannot_be_encoded(probe: loader.Plugin) -> None:
    """A str with a lone surrogate has no UTF-8: Python's own error, as from str.encode."""
    with pytest.raises(UnicodeEncodeError) as caught:
        probe.echo("bad \ud800")
    assert caught.value.start == 4


@pytest.mark.parametrize("value", [b"bytes", 1, None, ["x"], bytearray(b"x")])
def test_text_from_what_is_none(probe: loader.Plugin, value: object) -> None:
    """Bytes are not text, and nothing is turned into text silently."""
    with pytest.raises(TypeError) as caught:
        probe.echo(value)
    assert str(caught.value) == f"echo(): text is a str, not {type(value).__name__}"


@pytest.mark.parametrize("value", ["text", 1, None, [1]])
def test_bytes_from_what_is_none(probe: loader.Plugin, value: object) -> None:
    """Text is not bytes."""
    with pytest.raises(TypeError) as caught:
        probe.echo_bytes(value)
    assert str(caught.value) == f"echo_bytes(): data is bytes, not {type(value).__name__}"


def test_bytes_from_any_buffer(probe: loader.Plugin) -> None:
    """Whatever lends its memory contiguously is bytes, and is given back after the call."""
    for data in (array.array("B", b"array"), memoryview(b"xxview")[2:], memoryview(bytearray(b"rw")).toreadonly()):
        assert probe.echo_bytes(data) == bytes(data)
    assert probe.echo_bytes(array.array("i", [1, 2])) == array.array("i", [1, 2]).tobytes()
    with mmap.mmap(-1, 4096) as memory:
        memory[:4] = b"mmap"
        assert probe.echo_bytes(memory)[:5] == b"mmap\0"
    growing = bytearray(b"x")
    for _ in range(100):
        probe.echo_bytes(growing)
        growing += b"x"  # would raise BufferError if it were still lent
    with pytest.raises(BufferError, match="contiguous"):
        probe.echo_bytes(memoryview(b"abcdef")[::2])


# ---- Arguments: structs ------------------------------------------------------------------------------------

ITEM: dict[str, Any] = {
    "tiny": -128,
    "id": 2**64 - 1,
    "title": "a t\u00eftle\0",
    "flag": 255,
    "low": -(2**15),
    "high": 2**16 - 1,
    "blob": b"\x00\xff",
    "count": -(2**31),
    "weight": 0.1,
    "mask": 2**32 - 1,
    "offset": -(2**63),
}
ZERO: dict[str, Any] = {name: type(value)() for name, value in ITEM.items()}


def shown(item: dict[str, Any]) -> str:
    """What `show` writes for an item."""
    values = ZERO | item
    order = ["tiny", "id", "title", "flag", "low", "high", "blob", "count", "weight", "mask", "offset"]
    texts = []
    for name in order:
        value = values[name]
        if isinstance(value, bytes):
            texts.append(value.hex())
        elif isinstance(value, float):
            texts.append(f"{value:.17g}")
        else:
            texts.append(str(value).split("\0")[0])  # printf stops at NUL
    return "|".join(["96", *texts])


@dataclass(frozen=True)
class Plain:
    """An ordinary dataclass."""

    tiny: int = ITEM["tiny"]
    id: int = ITEM["id"]
    title: str = ITEM["title"]
    flag: int = ITEM["flag"]
    low: int = ITEM["low"]
    high: int = ITEM["high"]
    blob: bytes = ITEM["blob"]
    count: int = ITEM["count"]
    weight: float = ITEM["weight"]
    mask: int = ITEM["mask"]
    offset: int = ITEM["offset"]


@dataclass(frozen=True)
class Kept(loader.Record):
    """A Record: its native form is kept."""

    tiny: int = ITEM["tiny"]
    id: int = ITEM["id"]
    title: str = ITEM["title"]
    flag: int = ITEM["flag"]
    low: int = ITEM["low"]
    high: int = ITEM["high"]
    blob: bytes = ITEM["blob"]
    count: int = ITEM["count"]
    weight: float = ITEM["weight"]
    mask: int = ITEM["mask"]
    offset: int = ITEM["offset"]


@dataclass(frozen=True, slots=True)
class Point(loader.Record):
    """A Record with slots."""

    x: float
    y: float


Tuple = namedtuple("Tuple", ITEM)  # type: ignore[misc]  # noqa: PYI024


@pytest.mark.parametrize(
    "item",
    [
        Plain(),
        Kept(),
        ITEM,
        types.MappingProxyType(ITEM),
        UserDict(ITEM),
        types.SimpleNamespace(**ITEM),
        Tuple(**ITEM),
    ],
    ids=lambda item: type(item).__name__,
)
def test_struct_from(probe: loader.Plugin, item: object) -> None:
    """A struct is given as Record, dataclass, mapping, or anything that has the attributes."""
    for _ in range(3):
        assert probe.show(item) == shown(ITEM)


def test_struct_from_keywords(probe: loader.Plugin) -> None:
    """A struct's fields may be given by name, in place of the struct."""
    assert probe.show(**ITEM) == shown(ITEM)
    assert probe.show(id=5, title="x") == shown({"id": 5, "title": "x"})
    assert probe.show(item=ITEM) == shown(ITEM)
    assert probe.between("a", x=1, y=2, end=(Point(3, 4))) == "a 1,2 3,4"
    assert probe.between(x=1, label="a", end=Point(3, 4)) == "a 1,0 3,4"


def test_mapping_may_leave_fields_out(probe: loader.Plugin) -> None:
    """What a mapping does not have is 0 or empty."""
    assert probe.show({}) == shown({})
    assert probe.show({"weight": 2}) == shown({"weight": 2.0})
    assert probe.show(UserDict({"flag": 1})) == shown({"flag": 1})


def test_two_structs_of_one_layout(probe: loader.Plugin) -> None:
    """Two structs of one call do not get into each other's way; one may be given twice."""
    point = Point(1.5, -2)
    assert probe.between("p", point, point) == "p 1.5,-2 1.5,-2"
    assert probe.between("p", point, {"x": 1e300, "y": float("inf")}) == "p 1.5,-2 1e+300,inf"


items = st.fixed_dictionaries(
    {},
    optional={
        "tiny": st.integers(*extremes(8, True)),
        "id": st.integers(*extremes(64, False)),
        "title": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        "flag": st.integers(*extremes(8, False)),
        "low": st.integers(*extremes(16, True)),
        "high": st.integers(*extremes(16, False)),
        "blob": st.binary(),
        "count": st.integers(*extremes(32, True)),
        "weight": st.floats(allow_nan=False),
        "mask": st.integers(*extremes(32, False)),
        "offset": st.integers(*extremes(64, True)),
    },
)


@given(items)
@FRESH
def test_any_struct(probe: loader.Plugin, item: dict[str, Any]) -> None:
    """Structs arrive with every member in its place."""
    assert probe.show(item) == shown(item)
    assert probe.show(**item) == shown(item) if item else True
    assert probe.show(Kept(**(ZERO | item))) == shown(item)


@pytest.mark.parametrize(
    ("item", "error", "text"),
    [
        ({"tiny": 128}, OverflowError, "show(): tiny does not fit a signed integer of 8 bits"),
        ({"flag": -1}, OverflowError, "show(): flag does not fit an unsigned integer of 8 bits"),
        ({"high": 65536}, OverflowError, "show(): high does not fit an unsigned integer of 16 bits"),
        ({"offset": 2**63}, OverflowError, "show(): offset does not fit a signed integer of 64 bits"),
        ({"title": b"x"}, TypeError, "show(): title is a str, not bytes"),
        ({"title": None}, TypeError, "show(): title is a str, not NoneType"),
        ({"blob": "x"}, TypeError, "show(): blob is bytes, not str"),
        ({"blob": bytearray(b"x")}, TypeError, "show(): blob is bytes, not bytearray"),
        ({"count": 1.5}, TypeError, "show(): count is an int, not float"),
        ({"weight": "x"}, TypeError, "show(): weight is a float, not str"),
        ({"colour": 1}, TypeError, "show(): struct probe_item has no field 'colour'"),
        ({1: 2}, TypeError, "show(): struct probe_item has no field 1"),
        ({"size": 1}, TypeError, "show(): struct probe_item has no field 'size'"),
    ],
)
def test_struct_that_does_not_fit(
    probe: loader.Plugin, item: dict[Any, Any], error: type[Exception], text: str
) -> None:
    """A field that does not fit is named, and a field that is not there too."""
    with pytest.raises(error) as caught:
        probe.show(item)
    assert str(caught.value) == text


def test_struct_without_an_attribute(probe: loader.Plugin) -> None:
    """An object that lacks a field is refused with the field's name."""
    with pytest.raises(TypeError, match=r"show\(\): struct probe_item wants a field 'tiny', which Point does not have"):
        probe.show(Point(1, 2))
    with pytest.raises(TypeError, match="which int does not have"):
        probe.show(7)


def test_record_serves_two_layouts(probe: loader.Plugin) -> None:
    """A Record that was packed for one struct is packed anew for another."""

    @dataclass(frozen=True)
    class Both(Kept):
        x: float = 1.0
        y: float = 2.0

    both = Both()
    for _ in range(3):
        assert probe.show(both) == shown(ITEM)
        assert probe.between("b", both, both) == "b 1,2 1,2"


def test_record_is_kept_alive_by_itself(probe: loader.Plugin) -> None:
    """A Record's native form lives with it, and what it points to lives with that."""
    item = Kept(title="x" * 1000, blob=bytes(range(100)))
    expected = probe.show(item)
    gc.collect()
    assert probe.show(item) == expected
    again = probe.show(Kept(title="x" * 1000, blob=bytes(range(100))))
    assert again == expected


class Odd(Exception):
    """An exception that cannot be made of one text."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)


def test_errors_of_arguments_pass_through(probe: loader.Plugin) -> None:
    """What an argument's own code raises comes back as it was raised."""

    class Item:
        def __getattr__(self, name: str) -> Any:
            raise Odd(1, 2)

    class Number:
        def __index__(self) -> int:
            raise Odd(3, 4)

    class Mapping(UserDict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            raise Odd(5, 6)

    for call, args in (
        (lambda: probe.show(Item()), (1, 2)),
        (lambda: probe.one(Number()), (3, 4)),
        (lambda: probe.show(id=Number()), (3, 4)),
        (lambda: probe.show(Mapping({"id": 1})), (5, 6)),
    ):
        with pytest.raises(Odd) as caught:
            call()
        assert caught.value.args == args


# ---- Arguments: by name ------------------------------------------------------------------------------------


def test_keyword_arguments(probe: loader.Plugin) -> None:
    """Parameters may be given by name, in any order, mixed with positional ones."""
    assert probe.four(d=4, b=2, a=1, c=3) == "1 2 3 4"
    assert probe.four(1, 2, d=4, c=3) == "1 2 3 4"
    assert probe.four(*[1, 2], **{"c": 3, "d": 4}) == "1 2 3 4"
    assert probe.four(1, 2, 3, 4, **{}) == "1 2 3 4"


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "two() is called without a, b"),
        ((1,), {}, "two() is called without b"),
        ((), {"b": 1}, "two() is called without a"),
        ((1, 2, 3), {}, "two() takes 2 arguments, 3 were given"),
        ((1, 2), {"a": 1}, "two() got a twice"),
        ((1, 2), {"c": 1}, "two() has no parameter c"),
        ((1,), {"b": 1, "c": 1}, "two() has no parameter c"),
    ],
)
def test_wrong_arguments(probe: loader.Plugin, args: tuple[int, ...], kwargs: dict[str, int], text: str) -> None:
    """Arguments that do not fit are a TypeError that names function and parameter."""
    with pytest.raises(TypeError) as caught:
        probe.two(*args, **kwargs)
    assert str(caught.value) == text


def test_wrong_fields(probe: loader.Plugin) -> None:
    """Fields beside a struct that is given too, or that it does not have, are refused."""
    with pytest.raises(TypeError, match=r"between\(\) got a struct and fields of it"):
        probe.between("x", x=1, start=Point(0, 0), end=Point(0, 0))
    with pytest.raises(TypeError, match=r"between\(\) has no parameter x"):
        probe.between("x", Point(0, 0), Point(0, 0), x=1)
    with pytest.raises(TypeError, match=r"show\(\): struct probe_item has no field 'colour'"):
        probe.show(colour=1)
    with pytest.raises(TypeError, match=r"between\(\) is called without end"):
        probe.between("x", x=1, y=2)
    with pytest.raises(TypeError, match=r"show\(\) is called without item"):
        probe.show()


# ---- Results -----------------------------------------------------------------------------------------------

EDGES = (0, 1, 2, 63, 64, 384, 640, 1024, 2048, 4096, 16384)
SIZES = sorted({size for edge in EDGES for size in (edge - 2, edge - 1, edge, edge + 1, edge + 2) if size >= 0})


@GIL
@pytest.mark.parametrize("length", [0, 1, 383, 384, 385, 1000, 16384])
def test_output_grows(probe: loader.Plugin, length: int, kept: bool) -> None:
    """Output of every size around those where it moves is whole: in one piece or byte for byte, text or bytes."""
    text = "t" * length
    with gil(kept):
        for size in SIZES:
            expected = text + "x" * size
            for step in (1 << 40, 100, 1):
                assert probe.pad(text, size, step) == expected
                assert probe.pad_bytes(text, size, step) == expected.encode()
            assert probe.pad_wide(text, size) == text + "\u00e9" * size


@GIL
def test_large_output(probe: loader.Plugin, kept: bool) -> None:
    """Output of some megabytes, in small steps, from short and from long input."""
    with gil(kept):
        for text in ("", "t" * 100_000):
            assert probe.pad(text, 5_000_000, 997) == text + "x" * 5_000_000
            assert probe.pad_bytes(text, 5_000_000, 997) == (text + "x" * 5_000_000).encode()


def test_results_are_objects_of_their_own(probe: loader.Plugin) -> None:
    """Each call gives a new object that nobody writes to afterwards, and hashes as its text does."""
    texts = [probe.pad("", size, 1) for size in range(2000)]
    assert texts == ["x" * size for size in range(2000)]
    assert [probe.pad_bytes("", size, 1) for size in range(2000)] == [b"x" * size for size in range(2000)]
    assert hash(probe.pad("", 3, 1)) == hash("xxx")
    assert {probe.pad("y" * 400, 3, 1): 1}["y" * 400 + "xxx"] == 1


@pytest.mark.parametrize("most", [0, 1, 2, 63, 64, 65, 383, 384, 640, 641, 1000, 5000, 20_000])
@pytest.mark.parametrize("length", [0, 1, 100, 384, 385, 640, 1000, 16_384])
@GIL
def test_max_output(
    probe_path: Path, probe_contract: loader.Contract, most: int, length: int, kept: bool
) -> None:
    """max_output is the limit to the byte, whatever the input: one more is an error with a clear text."""
    plugin = loader.load(probe_path, contract=probe_contract, max_output=most)
    text = "t" * length
    with gil(kept):
        for step in (1 << 40, 7):
            if length <= most:
                assert plugin.pad(text, most - length, step) == text + "x" * (most - length)
                assert plugin.pad_bytes(text, most - length, step) == (text + "x" * (most - length)).encode()
            for function in (plugin.pad, plugin.pad_bytes):
                with pytest.raises(PluginError, match="its output is longer than the host allows") as caught:
                    function(text, max(most - length, 0) + 1, step)
                assert caught.value.status == 2


@pytest.mark.parametrize("more", [1, 1000, 2**40])
def test_plugin_that_commits_more_than_it_has(probe: loader.Plugin, more: int) -> None:
    """A plugin that says it wrote beyond its room is an error: what lies there is not its output."""
    for function in (
        lambda: probe.overrun(more),
        lambda: probe.overrun_bytes("", more),
        lambda: probe.overrun_bytes("x" * 1000, more),
    ):
        with pytest.raises(PluginError, match="outside of its room"):
            function()


# ---- Failures ----------------------------------------------------------------------------------------------

STATUSES = {
    1: (PluginError, "plugin probe failed in fail"),
    2: (PluginError, "plugin probe ran out of memory or room for its output in fail"),
    3: (PluginError, "plugin probe refused an argument in fail"),
    4: (CallCancelled, "plugin probe stopped because it was cancelled in fail"),
    5: (DeadlineExceeded, "plugin probe stopped because its deadline had passed in fail"),
    6: (PluginError, "plugin probe panicked in fail"),
    7: (PluginError, "plugin probe returned the unknown status 7 in fail"),
    -1: (PluginError, "plugin probe returned the unknown status -1 in fail"),
    2**31 - 1: (PluginError, "plugin probe returned the unknown status 2147483647 in fail"),
    -(2**31): (PluginError, "plugin probe returned the unknown status -2147483648 in fail"),
}


@GIL
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("message", ["", "no such post", "\u65e5\u672c\0"])
def test_every_status(probe: loader.Plugin, status: int, message: str, kept: bool) -> None:
    """Every status becomes one exception, with status, text, plugin, function and file; output is thrown away."""
    kind, what = STATUSES[status]
    with gil(kept):
        for _ in range(2):
            with pytest.raises(PluginError) as caught:
                probe.fail(status, message.encode())
            error = caught.value
            assert type(error) is kind
            assert error.what == (f"{what}: {message}" if message else what)
            assert (error.status, error.message) == (status, message)
            assert (error.plugin, error.function, error.path) == ("probe", "fail", probe.path)
            assert str(error) == f"{probe.path}: {error.what}"
            assert error.__cause__ is None
    assert probe.none() == "none"


def test_status_ok_with_a_message(probe: loader.Plugin) -> None:
    """Success is what is returned: a text that was set and left is no error."""
    assert probe.fail(0, b"never mind") == "half"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"\xff" * 3, "\ufffd" * 3),
        (b"\x80abc", "\ufffdabc"),
    ],
)
def test_error_text_that_is_not_utf8(probe: loader.Plugin, message: bytes, text: str) -> None:
    """An error's text is shown as far as it can be."""
    with pytest.raises(PluginError) as caught:
        probe.fail(1, message)
    assert caught.value.message == text


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u65e5", "\U0001f600"])
def test_long_error_text(probe: loader.Plugin, letter: str) -> None:
    """An error's text is cut at 64 KiB, between characters."""
    with pytest.raises(PluginError) as caught:
        probe.fail(1, (letter * (1 << 20)).encode())
    most = 65536 // len(letter.encode())
    assert caught.value.message == letter * most


def test_error_text_made_of_the_calls_own(probe: loader.Plugin) -> None:
    """A plugin may make its error text of the one that the call holds."""
    with pytest.raises(PluginError) as caught:
        probe.fail_again("first")
    assert caught.value.message == "[first]"
    for start in range(6):
        with pytest.raises(PluginError) as caught:
            probe.fail_with_own("first", start)
        assert (caught.value.message, caught.value.status) == ("first"[start:], 3)


# ---- Logs --------------------------------------------------------------------------------------------------


@GIL
@pytest.mark.parametrize("level", [10, 20, 30, 40])
def test_log(probe: loader.Plugin, caplog: pytest.LogCaptureFixture, level: int, kept: bool) -> None:
    """A plugin's lines arrive under its name and level."""
    with caplog.at_level(1, logger="loader.plugin.probe"), gil(kept):
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


@GIL
def test_interrupt_while_logging(probe: loader.Plugin, kept: bool) -> None:
    """An interrupt that arrives while a line is logged is not lost: it ends the call."""
    with handler(KeyboardInterrupt()), gil(kept):
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                probe.say(40, b"line")
    assert probe.none() == "none"


# ---- Threads -----------------------------------------------------------------------------------------------


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Runs work(0) … work(count - 1) in threads; their results, or the first exception."""
    results: list[Any] = [None] * count
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def meetings(probe: loader.Plugin, text: str = "") -> list[str]:
    """Meets another thread in the plugin 30 times. Both would wait for ever if a call kept the GIL."""
    return [probe.meet(text, 2) for _ in range(30)]


@pytest.fixture
def quick(probe: loader.Plugin) -> loader.Plugin:
    """A probe whose `meet` was seen to be quick. The next 60 calls are not timed, so nothing looks slow."""
    probe.meet("", 1)
    return probe


def test_gil_is_released_under_a_limit(quick: loader.Plugin) -> None:
    """Two calls under a deadline are in the plugin at once: each waits there for the other."""

    def work(_: int) -> list[str]:
        with loader.deadline(60):
            return meetings(quick)

    assert together(2, work) == [["met"] * 30] * 2


def test_gil_is_released_for_long_input(quick: loader.Plugin) -> None:
    """Two calls with long input are in the plugin at once."""
    assert together(2, lambda _: meetings(quick, "x" * 16384)) == [["met"] * 30] * 2


def test_gil_is_released_for_plugins_that_talk(quick: loader.Plugin, caplog: pytest.LogCaptureFixture) -> None:
    """A plugin that has called into Python once may need to again while others wait: the GIL is let go."""
    with caplog.at_level(1, logger="loader.plugin.probe"):
        quick.say(20, b"hello")
    assert quick.owner.talks
    assert together(2, lambda _: meetings(quick)) == [["met"] * 30] * 2


def test_gil_is_released_for_slow_functions(probe: loader.Plugin) -> None:
    """A function that takes long lets other calls of it in, the very first ones included."""
    results = together(2, lambda _: [probe.meet_slowly(2) for _ in range(200)])
    assert results == [["met"] * 200] * 2


def test_many_threads(probe: loader.Plugin) -> None:
    """Calls from many threads at once give each its own result."""

    def work(number: int) -> int:
        for turn in range(1500):
            text = f"{number}-{turn}" * (1 + turn % 200)
            assert probe.echo(text) == text
            assert probe.encode(text) == text.encode()
            assert probe.two(number, turn % 256) == f"{number} {turn % 256}"
            with pytest.raises(PluginError) as caught:
                probe.fail(1, text.encode())
            assert caught.value.message == text
        return number

    assert together(8, work) == list(range(8))


def test_one_record_in_many_threads(probe: loader.Plugin) -> None:
    """A Record may be passed by several threads at once, also for the first time."""
    for _ in range(50):
        item = Kept()
        assert together(4, lambda _, item=item: probe.show(item)) == [shown(ITEM)] * 4


def test_plugin_outlives_its_names(probe_path: Path, probe_contract: loader.Contract) -> None:
    """A function works after everything else that belongs to its plugin was let go."""
    function = loader.load(probe_path, contract=probe_contract).echo
    gc.collect()
    assert function("still there") == "still there"
    assert function.plugin.name == "probe"


def test_plugin_is_freed(probe_path: Path, probe_contract: loader.Contract) -> None:
    """A Plugin and its functions refer to each other, and are freed all the same."""
    import weakref

    plugin = loader.load(probe_path, contract=probe_contract)
    inspect.signature(plugin.echo)
    watch = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert watch() is None
