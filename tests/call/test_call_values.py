"""The C caller: integers, text and bytes on their way to a plugin and back."""

from __future__ import annotations

import array
import mmap
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.errors import PluginError

if TYPE_CHECKING:
    import loader

pytestmark = pytest.mark.usefixtures("placement")

FRESH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

# ---- Arguments: integers -----------------------------------------------------------------------------------

WIDTHS = [(8, True), (8, False), (16, True), (16, False), (32, True), (32, False), (64, True), (64, False)]
COUNTS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight"]


def extremes(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest number of a width."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("count", range(9))
def test_every_number_of_parameters(probe: loader.Plugin, count: int) -> None:
    """0 to 8 parameters arrive in order, each with all its bits."""
    function = probe.functions[COUNTS[count]]
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
    assert str(caught.value) == f"one(): a must be an int, not {type(value).__name__}"


# ---- Arguments: text and bytes -----------------------------------------------------------------------------


class Text(str):
    """A str subclass."""

    __slots__ = ()


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ASCII",
        "na\u00efve",
        "\0",
        "a\0b",
        "\u65e5\u672c",
        "\U0001f600",
        "\x7f\x80\u07ff\u0800\uffff\U0010ffff",
    ],
)
def test_text(probe: loader.Plugin, text: str) -> None:
    """Text arrives and comes back as it is: empty, with NUL, beyond ASCII, beyond the BMP."""
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


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f600"])
@pytest.mark.parametrize("size", [0, 1, 2, 383, 384, 385, 639, 640, 641, 16383, 16384, 16385, 1 << 20])
def test_long_text(probe: loader.Plugin, letter: str, size: int) -> None:
    """Text of every length the caller treats differently makes the round trip."""
    text = letter * size
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
    assert str(caught.value) == f"echo(): text must be a str, not {type(value).__name__}"


@pytest.mark.parametrize("value", ["text", 1, None, [1]])
def test_bytes_from_what_is_none(probe: loader.Plugin, value: object) -> None:
    """Text is not bytes."""
    with pytest.raises(TypeError) as caught:
        probe.echo_bytes(value)
    assert str(caught.value) == f"echo_bytes(): data must be bytes, not {type(value).__name__}"


def test_bytes_from_any_buffer(probe: loader.Plugin) -> None:
    """Whatever lends its memory contiguously is bytes, and is given back after the call."""
    for data in (
        array.array("B", b"array"),
        memoryview(b"xxview")[2:],
        memoryview(bytearray(b"rw")).toreadonly(),
    ):
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
