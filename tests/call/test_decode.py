"""_core/text/decode.c: what a plugin wrote as text, as a str; the same as Python's own decoder, or an error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import loader

pytestmark = pytest.mark.usefixtures("placement")

#: Hexadecimal: both sides of each edge of what is well-formed.
_EDGES = "61 7f 80 bf c1bf c280 c3bf c480 dfbf e09fbf e0a080 ed9fbf eda080 ee8080 efbfbf f08fbfbf f0908080 f48fbfbf "
_EDGES += "f4908080 f5808080 ff 3132333435363738 e282"
_PIECES = st.sampled_from([bytes.fromhex(edge) for edge in _EDGES.split()])


@pytest.fixture(scope="module")
def decoder(probe_path: Path, probe_contract: loader.Contract, placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin probe, the same for all examples."""
    return loader.load(probe_path, contract=probe_contract)


@given(text=st.text(max_size=220))
def test_text_of_all_lengths(decoder: loader.Plugin, text: str) -> None:
    """Well-formed text of any script and length is that text, in a str of the kind that Python would make."""
    found = decoder.decode(text.encode("utf-8", "replace"))
    wanted = text.encode("utf-8", "replace").decode()
    assert (found, sys.getsizeof(found)) == (wanted, sys.getsizeof(wanted))


@given(pieces=st.lists(_PIECES, max_size=60))
def test_what_python_refuses_is_refused(decoder: loader.Plugin, pieces: list[bytes]) -> None:
    """Bytes at the edges of what is well-formed are text for both decoders, or for none."""
    data = b"".join(pieces)
    try:
        wanted = data.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(loader.PluginError, match=f"invalid UTF-8 at byte {error.start} of its answer"):
            decoder.decode(data)
    else:
        assert decoder.decode(data) == wanted


@pytest.mark.parametrize(
    "text", ["é", "ÿ" * 20, "Привет", "日本語", "a😀", "\0é\0", "é" * 80, "é" * 81, "x" * 159 + "é"]
)
def test_kinds_of_str(probe: loader.Plugin, text: str) -> None:
    """Each kind of str, one character, NUL, and both sides of the length from which Python decodes."""
    found = probe.decode(text.encode())
    assert (found, hash(found), found.isprintable()) == (text, hash(text), text.isprintable())


@pytest.mark.parametrize("size", [1023, 1024, 1025, 1151, 1152, 1183, 5000, 1 << 20])
@pytest.mark.parametrize("at", [None, 0, 31, 32, 500, -3, -2])
@pytest.mark.parametrize("before", [0, 1, 7])
def test_long_writes(probe: loader.Plugin, size: int, at: int | None, before: int) -> None:
    """What the host copies itself is ASCII or not, wherever the one other character is."""
    data = bytearray(b"0123456789abcdef" * (size // 16 + 1))[: size + before][before:] + bytes(before)
    if at is not None:
        at = at if at >= 0 else len(data) + at
        data[at : at + 2] = "é".encode()
    assert probe.decode(memoryview(data)) == data.decode()


@pytest.mark.parametrize("count", [0, 1, 2000])
def test_long_write_and_short_ones(probe: loader.Plugin, count: int) -> None:
    """A long piece that is ASCII, and short ones behind it that are not."""
    assert probe.pad_wide("a" * 1500, count) == "a" * 1500 + "é" * count
