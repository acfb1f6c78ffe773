"""The codec in five languages: one suite for all. native_plugins/codec/README.md says what each function does.

The plugins are built by CMake from the bindings that are committed, as where there is no Python.
"""

from __future__ import annotations

import array
import gc
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import ROOT

import loader
from loader.image import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

CODEC = ROOT / "native_plugins" / "codec"
LANGUAGES = ("c", "cpp", "rust", "go", "zig")
TOOLS = {"rust": "cargo", "go": "go", "zig": "zig, or PyPI's ziglang,"}
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("placement")]


@pytest.fixture(scope="module")
def codec() -> loader.Contract:
    """The contract."""
    return loader.Contract.from_header(CODEC / "codec.h")


@pytest.fixture(scope="module", params=LANGUAGES)
def path(request: pytest.FixtureRequest, cmake_build: Path) -> Path:
    """The plugin in one language. Without its toolchain the tests are skipped, or fail where CI is set."""
    name = f"codec_{request.param}"
    targets = _run(["cmake", "--build", str(cmake_build), "--target", "help"])
    if name not in targets.replace(":", " ").split():
        reason = f"{TOOLS.get(request.param, 'a C compiler')} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    _run(["cmake", "--build", str(cmake_build), "--target", name, "--parallel", "2"])
    return cmake_build / "plugins" / "codec" / f"{name}{SUFFIX}"


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


@pytest.fixture(scope="module")
def plugin(path: Path, codec: loader.Contract, placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """It, loaded."""
    return loader.load(path, contract=codec)


def doubles(*values: float) -> array.array[float]:
    """A buffer of them."""
    return array.array("d", values)


def matrix(rows: int, columns: int, values: list[float] | None = None) -> memoryview:
    """A tensor of double of two dimensions."""
    flat = doubles(*(values or [0.0] * (rows * columns)))
    return memoryview(flat).cast("B").cast("d", (rows, columns))


# ---- What the header promises -----------------------------------------------------------------------------


def test_a_number_times_a_number(plugin: Any) -> None:
    """A double and a float by value, a double back; NaN, infinity and the sign of zero arrive."""
    assert plugin.scale(2.0, 1.5) == 3.0
    assert math.isnan(plugin.scale(math.nan, 1.0))
    assert plugin.scale(-math.inf, 2.0) == -math.inf
    assert math.copysign(1.0, plugin.scale(-0.0, 1.0)) == -1.0


def test_the_sum_of_products(plugin: Any) -> None:
    """Arrays without a copy, from any buffer; of nothing it is 0; NaN goes through."""
    assert plugin.dot(doubles(0, 1, 2), memoryview(doubles(1, 1, 1))) == 3.0
    assert plugin.dot(doubles(), doubles()) == 0.0
    assert math.isnan(plugin.dot(doubles(1, math.nan), doubles(1, 1)))


def test_samples_are_changed_in_place(plugin: Any) -> None:
    """Nothing is copied, and an empty buffer is fine."""
    samples = array.array("f", [1.0, -2.0, 0.5])
    plugin.gain(samples, 0.5)
    assert list(samples) == [0.5, -1.0, 0.25]
    plugin.gain(array.array("f"), 0.5)


def test_a_struct_in_a_struct_comes_back(plugin: Any, codec: loader.Contract) -> None:
    """As the class of the contract's rows."""
    stats = plugin.describe(doubles(1, 2, 3, 2))
    assert type(stats) is codec.codec_stats
    assert (stats.mean, stats.count, stats.peak.x, stats.peak.y) == (2.0, 4, 2.0, 3.0)
    assert stats.deviation == pytest.approx(math.sqrt(0.5), rel=1e-6)


def test_nan_is_passed_over_by_the_peak(plugin: Any) -> None:
    """And is the mean; of NaN alone there is no peak."""
    stats = plugin.describe(doubles(math.nan, -5, -7, -5))
    assert math.isnan(stats.mean)
    assert math.isnan(stats.deviation)
    assert tuple(stats.peak) == (1.0, -5.0)
    nothing = plugin.describe(doubles(math.nan))
    assert nothing.peak.x == 0.0
    assert math.isnan(nothing.peak.y)


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(7, 2, (3, 1)), (-7, 2, (-3, -1)), (7, -2, (-3, 1)), (0, 5, (0, 0))]
)
def test_two_results_are_a_named_tuple(plugin: Any, a: int, b: int, expected: tuple[int, int]) -> None:
    """Quotient towards 0, and rest."""
    given = plugin.divide(a, b)
    assert given == expected
    assert (given.quotient, given.rest) == expected


@pytest.mark.parametrize(
    ("words", "separator", "joined"),
    [
        (["a", "b"], "-", "a-b"),
        ([], "-", ""),
        (["one"], "-", "one"),
        (["", "", ""], ", ", ", , "),
        (["ä", "\0", "𝄞"], "→", "ä→\0→𝄞"),
        (["long" * 500] * 50, "", "long" * 25_000),
    ],
)
def test_texts_are_joined(plugin: Any, words: list[str], separator: str, joined: str) -> None:
    """Text in, a list of it, and text out; empty ones, NUL and all of Unicode."""
    assert plugin.join(words, separator) == joined


