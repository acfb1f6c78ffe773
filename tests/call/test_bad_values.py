"""Values that do not fit, kind by kind: arrays, lists, tensors, and results that a plugin gives wrongly.

Each is refused with an error that says which parameter of which function, before the plugin is called; or, where any
value is right (empty, NaN, 2**31 elements), it arrives as it is.
"""

from __future__ import annotations

import array
import ctypes
import math
import mmap
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tree import EMULATED, PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

np = pytest.importorskip("numpy")

CONTRACT = loader.Contract.from_header(PLUGINS / "values.h")
POINT = CONTRACT.dtype("values_point")
OTHER = "<" if sys.byteorder == "big" else ">"


@pytest.fixture(scope="module")
def values(build: Callable[..., Path], placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin values."""
    return loader.load(build("values.c"), contract=CONTRACT)


@pytest.fixture(scope="module")
def unset(build: Callable[..., Path], placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """A plugin that sets no result."""
    return loader.load(build("unset.c"), contract=loader.Contract.from_header(PLUGINS / "unset.h"))


def frozen(made: Any) -> Any:
    """The array, which may not be written any more."""
    made.flags.writeable = False
    return made


def swapped(kind: str) -> Any:
    """Four elements in the other byte order."""
    return np.ones(4, dtype=f"{OTHER}{kind}")


ONES = np.ones(4)
SINGLES = np.ones(4, dtype="f4")
CTYPES = ctypes.c_double.__ctype_le__ if OTHER == "<" else ctypes.c_double.__ctype_be__  # type: ignore[attr-defined]


class Elsewhere:
    """A tensor on another device, which must not be asked for its memory."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0  # CUDA

    def __dlpack__(self) -> object:
        raise AssertionError("the memory of a device was asked for")


class Strange:
    """What says that its device is none."""

    def __init__(self, device: object) -> None:
        self._device = device

    def __dlpack_device__(self) -> object:
        return self._device


WRONG: dict[str, tuple[str, tuple[Any, ...], type[Exception], str]] = {
    # an array of other numbers
    "numbers, dtype": ("dot", (SINGLES, ONES), TypeError, "a must have floating-point numbers of 64 bits"),
    "numbers, second of two": ("dot", (ONES, ONES.astype("i8")), TypeError, "b must have floating-point"),
    "numbers, in place, dtype": (
        "gain",
        (ONES, 0.5),
        TypeError,
        "samples must have floating-point numbers of 32 bits",
    ),
    "numbers, sign": ("total_i8", (np.ones(4, "u1"),), TypeError, "of must have signed integers of 8 bits"),
    "numbers, complex": ("dot", (ONES * 1j, ONES), TypeError, "not of format 'Zd'"),
    "numbers, dates": ("dot", (np.zeros(2, "M8[s]"), ONES), ValueError, "cannot include dtype 'M' in a buffer"),
    "numbers, objects": ("dot", (np.array([1.0, None]), ONES), TypeError, "not of format 'O'"),
    "numbers, structs": ("dot", (np.zeros(2, POINT), ONES), TypeError, "a must have floating-point"),
    "list, dtype": (
        "centre",
        (np.zeros(2, [("a", "f8"), ("b", "f8")]),),
        TypeError,
        "points is no array of the struct",
    ),
    "list, numbers": ("centre", (np.zeros((2, 2)),), TypeError, "points is no array of the struct"),
    "list, in place, dtype": (
        "move",
        (np.zeros(2, [("x", "f4"), ("y", "f4")]), 1.0),
        TypeError,
        "no array of the struct",
    ),
    "tensor, dtype": ("sum", (np.zeros(2, POINT),), TypeError, "tensor has elements of format"),
    "tensor, objects": ("sum", (np.array([1, "a"], dtype=object),), TypeError, "tensor has elements of format 'O'"),
    "tensor, texts": ("sum", (np.array(["a", "b"]),), TypeError, "tensor has elements of format '1w'"),
    # the other byte order
    "numbers, order": ("dot", (swapped("f8"), ONES), ValueError, "a is of the other byte order"),
    "numbers, order, ctypes": ("dot", ((CTYPES * 2)(1, 2), ONES), ValueError, "a is of the other byte order"),
    "numbers, in place, order": ("gain", (swapped("f4"), 1.0), ValueError, "samples is of the other byte order"),
    "integers, order": ("total_i64", (swapped("i8"),), ValueError, "of is of the other byte order"),
    "list, order": ("centre", (np.zeros(2, POINT.newbyteorder()),), TypeError, "points is no array of the struct"),
    "tensor, order": ("sum", (swapped("f8"),), ValueError, "tensor is of the other byte order"),
    # gaps between the elements
    "numbers, gaps": ("dot", (np.ones(8)[::2], ONES), ValueError, "a is not C-contiguous"),
    "numbers, backwards": ("dot", (ONES[::-1], ONES), ValueError, "a is not C-contiguous"),
    "numbers, columns first": ("dot", (np.ones((2, 3), order="F"), ONES), ValueError, "a is not C-contiguous"),
    "numbers, one again and again": ("dot", (np.broadcast_to(1.0, 4), ONES), ValueError, "a is not C-contiguous"),
    "numbers, in place, gaps": ("gain", (np.ones(8, "f4")[::2], 1.0), ValueError, "samples is not C-contiguous"),
    "list, gaps": ("centre", (np.zeros(4, POINT)[::2],), ValueError, "points is not C-contiguous"),
    "list, in place, gaps": ("move", (np.zeros(4, POINT)[::2], 1.0), ValueError, "points is not C-contiguous"),
    # read-only, and changed in place
    "numbers, read-only": ("gain", (frozen(SINGLES.copy()), 1.0), ValueError, "samples is changed in place"),
    "numbers, bytes": ("gain", (memoryview(bytes(8)).cast("f"), 1.0), ValueError, "samples is changed in place"),
    "list, read-only": ("move", (frozen(np.zeros(2, POINT)), 1.0), ValueError, "points is changed in place"),
    "list, records": (
        "move",
        ([(1, 2)], 1.0),
        TypeError,
        "points is changed in place, so it must be a structured array",
    ),
    "tensor, read-only": ("add", (ONES, 1.0, frozen(np.ones(4))), ValueError, "result is changed in place"),
    # items of several kinds
    "numbers, a list": ("dot", ([1.0, "a"], ONES), TypeError, "a must be a buffer"),
    "texts, mixed": ("join", (["a", b"b"], "-"), TypeError, r"words\[1\] must be a str, not bytes"),
    "texts, with a number": ("join", (["a", "b", 3], "-"), TypeError, r"words\[2\] must be a str, not int"),
    "list, mixed": ("centre", ([(0, 0), {"x": 1}, 3],), TypeError, "wants a field 'x', which int does not have"),
    "list, of lists and texts": ("centre", ([[0, 0], ["a", "b"]],), TypeError, "x must be a float, not str"),
    "list, fields too many": ("centre", ([(0, 0), (1, 2, 3)],), TypeError, "has 2 fields, and this tuple 3"),
    "list, unknown field": ("centre", ([{"x": 1, "z": 2}],), TypeError, "has no field 'z'"),
    # NaN, where a number is counted
    "an integer, NaN": ("divide", (math.nan, 1), TypeError, "a must be an int, not float"),
    "an enum, NaN": ("choose", (math.nan, True), TypeError, r"mode is VALUES_FAST \(0\), .* not float"),
    # memory that is not the host's
    "tensor, device": ("sum", (Elsewhere(),), ValueError, "tensor is on another device; copy it to the CPU first"),
    "tensor, in place, device": ("add", (ONES, 1.0, Elsewhere()), ValueError, "result is on another device"),
    "tensor, no device": ("sum", (Strange(None),), TypeError, "tensor must be a tensor"),
    "tensor, half a device": (
        "sum",
        (Strange((1,)),),
        TypeError,
        "tensor: its __dlpack_device__ gave no two numbers",
    ),
    "tensor, a device of texts": (
        "sum",
        (Strange(("cpu", "0")),),
        TypeError,
        "__dlpack_device__ gave no two numbers",
    ),
    "tensor, a device beyond an int": ("sum", (Strange((2**40, 0)),), TypeError, "gave no two numbers"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_refused(values: loader.Plugin, case: tuple[str, tuple[Any, ...], type[Exception], str]) -> None:
    """With an error of the right type, which names the parameter; afterwards all goes on."""
    function, given, error, text = case
    with pytest.raises(error, match=text):
        values.functions[function](*given)
    assert values.dot(ONES, ONES) == 4.0


def test_nothing_is_changed_by_what_is_refused(values: loader.Plugin) -> None:
    """A wrong second argument leaves the array as it was, and not lent."""
    samples = array.array("f", [1.0, 2.0])
    for factor in ("2", None, [2.0]):
        with pytest.raises(TypeError, match="factor must be a float"):
            values.gain(samples, factor)
    samples.append(3.0)
    assert samples.tolist() == [1.0, 2.0, 3.0]


def test_empty(values: loader.Plugin) -> None:
    """An array, list or tensor of nothing is right, from whatever it is, also in place."""
    for empty in (np.empty(0), array.array("d"), memoryview(b"").cast("d"), np.empty((0, 3)), np.ones((3, 0))):
        assert values.dot(empty, array.array("d")) == 0.0
        assert values.sum(empty) == 0.0
    assert values.gain(np.empty(0, "f4"), 2.0) == "0"
    assert values.total_i8(np.empty(0, "i1")) == 0
    for points in ([], (), np.zeros(0, POINT)):
        with pytest.raises(loader.PluginError, match="no points"):
            values.centre(points)
    values.move(np.zeros(0, POINT), 1.0)
    values.add(np.empty((2, 0)), 1.0, np.empty((0, 2)))
    assert values.join([], "-") == ""
    assert values.join([""], "-") == ""
    assert values.length(b"") == 0
    assert len(values.circle(0)) == 0
    assert values.ramp(0).tolist() == []


def test_empty_is_still_of_its_kind(values: loader.Plugin) -> None:
    """Nothing of the wrong kind is wrong."""
    with pytest.raises(TypeError, match="a must have floating-point numbers of 64 bits"):
        values.dot(np.empty(0, "f4"), ONES)
    with pytest.raises(TypeError, match="no array of the struct"):
        values.centre(np.zeros(0))
    with pytest.raises(TypeError, match="must be a buffer"):
        values.dot([], ONES)


def test_nan(values: loader.Plugin) -> None:
    """It is a number like others: in arrays, lists, structs and tensors, in and out, with its bits."""
    nan = array.array("d", [math.nan, 1.0])
    assert math.isnan(values.dot(nan, ONES[:2]))
    assert math.isnan(values.sum(nan))
    assert math.isnan(values.centre([(math.nan, 1.0)]).x)
    assert values.centre([(math.nan, 1.0)]).y == 1.0
    assert math.isnan(values.scale(math.nan, 1.0))
    assert math.isnan(values.narrow(math.nan))
    result = np.zeros(2)
    values.add(nan, 1.0, result)
    assert np.isnan(result).tolist() == [True, False]
    odd = np.array([0x7FF800000000BEEF], dtype="u8").view("f8")
    values.add(odd, 0.0, result[:1])
    assert result.view("u8")[0] & 0xFFFF == 0xBEEF


@pytest.mark.in_process("nothing of that size crosses to another")
@pytest.mark.skipif(sys.platform == "win32" or EMULATED, reason="memory that is not there is not lent so there")
def test_two_to_the_31_elements(values: loader.Plugin) -> None:
    """A count that no int has arrives whole; nothing is copied, or these 16 GiB would have to be there."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
    count = 2**31 + 1
    with mmap.mmap(-1, count * 8, flags=flags) as memory, memoryview(memory) as view:
        with view[:count] as part:
            assert values.length(part) == count
        with view.cast("d") as doubles, pytest.raises(loader.PluginError, match=f"a has {count} numbers and b 4"):
            values.dot(doubles, ONES)
        with view.cast("d") as doubles:
            assert values.shape(doubles) == f"2/64: {count}*1"
    assert values.shape(np.broadcast_to(np.float64(1), (2**31, 2**20))) == f"2/64: {2**31}*0 {2**20}*0"


def test_more_elements_than_memory_has(values: loader.Plugin) -> None:
    """A shape that no memory has, and results of such a size, are refused."""
    with pytest.raises(ValueError, match="more elements than memory could hold"):
        values.shape(Huge())
    for count in (2**31 * 2**31, 2**60, 2**61, 2**63 - 1, -1):
        with pytest.raises(loader.PluginError, match=r"ramp"):
            values.ramp(count)


class Huge:
    """A DLPack tensor that says that it has 2**62 elements, and has one."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self) -> object:
        capsule: object = np.ones((1, 1)).__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        shape = ctypes.cast(pointer(capsule, b"dltensor") + 24, ctypes.POINTER(ctypes.POINTER(ctypes.c_int64)))
        shape.contents[0] = shape.contents[1] = 2**31
        return capsule


# ---- Results -----------------------------------------------------------------------------------------------


def test_results_that_are_not_set(unset: loader.Plugin) -> None:
    """Are 0, empty, or a struct of these: room for results is all 0 when a plugin begins."""
    for _ in range(3):  # not what lay there before
        unset.fill(7)
        row = unset.numbers(7)
        assert tuple(row) == (0, 0, 0.0, 0.0, False, 0)
        assert [type(each) for each in row] == [int, int, float, float, bool, unset.contract.unset_mode]
        row = unset.memory(7)
        assert (row.text, row.bytes, row.array.tolist(), list(row.points)) == ("", b"", [], [])
        assert unset.point(7) == (0.0, 0.0)
        assert unset.sized(7) == (0, "", (0.0, 0.0))
        assert unset.both(7) == ("", 0)


def test_results_that_are_not_set_and_cannot_be_0(unset: loader.Plugin) -> None:
    """An enum that has no 0, an instance and an Arrow array: PluginError."""
    with pytest.raises(loader.PluginError, match=r"its result mode is wrong: .*0"):
        unset.no_zero(7)
    with pytest.raises(loader.PluginError, match="its result thing was not set"):
        unset.unset_thing(7)
    with pytest.raises(loader.PluginError, match="its result values was not set"):
        unset.arrow(7)


@pytest.mark.parametrize("how", [1, 2, 3, 7])
def test_results_beyond_their_memory(values: loader.Plugin, how: int) -> None:
    """Memory of the plugin's own, an element too many, a size that overflows, NULL: nothing of it is read."""
    with pytest.raises(loader.PluginError, match="not in memory that loader_alloc gave, or longer than that"):
        values.careless(how)
    assert values.ramp(2).tolist() == [0.0, 1.0]
