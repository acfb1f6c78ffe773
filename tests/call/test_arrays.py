"""Arrays, lists of texts, structs in structs, memory of loader_alloc: lent without a copy, and checked."""

from __future__ import annotations

import array
import gc
import pickle
import weakref
from collections import UserList
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

_ANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def path(build: Callable[..., Path]) -> Path:
    """The plugin values, a file."""
    return build("values.c")


@pytest.fixture(scope="module")
def values(path: Path, placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin values."""
    return loader.load(path, contract=loader.Contract.from_header(PLUGINS / "values.h"))


def doubles(*values: float) -> array.array[float]:
    """An array of doubles."""
    return array.array("d", values)


# ---- Arrays that a plugin is lent --------------------------------------------------------------------------


@_ANY
@given(numbers=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=50))
def test_dot(values: loader.Plugin, numbers: list[tuple[float, float]]) -> None:
    """Any buffer of doubles is lent as it lies."""
    a, b = doubles(*(x for x, _ in numbers)), doubles(*(y for _, y in numbers))
    wanted = 0.0
    for x, y in numbers:
        wanted += x * y
    assert values.dot(a, b) == pytest.approx(wanted, rel=1e-12, abs=1e-3)
    assert values.dot(memoryview(a), bytearray(b.tobytes())[:0] or b) == values.dot(a, b)


@pytest.mark.parametrize(
    ("function", "codes"),
    [("total_i8", "b"), ("total_u16", "H"), ("total_i64", "lq")],
)
def test_integers(values: loader.Plugin, function: str, codes: str) -> None:
    """Each width and sign has its own kind; formats that mean the same on this machine are the same."""
    for code in codes:
        numbers = array.array(code, [1, 2, 3] if code == "H" else [-1, 2, 3])
        if numbers.itemsize == 8 or code != "l":  # 4 bytes on Windows
            assert getattr(values, function)(numbers) == sum(numbers)


def test_bytes_are_numbers(values: loader.Plugin) -> None:
    """u8 takes what is bytes, however long, of any shape."""
    assert values.length(b"abc") == 3
    assert values.length(b"") == 0
    assert values.length(memoryview(bytes(12)).cast("B", (3, 4))) == 12


def test_in_place(values: loader.Plugin) -> None:
    """An array that is not const is changed where it is."""
    samples = array.array("f", [1.0, 2.0, 3.0])
    assert values.gain(samples, 0.5) == "3"
    assert samples.tolist() == [0.5, 1.0, 1.5]


def test_not_resized_meanwhile(values: loader.Plugin) -> None:
    """A buffer is given back when the call is over, and not before: also after one that failed."""
    samples = array.array("f", [1.0])
    values.gain(samples, 0.5)
    samples.append(2.0)  # BufferError if it were lent still
    a = doubles(1.0)
    with pytest.raises(loader.PluginError, match="a has 1 numbers and b 2"):
        values.dot(a, doubles(1.0, 2.0))
    with pytest.raises(TypeError):
        values.dot(a, [2.0])
    a.append(2.0)


class _Strided:
    """Every second of some doubles."""

    def __new__(cls) -> Any:
        return memoryview(doubles(1, 2, 3, 4))[::2]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([1.0, 2.0], TypeError, r"a must be a buffer of floating-point numbers of 64 bits \(.*\), not list$"),
        (1.0, TypeError, "not float$"),
        (None, TypeError, "not NoneType$"),
        (
            array.array("f", [1, 2]),
            TypeError,
            "must have floating-point numbers of 64 bits, not of format 'f'",
        ),
        (array.array("q", [1, 2]), TypeError, "not of format 'q' with 8 bytes each$"),
        (b"12345678", TypeError, "not of format 'B' with 1 bytes each$"),
        (memoryview(bytes(17))[1:].cast("d"), ValueError, "a is not aligned to 8 bytes; pass a copy"),
        (_Strided(), ValueError, "a is not C-contiguous; pass a copy"),
    ],
)
def test_refused(values: loader.Plugin, given: Any, error: type[Exception], text: str) -> None:
    """What is no array of that kind is refused, and nothing is converted without being asked."""
    with pytest.raises(error, match=text) as caught:
        values.dot(given, doubles(1, 2))
    assert str(caught.value).startswith("dot(): ")


def test_read_only_in_place(values: loader.Plugin) -> None:
    """What cannot be written is not handed to who changes it."""
    with pytest.raises(
        ValueError, match=r"^gain\(\): samples is changed in place, and this memoryview is read-only$"
    ):
        values.gain(memoryview(array.array("f", [1.0]).tobytes()).cast("f"), 0.5)


def test_numpy(values: loader.Plugin) -> None:
    """Arrays of NumPy, and those that are not as they must be: byte order, stride, type."""
    np = pytest.importorskip("numpy")
    assert values.dot(np.arange(3.0), array.array("d", [1, 1, 1])) == 3.0
    assert values.dot(np.ones((2, 3)), np.ones(6)) == 6.0  # C-contiguous, in its order
    samples = np.ones(4, dtype=np.float32)
    values.gain(samples, 0.5)
    assert samples.tolist() == [0.5] * 4
    with pytest.raises(ValueError, match="a is of the other byte order"):
        values.dot(np.arange(3.0).astype(np.arange(3.0).dtype.newbyteorder()), np.arange(3.0))
    with pytest.raises(ValueError, match="C-contiguous"):
        values.dot(np.arange(6.0)[::2], np.arange(3.0))
    with pytest.raises(ValueError, match="C-contiguous"):
        values.dot(np.ones((2, 3)).T, np.arange(6.0))
    with pytest.raises(TypeError, match="floating-point numbers of 64 bits, not of format 'l'"):
        values.dot(np.arange(3), np.arange(3.0))
    with pytest.raises(TypeError, match="format '\\?'"):
        values.length(np.zeros(3, dtype=bool))


# ---- Lists of texts ----------------------------------------------------------------------------------------


@_ANY
@given(words=st.lists(st.text(), max_size=20), separator=st.text(max_size=3))
def test_join(values: loader.Plugin, words: list[str], separator: str) -> None:
    """A sequence of str, with any characters, or none."""
    assert values.join(words, separator) == separator.join(words)
    assert values.join(tuple(words), separator) == separator.join(words)
    assert values.join(UserList(words), separator) == separator.join(words)


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ("abc", TypeError, r"^join\(\): words must be a sequence of str, not str$"),
        (b"abc", TypeError, r"^join\(\): words must be a sequence of str, not bytes$"),
        ({"a", "b"}, TypeError, r"^join\(\): words must be a sequence of str, not set$"),
        (["a", 1], TypeError, r"^join\(\): words\[1\] must be a str, not int$"),
        (["a", "\ud800"], UnicodeEncodeError, "surrogates not allowed"),
    ],
)
def test_no_texts(values: loader.Plugin, words: Any, error: type[Exception], text: str) -> None:
    """A str is no list of str, though Python can go through it as one."""
    with pytest.raises(error, match=text):
        values.join(words, "-")


# ---- Memory of loader_alloc --------------------------------------------------------------------------------


def test_ramp(values: loader.Plugin) -> None:
    """An array that is a result is a memoryview of the memory that the plugin filled; it may be written."""
    ramp = values.ramp(5)
    assert (ramp.format, ramp.shape, ramp.readonly, ramp.tolist()) == ("d", (5,), False, [0, 1, 2, 3, 4])
    ramp[0] = 9.0
    assert ramp.tolist() == [9, 1, 2, 3, 4]
    assert values.ramp(0).tolist() == []
    assert values.dot(ramp, ramp) == 81 + 1 + 4 + 9 + 16


def test_the_memory_lives_as_long(values: loader.Plugin) -> None:
    """It is there for as long as anything of it is, and goes with the last."""
    low, high = values.halves(5)
    owner = weakref.ref(low)
    part = low[1:]
    del low
    gc.collect()
    assert part.tolist() == [1]
    assert high.tolist() == [2, 3, 4]
    assert owner() is None
    del part
    assert high.tolist() == [2, 3, 4]


def test_memory_is_given_back(values: loader.Plugin) -> None:
    """What is no result goes when the call ends, and a result when nobody has it: 8 GB of it do not pile up."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(500):
        assert len(values.ramp(1_000_000)) == 1_000_000
        with pytest.raises(loader.PluginError, match="on purpose"):
            values.careless(5)
        assert values.text_of(0) == "€"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB


def test_no_more_than_the_host_allows(path: Path) -> None:
    """max_output counts what is allocated; what no machine has is refused."""
    contract = loader.Contract.from_header(PLUGINS / "values.h")
    small = loader.load(path, contract=contract, max_output=800)
    assert len(small.ramp(100)) == 100
    for count in (101, 1 << 61, -1):
        with pytest.raises(loader.PluginError, match="ran out of memory or room for its output in ramp"):
            small.ramp(count)


@pytest.mark.parametrize("how", [1, 2, 3, 7])
def test_memory_that_is_none_of_ours(values: loader.Plugin, how: int) -> None:
    """A plugin that gives other memory, or more than it has, has failed; nothing of it is read."""
    with pytest.raises(loader.PluginError, match="its result values is not in memory that loader_alloc gave"):
        values.careless(how)


def test_other_careless_results(values: loader.Plugin) -> None:
    """Nothing set is empty, as all room for results begins as 0; what is not aligned is refused."""
    assert values.careless(0).tolist() == []
    assert values.careless(6).tolist() == []
    with pytest.raises(loader.PluginError, match="its result values is not aligned as its elements are"):
        values.careless(4)


def test_text_and_bytes(values: loader.Plugin) -> None:
    """Text that is a result is checked as what is written is."""
    assert values.text_of(0) == "€"
    assert values.text_of(3) == ""
    with pytest.raises(loader.PluginError, match=r"its result text is wrong: .*utf-8"):
        values.text_of(1)
    with pytest.raises(loader.PluginError, match=r"its result text is wrong: .*3 bytes at"):
        values.text_of(2)
    assert values.bytes_of(3) == b"\xff\xff\xff"
    assert values.bytes_of(0) == b""


# ---- Structs -----------------------------------------------------------------------------------------------


def test_struct(values: loader.Plugin) -> None:
    """A struct that is a result is a row: nested structs, arrays, enums and bools in it."""
    stats = values.describe(doubles(1, 5, 2))
    assert (stats.mean, stats.count, stats.peak.x, stats.peak) == (8 / 3, 3, 1.0, (1.0, 5.0))
    assert stats.histogram == (0, -7, 0)
    assert [corner.x for corner in stats.corners] == [0.0, 3.0]
    assert stats.mode is values.contract.values_mode.VALUES_BEST
    assert stats.good is True
    assert (stats.name, stats.deviation) == ("stats", 0.5)
    assert pickle.loads(pickle.dumps(stats)) == stats


def test_struct_there_and_back(values: loader.Plugin) -> None:
    """A row is an argument; so are tuples in order, mappings that leave out what is 0, and objects."""
    stats = values.describe(doubles(1, 5, 2))
    assert values.back(stats) == stats
    assert values.back(tuple(stats)) == stats
    assert values.back(stats._asdict()) == stats
    point = values.contract.values_point(x=1.0, y=2.0)
    sparse = values.back({"mean": 1, "peak": point, "corners": [(1, 2), {"y": 4}], "histogram": range(3)})
    assert sparse.peak == point
    assert sparse.corners == ((1, 2), (0, 4))
    assert sparse.histogram == (0, 1, 2)
    assert (sparse.mean, sparse.deviation, sparse.name) == (1.0, 0.0, "")
    assert values.back(peak=point).peak == point


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((1, 2), "struct values_stats has 9 fields, and this tuple 2"),
        ({"histogram": [1, 2]}, "histogram must be a sequence of 3, not list of another length"),
        ({"histogram": 3}, "histogram must be a sequence of 3, not int"),
        ({"histogram": "abc"}, "histogram must be a sequence of 3, not str"),
        ({"peak": [1, 2, 3]}, "struct values_point has 2 fields, and this list 3"),
        ({"peak": {"z": 1}}, "struct values_point has no field 'z'"),
        ({"peak": 5}, "struct values_point wants a field 'x', which int does not have"),
        ({"corners": [(1, 2), None]}, "struct values_point wants a field 'x', which NoneType does not have"),
        ({"deviation": "x"}, "deviation must be a float, not str"),
    ],
)
def test_no_struct(values: loader.Plugin, given: Any, text: str) -> None:
    """What does not fit says which field of which struct."""
    with pytest.raises(TypeError, match=text):
        values.back(given)


def test_rows_are_made_as_they_are_read(values: loader.Plugin) -> None:
    """The class of a struct's rows takes values in order and by name, and says what it wants."""
    point = values.contract.values_point
    assert point(1, 2) == point(1, y=2) == point(x=1, y=2) == (1, 2)
    for items, named in (((1,), {}), ((1, 2, 3), {}), ((1, 2), {"y": 3}), ((1,), {"z": 3})):
        with pytest.raises(TypeError, match=r"^values_point takes x, y$"):
            point(*items, **named)
