"""Arguments that say one thing and are another, or change while they are read: an error or the right answer."""

from __future__ import annotations

import array
import ctypes
import gc
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Watched = Callable[[Callable[[], None]], AbstractContextManager[None]]

pytestmark = pytest.mark.usefixtures("placement")


@pytest.fixture(scope="module")
def values(build: Callable[..., Path], placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin values."""
    return loader.load(build("values.c"), contract=loader.Contract.from_header(PLUGINS / "values.h"))


# ---- Tensors -----------------------------------------------------------------------------------------------


def test_arrays_of_ctypes(values: loader.Plugin) -> None:
    """Their buffers have no strides, whatever is asked of them: what lies one behind the other is worked out."""
    assert values.sum((ctypes.c_double * 4)(1, 2, 3, 4)) == 10.0
    assert values.shape(((ctypes.c_double * 3) * 2)()) == "2/64: 2*3 3*1"
    assert values.shape((((ctypes.c_int16 * 4) * 3) * 2)()) == "0/16: 2*12 3*4 4*1"
    assert values.shape((ctypes.c_double * 0)()) == "2/64: 0*1"
    assert values.shape(ctypes.c_double(3)) == "2/64:"
    changed = (ctypes.c_double * 2)(1, 2)
    values.add(changed, 1.0, changed)
    assert list(changed) == [2, 3]


class Tensor(ctypes.Structure):
    """What a capsule of __dlpack__ points to."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class Dlpack:
    """Four doubles, with `said` of them."""

    def __init__(self, *shape: int, name: bytes = b"dltensor", strides: Any = None, **said: Any) -> None:
        self._name = name
        self._data = (ctypes.c_double * 4)(0, 1, 2, 3)
        self._shape = (ctypes.c_int64 * (len(shape) or 1))(*(shape or (4,)))
        self._strides = strides and (ctypes.c_int64 * len(strides))(*strides)
        values = {
            "data": ctypes.addressof(self._data),
            "device_type": 1,
            "ndim": len(self._shape),
            "code": 2,
            "bits": 64,
            "lanes": 1,
            "shape": ctypes.addressof(self._shape),
            "strides": ctypes.addressof(self._strides) if strides else None,
        }
        self._tensor = Tensor(**{**values, **said})

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self) -> Any:
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(ctypes.addressof(self._tensor), self._name, None)


def test_capsules(values: loader.Plugin) -> None:
    """Strides that are left out are those of elements one behind the other; an empty tensor needs no memory."""
    assert values.sum(Dlpack()) == 6.0
    assert values.shape(Dlpack(2, 2)) == "2/64: 2*2 2*1"
    assert values.shape(Dlpack(2, 2, strides=(1, 2))) == "2/64: 2*1 2*2"
    assert values.shape(Dlpack(ndim=0, shape=None)) == "2/64:"
    assert values.shape(Dlpack(0, 1 << 62, 1 << 62, data=None)).startswith("2/64: 0*")
    assert values.shape(Dlpack(2, byte_offset=16)) == "2/64: 2*1"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Dlpack(-4), "a dimension of less than 0"),
        (Dlpack(0, -4), "a dimension of less than 0"),
        (Dlpack(1 << 40, 1 << 40), "more elements than memory could hold"),
        (Dlpack(1 << 61), "more elements than memory could hold"),
        (Dlpack(data=None), "elements, and no memory"),
        (Dlpack(byte_offset=(1 << 64) - 8), "elements, and no memory"),
        (Dlpack(byte_offset=3), "not aligned"),
        (Dlpack(bits=0), "no whole bytes"),
        (Dlpack(bits=4), "no whole bytes"),
        (Dlpack(bits=24), "no whole bytes"),
        (Dlpack(shape=None), "of a kind that is not known"),
        (Dlpack(ndim=-1), "of a kind that is not known"),
        (Dlpack(ndim=1 << 30), "of a kind that is not known"),
        (Dlpack(lanes=0), "of a kind that is not known"),
        (Dlpack(code=3), "of a kind that is not known"),
        (Dlpack(device_type=2), "another device"),
        (Dlpack(name=b"used_dltensor"), "incorrect name"),
    ],
)
def test_capsules_that_lie(values: loader.Plugin, given: Dlpack, why: str) -> None:
    """What no memory can have, and what a plugin could not compute with, does not come to it."""
    with pytest.raises(ValueError, match=why):
        values.shape(given)


