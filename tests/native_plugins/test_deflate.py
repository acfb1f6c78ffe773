"""native_plugins/deflate: zlib through a contract with classes, against Python's own module zlib."""

from __future__ import annotations

import gzip
import random
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree import ROOT

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

HERE = ROOT / "native_plugins" / "deflate"
_ANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WBITS = {"DEFLATE_RAW": -15, "DEFLATE_ZLIB": 15, "DEFLATE_GZIP": 31}


@pytest.fixture(scope="module")
def contract() -> loader.Contract:
    """The contract deflate."""
    return loader.Contract.from_header(HERE / "deflate.h")


@pytest.fixture(scope="module")
def streams(build: Callable[..., Path], contract: loader.Contract, placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin."""
    return loader.load(build(HERE / "deflate.c", flags=["-lz"]), contract=contract)


def compressed(streams: loader.Plugin, chunks: Iterable[bytes], level: int, way: Any) -> bytes:
    """All chunks as one stream."""
    with streams.deflater(level, way) as stream:
        return b"".join([*map(stream.feed, chunks), stream.finish()])


@_ANY
@given(chunks=st.lists(st.binary(max_size=500), max_size=8), level=st.integers(0, 9), name=st.sampled_from([*WBITS]))
def test_it_is_what_zlib_does(
    streams: loader.Plugin, contract: loader.Contract, chunks: list[bytes], level: int, name: str
) -> None:
    """What comes out is byte for byte what Python's zlib gives, and comes back in pieces of any size."""
    way = contract.deflate_format[name]
    made = zlib.compressobj(level, wbits=WBITS[name])
    wanted = b"".join([*map(made.compress, chunks), made.flush()])
    found = compressed(streams, chunks, level, way)
    assert found == wanted
    with streams.inflater(way) as stream:
        out = b"".join(stream.feed(found[at : at + 7]) for at in range(0, len(found), 7))
        assert out == b"".join(chunks)
        assert stream.state() == (1, len(out))


def test_long_chunks(streams: loader.Plugin, contract: loader.Contract) -> None:
    """Output of many windows, from one chunk."""
    data = random.Random(7).randbytes(1_000_000) + bytes(3_000_000)
    packed = compressed(streams, [data], 6, contract.deflate_format.DEFLATE_GZIP)
    assert gzip.decompress(packed) == data
    with streams.inflater(contract.deflate_format.DEFLATE_GZIP) as stream:
        assert stream.feed(packed + b"behind the end") == data
        assert stream.feed(b"more") == b""


def test_what_is_wrong_is_said(streams: loader.Plugin, contract: loader.Contract) -> None:
    """Bad data, a level that there is not, a stream that is finished: zlib's words, and the stream can be closed."""
    way = contract.deflate_format.DEFLATE_ZLIB
    with pytest.raises(loader.PluginError, match="level 10 is not 0 to 9"):
        streams.deflater(10, way)
    with streams.inflater(way) as stream, pytest.raises(loader.PluginError, match="incorrect header check"):
        stream.feed(b"no zlib at all")
    with streams.deflater(6, way) as packer:
        packer.finish()
        with pytest.raises(loader.PluginError, match="the stream is finished"):
            packer.feed(b"x")


def test_a_bomb_ends_at_the_hosts_limit(
    streams: loader.Plugin, contract: loader.Contract, build: Callable[..., Path]
) -> None:
    """A few bytes that grow without end stop where the host says; a deadline ends it too."""
    way = contract.deflate_format.DEFLATE_ZLIB
    bomb = zlib.compress(bytes(100_000_000), 9)
    small = loader.Host(contract, max_output=1_000_000).load(build(HERE / "deflate.c", flags=["-lz"]))
    with small.inflater(way) as stream, pytest.raises(loader.PluginError, match="room for its output"):
        stream.feed(bomb)
    with streams.inflater(way) as stream, pytest.raises(loader.DeadlineExceeded), loader.deadline(0.001):
        stream.feed(bomb)


def test_threads_with_streams_of_their_own(streams: loader.Plugin, contract: loader.Contract) -> None:
    """State is in the instance, so streams do not meet."""
    wrong: list[int] = []

    def run(number: int) -> None:
        data = random.Random(number).randbytes(200_000)
        chunks = [data[at : at + 1000] for at in range(0, len(data), 1000)]
        packed = compressed(streams, chunks, 6, contract.deflate_format.DEFLATE_ZLIB)
        if zlib.decompress(packed) != data:
            wrong.append(number)

    threads = [threading.Thread(target=run, args=(each,)) for each in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