@pytest.mark.parametrize("count", [0, 1, 5, 100_000])
def test_an_array_comes_back(plugin: Any, count: int) -> None:
    """In room of the host's."""
    assert list(plugin.ramp(count)) == [float(each) for each in range(count)]


def test_a_list_of_structs_is_read(plugin: Any, codec: loader.Contract) -> None:
    """From tuples, from rows and from one alone."""
    assert plugin.centre([(0, 0), (2, 2)]) == (1.0, 1.0)
    assert plugin.centre([codec.codec_point(3.0, 4.0)]) == (3.0, 4.0)


def test_numpy_arrays_are_lent(plugin: Any, codec: loader.Contract) -> None:
    """Plain and structured ones, and what comes back is one without a copy."""
    np = pytest.importorskip("numpy")
    assert plugin.dot(np.arange(3.0), array.array("d", [1, 1, 1])) == 3.0
    assert plugin.centre(np.zeros(9, dtype=codec.dtype("codec_point"))) == (0.0, 0.0)
    assert np.asarray(plugin.ramp(5)).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    image, result = np.arange(12.0).reshape(3, 4), np.zeros((4, 3)).T
    plugin.blur(image[::-1], result[::-1])  # strides that are negative, and not in C's order
    assert result.tolist() == [[2.5, 3.0, 4.0, 4.5], [4.5, 5.0, 6.0, 6.5], [6.5, 7.0, 8.0, 8.5]]


def test_a_tensor_is_changed_in_place(plugin: Any) -> None:
    """An element is the mean of itself and its neighbours; empty ones and one element alone are fine."""
    result = matrix(2, 3)
    plugin.blur(matrix(2, 3, [0, 0, 0, 0, 0, 6]), result)
    assert result.tolist() == [[0.0, 1.0, 1.5], [0.0, 1.0, 1.5]]
    one = matrix(1, 1)
    plugin.blur(matrix(1, 1, [math.inf]), one)
    assert one.tolist() == [[math.inf]]


# ---- An interface ------------------------------------------------------------------------------------------------


def test_an_interface_is_called_back(plugin: Any) -> None:
    """A callable, or an object with the method; never, if there is nothing."""
    done: list[float] = []
    plugin.train(doubles(3, 1, 2, 4), done.append)
    assert done == [0.25, 0.5, 0.75, 1.0]

    class Progress:
        def at(self, share: float) -> None:
            done.append(-share)

    plugin.train(doubles(1), Progress())
    plugin.train(doubles(), lambda _: done.append(9))
    assert done[4:] == [-1.0]


def test_what_an_interface_raises_ends_the_call(plugin: Any) -> None:
    """At once; the exception is the cause of the error."""
    seen: list[float] = []

    def fails(share: float) -> None:
        seen.append(share)
        raise LookupError("enough")

    with pytest.raises(loader.PluginError, match="enough") as caught:
        plugin.train(doubles(1, 2, 3), fails)
    assert isinstance(caught.value.__cause__, LookupError)
    assert len(seen) == 1


def test_an_interface_may_call_the_plugin(plugin: Any) -> None:
    """A function of it, while it waits."""
    seen: list[float] = []
    plugin.train(doubles(1, 2), lambda share: seen.append(plugin.scale(share, 2.0)))
    assert seen == [1.0, 2.0]


# ---- A class -------------------------------------------------------------------------------------------------


def test_an_instance_has_state_and_is_iterated(plugin: Any, codec: loader.Contract) -> None:
    """`feed` gives bytes; `next` what was fed, until there is none, and goes on after more."""
    with plugin.codec_encoder(codec.codec_mode.CODEC_BEST) as encoder:
        assert encoder.feed(b"abd") == b"a\x01\x02"
        assert list(encoder) == [97, 1, 2]
        assert list(encoder) == []
        assert encoder.feed(b"") == b""
        assert encoder.feed(b"\x00") == bytes([(0 - ord("d")) % 256])
        assert list(encoder) == [156]
    with plugin.codec_encoder(codec.codec_mode.CODEC_FAST) as encoder:
        assert encoder.feed(bytes(range(256))) == bytes(range(256))
        assert next(encoder) == 0


def test_instances_are_apart(plugin: Any) -> None:
    """Each has a state of its own."""
    with plugin.codec_encoder(1) as one, plugin.codec_encoder(1) as two:
        one.feed(b"z")
        assert two.feed(b"a") == b"a"
        assert (list(one), list(two)) == ([ord("z")], [ord("a")])


def test_an_instance_ends_with_close(plugin: Any) -> None:
    """Using it then is a typed error; closing again is none."""
    encoder = plugin.codec_encoder(0)
    encoder.close()
    encoder.close()
    with pytest.raises(loader.InstanceError):
        encoder.feed(b"a")


