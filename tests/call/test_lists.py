"""Arrays of structs and tensors: records or arrays of NumPy, with no copy where there is nothing to convert."""

from __future__ import annotations

import array
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")


@pytest.fixture(scope="module")
def values(build: Callable[..., Path], placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin values."""
    return loader.load(build("values.c"), contract=loader.Contract.from_header(PLUGINS / "values.h"))


# ---- Lists -------------------------------------------------------------------------------------------------


def test_records(values: loader.Plugin) -> None:
    """A sequence of anything that is a struct elsewhere: tuples, mappings, rows, objects."""
    point = values.contract.values_point
    assert values.centre([(0, 0), (2, 2)]) == (1.0, 1.0)
    assert values.centre(({"x": 3}, point(1, 4), (2, 2))) == (2.0, 2.0)
    with pytest.raises(loader.PluginError, match="there are no points"):
        values.centre([])


def test_a_list_of_the_hosts(values: loader.Plugin) -> None:
    """A list that is a result is a sequence of rows, whose memory may be lent again, and changed."""
    circle = values.circle(3)
    assert len(circle) == 3
    assert circle[1] == (1.0, -1.0)
    assert circle[-1].y == -2.0
    assert list(circle) == [(0, 0), (1, -1), (2, -2)]
    assert repr(circle) == repr(list(circle))
    with pytest.raises(IndexError):
        _ = circle[3]
    values.move(circle, 10.0)
    assert [each.x for each in circle] == [10, 11, 12]
    assert values.centre(circle) == (11.0, -1.0)
    view = memoryview(circle)
    assert (view.format, view.itemsize, view.readonly) == ("T{=d:x:d:y:}", 16, False)
    assert values.centre(view) == (11.0, -1.0)
    assert list(values.circle(0)) == []


def test_texts_in_a_list(values: loader.Plugin) -> None:
    """What texts point to is read before the call's memory goes."""
    given = [("é", 1), ("", 2), ("x" * 5000, -3)]
    answer = values.entries(given)
    assert answer == [("éé", 2), ("", 4), ("x" * 10000, -6)]
    assert answer[0].name == "éé"
    assert values.entries(answer)[0].name == "é" * 4


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("ab", "points must be a sequence of values_point, not str"),
        (5, "points must be a sequence of values_point, not int"),
        ({"x": 1}, "points must be a sequence of values_point, not dict"),
        ([(1, 2), (3,)], "struct values_point has 2 fields, and this tuple 1"),
        ([(1, 2), None], "struct values_point wants a field 'x', which NoneType does not have"),
        ([(1, "y")], "y must be a float, not str"),
        (b"12345678", r"points is no array of the struct: its dtype is Contract\.dtype\(name\)"),
        (array.array("d", [1, 2]), "points is no array of the struct"),
    ],
)
def test_no_list(values: loader.Plugin, given: Any, text: str) -> None:
    """What is none says what was wanted."""
    with pytest.raises(TypeError, match=text):
        values.centre(given)


def test_in_place_needs_an_array(values: loader.Plugin) -> None:
    """A copy of records that is changed would be lost."""
    with pytest.raises(TypeError, match="points is changed in place, so it must be a structured array, not list"):
        values.move([(1, 2)], 1.0)


def test_structured_arrays(values: loader.Plugin) -> None:
    """An array of the contract's dtype is lent as it lies."""
    np = pytest.importorskip("numpy")
    contract = values.contract
    points = np.zeros(9, dtype=contract.dtype("values_point"))
    points["y"] = 3
    assert values.centre(points) == (0.0, pytest.approx(3.0))
    values.move(points, 2.0)
    assert points["x"].tolist() == [2.0] * 9
    assert values.centre(np.zeros(2, dtype=[("x", "<f8"), ("y", "<f8")])) == (0.0, 0.0)
    with pytest.raises(TypeError, match="points is no array of the struct"):
        values.centre(np.zeros(2, dtype=[("y", "<f8"), ("x", "<f8")]))
    with pytest.raises(TypeError, match="points is no array of the struct"):
        values.centre(np.zeros(4))
    with pytest.raises(ValueError, match="points is not C-contiguous"):
        values.centre(points[::2])
    points.setflags(write=False)
    with pytest.raises(ValueError, match=r"points is changed in place, and this numpy\.ndarray is read-only"):
        values.move(points, 1.0)


def test_a_struct_with_everything(values: loader.Plugin) -> None:
    """Padding, arrays, structs in structs, enums, bools: the dtype and the memoryview's format mean the same."""
    np = pytest.importorskip("numpy")
    dtype = values.contract.dtype("values_sample")
    given = np.zeros(3, dtype=dtype)
    given["at"] = [1, 2, 3]
    given["where"]["y"][:, 1] = 7
    given["good"][1] = True
    given["mode"] = -7
    given["bits"] = 65535
    given["weight"] = 0.5
    same = values.samples(given)
    assert same[1].where == ((0, 0), (0, 7))
    assert (same[1].good, same[0].good) == (True, False)
    assert same[1].mode is values.contract.values_mode.VALUES_LAST
    assert (same[2].at, same[2].bits, same[2].weight) == (3.0, 65535, 0.5)
    again = np.asarray(same)
    assert again.dtype == dtype
    assert again.tobytes() == given.tobytes()
    assert list(values.samples(list(same))) == list(same)


