"""Arguments of an enum's type or bool: one of its values, or ValueError."""

from __future__ import annotations

import enum
import re
from typing import Any

import pytest

import loader

pytestmark = pytest.mark.usefixtures("placement")

HEADER = """#include <stdbool.h>
#include "loader/plugin.h"
LOADER_CONTRACT(paint, 1, 0);
LOADER_BEGIN_C
typedef enum color { RED, GREEN = 5, BLUE, ALIAS = 5, LOW = -3 } color;
enum many { M0, M1, M2, M3, M4, M5, M6, M7, M8, M9 };
typedef _Bool flag;
typedef struct pen { size_t size; bool on; color c; } pen;
LOADER_EXPORT int fill(loader_call *call, color c, bool solid);
LOADER_EXPORT int flags(loader_call *call, flag a, uint8_t b);
LOADER_EXPORT int choose(loader_call *call, enum many which);
LOADER_EXPORT int draw(loader_call *call, const pen *p);
LOADER_END_C
"""
SOURCE = """#include "paint.h"
int fill(loader_call *call, color c, bool solid) { return loader_printf(call, "%d %d", (int)c, (int)solid); }
int flags(loader_call *call, flag a, uint8_t b) { return loader_printf(call, "%d %d", (int)a, (int)b); }
int choose(loader_call *call, enum many which) { return loader_printf(call, "%d", (int)which); }
int draw(loader_call *call, const pen *p) { return loader_printf(call, "%d %d", (int)p->on, (int)p->c); }
"""
COLORS = "RED (0), GREEN (5), BLUE (6), ALIAS (5) or LOW (-3)"


class Index:
    """Not an int, but usable as one; another number each time it is asked."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def __index__(self) -> int:
        return self.numbers.pop(0)


@pytest.fixture(scope="module", params=["header", "json"])
def paint(
    tmp_path_factory: pytest.TempPathFactory,
    build: Any,
    request: pytest.FixtureRequest,
    placement: str,  # noqa: ARG001 - anew for each
) -> loader.Plugin:
    """A plugin that writes its arguments; its contract from the header, and from JSON."""
    folder = tmp_path_factory.mktemp("paint")
    (folder / "paint.h").write_text(HEADER)
    (folder / "paint.c").write_text(SOURCE)
    contract = loader.Contract.from_header(folder / "paint.h")
    if request.param == "json":
        contract = loader.Contract.from_json(contract.to_json())
    return loader.load(build(folder / "paint.c", flags=[f"-I{folder}"]), contract=contract)


def test_values_of_the_type(paint: loader.Plugin) -> None:
    """An enum's values, aliases and IntEnums of them, and True, False, 1, 0."""

    class Color(enum.IntEnum):
        GREEN = 5

    assert paint.fill(5, True) == paint.fill(Color.GREEN, solid=1) == paint.fill(Index(5), Index(1)) == "5 1"
    assert paint.fill(-3, False) == "-3 0"
    assert paint.flags(True, 255) == "1 255"
    assert paint.choose(9) == "9"
    assert paint.draw(on=True, c=6) == paint.draw({"on": 1, "c": 6}) == "1 6"
    assert paint.draw({}) == "0 0"


@pytest.mark.parametrize("value", [1, -1, 4, 7, 2**31, -(2**31), 2**64 + 5, 2**100])
def test_other_values_of_an_enum(paint: loader.Plugin, value: int) -> None:
    """Any other number is a ValueError that names function, parameter and values, however large."""
    with pytest.raises(ValueError, match=re.escape(f"fill(): c is {COLORS}, not {value}")):
        paint.fill(value, True)
    with pytest.raises(ValueError, match=re.escape(f"draw(): c is {COLORS}, not {value}")):
        paint.draw(on=True, c=value)


@pytest.mark.parametrize("value", [2, -1, 256, 2**64, 2**64 + 1])
def test_other_values_of_bool(paint: loader.Plugin, value: int) -> None:
    """The same of bool."""
    with pytest.raises(ValueError, match=re.escape(f"fill(): solid is True or False, not {value}")):
        paint.fill(0, value)
    with pytest.raises(ValueError, match=re.escape(f"flags(): a is True or False, not {value}")):
        paint.flags(value, 0)
    with pytest.raises(ValueError, match=re.escape(f"draw(): on is True or False, not {value}")):
        paint.draw(on=value, c=0)


def test_what_is_no_number(paint: loader.Plugin) -> None:
    """What is no int is a TypeError with the values, and what its own code raises is that."""
    for wrong in ("1", None, 1.0, []):
        kind = type(wrong).__name__
        with pytest.raises(TypeError, match=rf"fill\(\): solid is True or False, not {kind}$"):
            paint.fill(0, wrong)
        with pytest.raises(TypeError, match=re.escape(f"fill(): c is {COLORS}, not {kind}")):
            paint.fill(wrong, True)
        with pytest.raises(TypeError, match=re.escape(f"draw(): c is {COLORS}, not {kind}")):
            paint.draw(on=True, c=wrong)
    with pytest.raises(IndexError):
        paint.fill(Index(), True)


def test_asked_once(paint: loader.Plugin) -> None:
    """An object that gives a value of the enum, and then another number, is asked once."""
    assert paint.fill(Index(6, 77), Index(0, 77)) == "6 0"


def test_many_values(paint: loader.Plugin) -> None:
    """An error does not list a hundred values."""
    with pytest.raises(ValueError, match=r"choose\(\): which is M0 \(0\), .*, M7 \(7\) or 2 more, not 10"):
        paint.choose(10)


def test_what_the_contract_says(paint: loader.Plugin) -> None:
    """Parameters and fields carry names and values; other integers none."""
    color, solid = paint.contract.function("fill").parameters
    assert color.values == (("RED", 0), ("GREEN", 5), ("BLUE", 6), ("ALIAS", 5), ("LOW", -3))
    assert solid.values == (("false", 0), ("true", 1))
    assert paint.contract.function("flags").parameters[1].values == ()
    assert [f.values for f in paint.contract.struct("pen").fields] == [solid.values, color.values]


def test_values_that_are_none(paint: loader.Plugin) -> None:
    """Values that are not names and numbers are refused; an enum has some, and what has none is an integer."""
    values = paint.contract.to_dict()
    del values["fingerprint"]  # of what it says now
    for function in values["functions"]:
        for parameter in function["parameters"]:
            parameter.pop("values", None)
    with pytest.raises(loader.ContractError, match="values of color"):
        loader.Contract.from_dict(values)
    for function in values["functions"]:
        for parameter in function["parameters"]:
            parameter.pop("enum", None)
    assert loader.Contract.from_dict(values).function("fill").parameters[0].values == ()
    for wrong in (None, "ab", [1], [["a", "b"]], [["a", 1, 2]], [["a", True]]):
        values["functions"][0]["parameters"][0]["values"] = wrong
        with pytest.raises(loader.ContractError):
            loader.Contract.from_dict(values)
