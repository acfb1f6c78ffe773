"""Records and struct fields: what a plugin is given is what the object holds at the call, kept form or not."""

from __future__ import annotations

import array
import gc
import mmap
import weakref
from collections import UserDict
from dataclasses import dataclass, field
from typing import Any

import pytest

import loader

pytestmark = pytest.mark.usefixtures("placement")

# What is under test does not go by types.
# mypy: disable-error-code="misc,attr-defined,assignment,arg-type"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, build: Any, placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """A plugin whose `show` writes the two doubles and the bytes of a struct."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "pair.h").write_text(
        '#include "loader/plugin.h"\nLOADER_CONTRACT(pair, 1, 0);\nLOADER_BEGIN_C\n'
        "typedef struct pair { size_t size; double x, y; loader_bytes data; } pair;\n"
        "LOADER_EXPORT int show(loader_call *call, const pair *p);\nLOADER_END_C\n"
    )
    (folder / "pair.c").write_text(
        '#include "pair.h"\n'
        "int show(loader_call *call, const pair *p) {\n"
        '    return loader_printf(call, "%g %g %.*s", p->x, p->y, (int)p->data.size,\n'
        "                         (const char *)p->data.data);\n}\n"
    )
    path = build(folder / "pair.c", flags=[f"-I{folder}"])
    return loader.load(path, contract=loader.Contract.from_header(folder / "pair.h"))


@dataclass(frozen=True)
class Frozen(loader.Record):
    """What a Record is meant to be."""

    x: float
    y: float
    data: Any = b""


@dataclass
class Changing(loader.Record):
    """A Record that may change."""

    x: float
    y: float
    data: Any = b""


@dataclass(slots=True)
class ChangingSlots(loader.Record):
    """The same with slots: the decorator makes the class anew."""

    x: float
    y: float
    data: Any = b""


class Plain(loader.Record):
    """No dataclass at all."""

    def __init__(self, x: float, y: float, data: Any = b"") -> None:
        self.x, self.y, self.data = x, y, data


class Thawed(Frozen):
    """A frozen class's child that sets attributes all the same."""

    __setattr__ = object.__setattr__


class ChangingChild(Frozen):
    """A frozen class's child with a field that is computed."""

    factor = 1.0

    @property
    def x(self) -> float:
        """Not the field."""
        return 2 * type(self).factor

    @x.setter
    def x(self, value: float) -> None:
        pass


class Looking(Frozen):
    """A frozen class's child that computes what is looked up."""

    factor = 1.0

    def __getattribute__(self, name: str) -> Any:
        return 2 * type(self).factor if name == "x" else super().__getattribute__(name)


@dataclass(frozen=True)
class Beside(loader.Record):
    """A frozen class that lacks a field, which is an attribute of the class."""

    x: float
    data: bytes = b""


Beside.y = 2.0


@pytest.mark.parametrize("kind", [Changing, ChangingSlots, Plain, Thawed])
def test_attributes_that_change(pair: loader.Plugin, kind: Any) -> None:
    """A record that is not frozen may change between calls: each call sees what it holds then."""
    record = kind(1, 2)
    assert pair.show(record) == "1 2 "
    record.x = 100
    assert pair.show(record) == "100 2 "
    record.data = b"text"
    assert pair.show(record) == "100 2 text"


@pytest.mark.parametrize("kind", [ChangingChild, Looking])
def test_attributes_that_are_computed(pair: loader.Plugin, kind: Any) -> None:
    """The same of what a class computes."""
    record = kind(1, 2)
    assert pair.show(record) == "2 2 "
    kind.factor = 2.0
    assert pair.show(record) == "4 2 "
    kind.factor = 1.0


def test_attribute_of_the_class(pair: loader.Plugin) -> None:
    """The same of what is no field of the dataclass."""
    record = Beside(1)
    assert pair.show(record) == "1 2 "
    Beside.y = 3.0
    assert pair.show(record) == "1 3 "
    Beside.y = 2.0