def test_a_failure_of_a_method_leaves_the_instance_as_it_was(plugin: Any) -> None:
    """More than 65,536 bytes may not wait."""
    with plugin.codec_encoder(1) as encoder:
        assert encoder.feed(b"a" * 65_535)[:2] == b"a\x00"
        with pytest.raises(loader.PluginError, match="feed: too much is waiting"):
            encoder.feed(b"bc")
        assert encoder.feed(b"b") == b"\x01"
        assert len(list(encoder)) == 65_536
        assert encoder.feed(b"c" * 65_536)[:2] == b"\x01\x00"


def test_what_cannot_be_written_is_not_taken(path: Path, codec: loader.Contract) -> None:
    """Where the host has no room for what `feed` gives, the encoder is as it was."""
    plugin: Any = loader.Host(codec, max_output=100).load(path)
    with plugin.codec_encoder(1) as encoder:
        assert encoder.feed(b"ab") == b"a\x01"
        with pytest.raises(loader.PluginError):
            encoder.feed(b"x" * 200)
        assert encoder.feed(b"c") == b"\x01"
        assert list(encoder) == [97, 1, 1]


def test_instances_are_freed_when_nobody_has_them(plugin: Any) -> None:
    """Ten thousand of them take no more memory than a few: each has room for 65,536 codes."""
    resource = pytest.importorskip("resource")

    def some() -> None:
        for _ in range(5_000):
            plugin.codec_encoder(1).feed(b"a" * 1_000)
        gc.collect()

    some()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    some()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kB; without freeing: 5,000 and more
    assert grown < 4_000


def test_threads_share_an_instance_one_at_a_time(plugin: Any, together: Callable[..., list[Any]]) -> None:
    """No byte is lost or given twice."""
    with plugin.codec_encoder(0) as encoder:
        together(4, lambda number: [encoder.feed(bytes([number])) for _ in range(500)])
        given = list(encoder)
    assert sorted(given) == sorted([0, 1, 2, 3] * 500)


def test_an_instance_is_freed_on_another_thread(plugin: Any) -> None:
    """Whatever thread made it."""
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(plugin.codec_encoder(1)))
    thread.start()
    thread.join()
    assert made[0].feed(b"a") == b"a"
    made.pop().close()


# ---- Failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda p: p.dot(doubles(1, 2, 3), doubles(1, 2)), "dot: 3 numbers and 2"),
        (lambda p: p.describe(doubles()), "describe: no values"),
        (lambda p: p.divide(1, 0), "divide: by zero"),
        (lambda p: p.divide(-(2**63), -1), "divide: overflow"),
        (lambda p: p.ramp(-1), "ramp: a negative count"),
        (lambda p: p.centre([]), "centre: no points"),
        (lambda p: p.blur(doubles(1), doubles(1)), "blur: a tensor of two dimensions of double is wanted"),
        (
            lambda p: p.blur(memoryview(array.array("f", [1.0])).cast("B").cast("f", (1, 1)), matrix(1, 1)),
            "blur: a tensor of two dimensions of double is wanted",
        ),
        (lambda p: p.blur(matrix(2, 3), matrix(3, 2)), "blur: the shapes differ"),
    ],
)
def test_a_failure_is_an_error_with_its_text(plugin: Any, call: Callable[[Any], Any], text: str) -> None:
    """Exception, Result, error: whatever the language has for it. The plugin works on."""
    with pytest.raises(loader.PluginError) as caught:
        call(plugin)
    assert caught.value.message == text
    assert plugin.scale(2.0, 1.5) == 3.0


def test_too_long_an_array_is_out_of_memory(plugin: Any) -> None:
    """2^61 doubles are more bytes than there are; 2^60 more than there is memory."""
    for count in (2**60, 2**61, 2**63 - 1):
        with pytest.raises((loader.PluginError, MemoryError)) as caught:
            plugin.ramp(count)
        assert isinstance(caught.value, MemoryError) or caught.value.status == 2


def test_wrong_arguments_do_not_reach_the_plugin(plugin: Any) -> None:
    """The host refuses what is not declared."""
    with pytest.raises(TypeError):
        plugin.scale("2", 1.5)
    with pytest.raises(ValueError, match="CODEC_FAST"):
        plugin.codec_encoder(7)
    with pytest.raises((TypeError, ValueError)):
        plugin.dot(array.array("f", [1.0]), doubles(1))


# ---- The file ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF")
def test_it_exports_the_contract_and_the_handshake(path: Path, codec: loader.Contract) -> None:
    """And, if the header is stamped, its fingerprint."""
    markers = {"loader_abi_1", codec.marker}
    if codec.stamped:
        markers.add(f"{codec.marker}_is_0x{codec.fingerprint}")
    exports = set(read_image(path).exports)
    assert {each.name for each in codec.functions} | markers <= exports
    assert not {each for each in exports if each.startswith("codec_abi_")} - markers