def test_what_has_no_dtype(values: loader.Plugin) -> None:
    """Texts are pointers, which mean nothing in an array of another library."""
    pytest.importorskip("numpy")
    for name in ("values_entry", "values_stats"):
        with pytest.raises(loader.ContractError, match="has no dtype"):
            values.contract.dtype(name)
    with pytest.raises(loader.ContractError, match="no struct 'nothing'"):
        values.contract.dtype("nothing")


# ---- Tensors -----------------------------------------------------------------------------------------------


def test_buffers(values: loader.Plugin) -> None:
    """What has the buffer protocol is a tensor, whatever its shape: format, shape and strides in elements."""
    flat = array.array("d", range(6))
    assert values.shape(flat) == "2/64: 6*1"
    assert values.shape(memoryview(flat).cast("B").cast("d", (2, 3))) == "2/64: 2*3 3*1"
    assert values.shape(memoryview(flat)[::-2]) == "2/64: 3*-2"
    assert values.shape(b"abc") == "1/8: 3*1"
    assert values.shape(memoryview(b"\1").cast("?", ())) == "6/8:"
    assert values.sum(flat) == 15.0
    assert values.sum(memoryview(flat)[::-2]) == 9.0
    assert values.sum(array.array("f", [0.5, 0.25])) == 0.75
    with pytest.raises(loader.PluginError, match="elements of code 0 and 16 bits"):
        values.sum(array.array("h", [1]))


def test_tensors_in_place(values: loader.Plugin) -> None:
    """A tensor that is not const is written."""
    result = array.array("d", [0, 0, 0])
    values.add(array.array("d", [1, 2, 3]), 0.5, result)
    assert result.tolist() == [1.5, 2.5, 3.5]
    with pytest.raises(ValueError, match=r"^add\(\): result is changed in place, and this buffer is read-only$"):
        values.add(result, 1.0, memoryview(bytes(24)).cast("d"))


def test_tensors_of_numpy(values: loader.Plugin) -> None:
    """Strides of any kind, and what no tensor has."""
    np = pytest.importorskip("numpy")
    image = np.arange(12.0).reshape(3, 4)
    assert values.shape(image.T) == "2/64: 4*1 3*4"
    assert values.sum(image[::2, 1:3]) == image[::2, 1:3].sum()
    assert values.shape(np.broadcast_to(np.float32(2), (2, 2))) == "2/32: 2*0 2*0"
    assert values.shape(np.zeros(2, dtype=complex)) == "5/128: 2*1"
    assert values.shape(np.zeros(2, dtype=np.float16)) == "2/16: 2*1"
    result = np.zeros((4, 3))
    values.add(image.T, 1.0, result)
    assert (result == image.T + 1).all()
    with pytest.raises(TypeError, match="has elements of format"):
        values.sum(np.zeros(2, dtype=[("x", "f8")]))
    with pytest.raises(ValueError, match="other byte order"):
        values.sum(np.zeros(2, dtype=np.dtype("f8").newbyteorder()))
    with pytest.raises(ValueError, match="strides that are no whole elements"):
        values.sum(np.zeros(2, dtype=[("x", "<f8"), ("y", "<i4")])["x"])


class OnlyDlpack:
    """An array as libraries have them that know DLPack and no buffers."""

    def __init__(self, held: Any, device: tuple[int, int] = (1, 0)) -> None:
        self._held, self._device = held, device

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device

    def __dlpack__(self) -> Any:
        return self._held.__dlpack__()


def test_dlpack(values: loader.Plugin) -> None:
    """The same by DLPack; what was lent is given back, and what is on another device is refused."""
    np = pytest.importorskip("numpy")
    held = np.arange(6.0).reshape(2, 3)
    before = sys.getrefcount(held)
    tensor = OnlyDlpack(held)
    assert values.sum(tensor) == 15.0
    assert values.shape(OnlyDlpack(held.T)) == "2/64: 3*1 2*3"
    values.add(tensor, 1.0, tensor)
    assert held.tolist() == [[1, 2, 3], [4, 5, 6]]
    del tensor
    assert sys.getrefcount(held) == before
    with pytest.raises(ValueError, match=r"^sum\(\): tensor is on another device; copy it to the CPU first$"):
        values.sum(OnlyDlpack(held, device=(2, 0)))
    with pytest.raises(TypeError, match=r"^sum\(\): tensor must be a tensor .*, not list$"):
        values.sum([1.0])