# ---- Arrays of structs -------------------------------------------------------------------------------------


class Same:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_no_class_is_believed(values: loader.Plugin) -> None:
    """A buffer is not taken for an array of structs because its object says so: these hold pointers."""
    size = values.contract.struct("values_entry").size

    class Liar(ctypes.c_double * (size // 8) * 1):  # type: ignore[misc]
        __class__ = memoryview
        format = dtype = Same()

    class Units(ctypes.Structure):
        _fields_ = (("bytes", ctypes.c_char * size),)

    class UnitLiar(Units):
        __class__ = memoryview  # type: ignore[assignment]
        format = dtype = Same()

    for given in (Liar(), UnitLiar()):
        assert isinstance(given, memoryview)
        with pytest.raises(TypeError, match="is no array of the struct"):
            values.entries(given)


# ---- Sequences ---------------------------------------------------------------------------------------------


class Endless:
    """Says that it has three items, and has more."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> Any:
        return 1


class EndlessList(list[Any]):
    """The same, as a list."""

    def __iter__(self) -> Iterator[Any]:
        return itertools.repeat("x")


def test_sequences_without_an_end(values: loader.Plugin) -> None:
    """As many items are read as a sequence says that it has; what does not say is none."""
    for given in (Endless(), EndlessList("abc")):
        for function in (lambda it: values.join(it, "-"), values.centre, lambda it: values.back({"histogram": it})):
            with pytest.raises(ValueError, match="says that it has 3 items, and has more"):
                function(given)
    with pytest.raises(TypeError, match=r"histogram must be a sequence of 3, not itertools\.count"):
        values.back({"histogram": itertools.count()})


def test_lists_that_change(values: loader.Plugin) -> None:
    """Code of a value's own may change the sequence that holds it: what was there, or an error."""

    class Clears:
        def __init__(self, held: list[Any]) -> None:
            self.held = held

        def __float__(self) -> float:
            self.held.clear()
            return 2.0

        __index__ = __float__  # type: ignore[assignment]

    points: list[Any] = [(0, 0), (2, 2)]
    points[0] = (Clears(points), 4.0)
    assert values.centre(points) == (2.0, 3.0)
    point: list[Any] = []
    point += [Clears(point), 1.0]
    with pytest.raises(IndexError):
        values.centre([point])


def test_errors_of_a_values_own_code(values: loader.Plugin) -> None:
    """What they raise is not reworded, whatever it is."""

    class Fails:
        def __init__(self, error: BaseException) -> None:
            self.error = error

        def __float__(self) -> float:
            raise self.error

        __index__ = __len__ = __dlpack__ = __float__  # type: ignore[assignment]

        def __getitem__(self, place: object) -> Any:
            raise self.error

    for error in (TypeError("mine"), ValueError("mine"), KeyboardInterrupt("mine")):
        given = Fails(error)
        for call in (
            lambda given=given: values.scale(given, 1.0),
            lambda given=given: values.divide(given, 1),
            lambda given=given: values.choose(given, True),
            lambda given=given: values.join(given, ""),
            lambda given=given: values.centre(given),
            lambda given=given: values.centre([(given, 1.0)]),
            lambda given=given: values.back({"histogram": given}),
        ):
            with pytest.raises(type(error), match=r"^mine$"):
                call()


# ---- What is half made -------------------------------------------------------------------------------------


def test_nobody_sees_what_is_half_made(values: loader.Plugin, watched: Watched) -> None:
    """Tuples whose items are not there yet are not lent by the garbage collector: to look at one ends the process."""

    class Point:
        x = 1.0

        @property
        def y(self) -> float:
            look()
            return 2.0

    def look() -> None:
        for each in gc.get_objects():
            if isinstance(each, tuple):
                for place in range(len(each)):
                    _ = each[place]

    assert values.centre([Point(), Point()]) == (1.0, 2.0)
    assert values.back({"corners": [Point(), Point()]}).corners == ((1.0, 2.0), (1.0, 2.0))
    numbers = array.array("d", [1.0])
    with watched(look):
        rows = [(values.describe(numbers), values.divide(7, 2)) for _ in range(3)]
    assert all(gc.is_tracked(row) for row, _ in rows)
    assert rows[0][0].mean == 1.0
    assert rows[0][1] == (3, 1)