def test_post_init(pair: loader.Plugin) -> None:
    """A frozen class may set its own fields while it is made."""

    @dataclass(frozen=True, slots=True)
    class Scaled(loader.Record):
        x: float
        y: float
        data: bytes = b""
        scale: float = field(default=2)

        def __post_init__(self) -> None:
            object.__setattr__(self, "x", self.x * self.scale)

    record = Scaled(1, 2)
    assert pair.show(record) == pair.show(record) == "2 2 "


@pytest.mark.parametrize("make", [lambda values: values, UserDict, lambda values: Frozen(**values)])
@pytest.mark.parametrize(
    "given",
    [
        bytearray(b"text"),
        memoryview(b"text"),
        memoryview(bytearray(b"text")).toreadonly(),
        memoryview(b"-t-e-x-t")[1::2],
        array.array("B", b"text"),
        b"text",
        type("Bytes", (bytes,), {})(b"text"),
    ],
)
def test_fields_of_bytes_take_any_buffer(pair: loader.Plugin, given: Any, make: Any) -> None:
    """A field of bytes takes what a parameter takes."""
    assert pair.show(make({"x": 1, "y": 2, "data": given})) == "1 2 text"


def test_buffers_that_change(pair: loader.Plugin) -> None:
    """A buffer in a frozen record may change, and each call sees what it holds then; nothing keeps it exported."""
    data = bytearray(b"one")
    record = Frozen(1, 2, data)
    assert pair.show(record) == "1 2 one"
    data[:] = b"two, longer"
    assert pair.show(record) == "1 2 two, longer"
    with mmap.mmap(-1, 16) as memory:
        mapped = Frozen(1, 2, memoryview(memory)[:3].toreadonly())
        memory[:3] = b"abc"
        assert pair.show(mapped) == "1 2 abc"
        memory[:3] = b"def"
        assert pair.show(mapped) == "1 2 def"
        mapped.data.release()


def test_numbers_that_change(pair: loader.Plugin) -> None:
    """An object with __float__ may give another number each time."""

    class Counter:
        value = 0.0

        def __float__(self) -> float:
            self.value += 1
            return self.value

    record = Frozen(Counter(), 2)
    assert [pair.show(record) for _ in range(3)] == ["1 2 ", "2 2 ", "3 2 "]


def test_what_is_no_buffer(pair: loader.Plugin) -> None:
    """Anything else is refused; a number is no buffer of so many zeros."""
    for given in ("text", 4, None, [1, 2]):
        with pytest.raises(TypeError, match=rf"^show\(\): data must be bytes, not {type(given).__name__}$"):
            pair.show(x=1, y=2, data=given)


def test_frozen_keeps_its_form(pair: loader.Plugin) -> None:
    """A frozen record is packed once: what gets round that it is frozen is not seen any more."""
    record = Frozen(1, 2)
    assert pair.show(record) == "1 2 "
    object.__setattr__(record, "x", 100)
    assert pair.show(record) == "1 2 "


def test_a_record_in_a_circle(pair: loader.Plugin) -> None:
    """A record that was packed, and whose field leads back to it, is freed."""

    class Text(bytes):
        pass

    record = Frozen(1, 2, Text(b"text"))
    record.data.record = record
    assert pair.show(record) == "1 2 text"
    gone = weakref.ref(record)
    del record
    gc.collect()
    assert gone() is None


def test_packed_again_while_its_class_is_asked(pair: loader.Plugin) -> None:
    """A record that another call packs, while its class is asked whether it is frozen, is freed with its fields."""

    class Asked(type(Frozen)):
        def __getattribute__(cls, name: str) -> Any:
            if name == "__dataclass_fields__" and waiting:
                pair.show(waiting.pop())  # as another thread might
            return super().__getattribute__(name)

    waiting: list[Any] = []

    @dataclass(frozen=True)
    class Again(loader.Record, metaclass=Asked):
        x: float
        y: float
        data: Any

    class Text(bytes):
        pass

    record = Again(1, 2, Text(b"text"))
    record.data.part = Text  # goes with the last record of it
    gone = weakref.ref(Text)
    waiting.append(record)
    assert pair.show(record) == "1 2 text"
    assert not waiting
    del record, Text
    gc.collect()
    assert gone() is None
