"""The C caller: structs, and arguments by name."""

from __future__ import annotations

import gc
import types
from collections import UserDict, namedtuple
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loader

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("placement")

FRESH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def extremes(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest number of a width."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


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
        ({"title": b"x"}, TypeError, "show(): title must be a str, not bytes"),
        ({"title": None}, TypeError, "show(): title must be a str, not NoneType"),
        ({"blob": "x"}, TypeError, "show(): blob must be bytes, not str"),
        ({"count": 1.5}, TypeError, "show(): count must be an int, not float"),
        ({"weight": "x"}, TypeError, "show(): weight must be a float, not str"),
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
    with pytest.raises(
        TypeError, match=r"show\(\): struct probe_item wants a field 'tiny', which Point does not have"
    ):
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
    assert probe.four(*[1, 2], c=3, d=4) == "1 2 3 4"
    assert probe.four(1, 2, 3, 4) == "1 2 3 4"


def test_one_argument_is_no_plural(probe: loader.Plugin) -> None:
    """In the message for too many."""
    for call, text in (
        (lambda: probe.one(1, 2), "one() takes 1 argument, 2 were given"),
        (lambda: probe.none(1), "none() takes 0 arguments, 1 was given"),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == text


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


# ---- Threads -----------------------------------------------------------------------------------------------


def test_one_record_in_many_threads(probe: loader.Plugin, together: Callable[..., list[str]]) -> None:
    """A Record may be passed by several threads at once, also for the first time."""
    for _ in range(50):
        item = Kept()
        assert together(4, lambda _, item=item: probe.show(item)) == [shown(ITEM)] * 4
