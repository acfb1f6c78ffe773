"""loader/contract/compare.py: what changed between two headers, and what a minor version may change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from headers import read_header

from loader.contract.compare import Change, changes

if TYPE_CHECKING:
    from loader.contract import Contract

HEADER = """\
#include <stdbool.h>
typedef enum mode { FAST = 0, BEST = 1 } mode;
typedef struct point { double x, y; } point;
typedef struct order { size_t size; int64_t number; int32_t copies; } order;
LOADER_EXPORT int scale(loader_call *call, double value, mode how, LOADER_OUT double *scaled);
LOADER_OPTIONAL int place(loader_call *call, const order *order, const point *at);
typedef struct inner { size_t size; double depth; } inner;
typedef struct outer { size_t size; inner last; } outer;
LOADER_LIST(point);
LOADER_OPTIONAL int centre(loader_call *call, const point_list *points, const loader_tensor *image,
                           const outer *outer);
typedef struct desk desk;
struct desk {
    size_t size;
    int (*left)(loader_call *call, const desk *self, const loader_text *what, LOADER_OUT int64_t *left);
};
LOADER_SERVICE("test.desk/1", desk);
typedef struct watch watch;
struct watch {
    size_t size;
    int (*seen)(loader_call *call, const watch *self, double done);
};
LOADER_INTERFACE(watch);
LOADER_CLASS(clock);
LOADER_OPTIONAL int clock_new(loader_call *call, LOADER_OUT clock **made);
LOADER_OPTIONAL int clock_wind(loader_call *call, clock *self, const watch *watch);
LOADER_OPTIONAL void clock_free(clock *self);
"""
SCALE = "LOADER_EXPORT int scale("
NEW = "(loader_call *call);\n"
HEAD = '#include "loader/plugin.h"\nLOADER_CONTRACT({}, {}, {});\nint fine(loader_call *call);\n'


def contract(folder: Path, text: str, major: int = 1, minor: int = 0, name: str = "test") -> Contract:
    """The contract of these declarations and the function fine."""
    return read_header(folder, text, head=HEAD.format(name, major, minor))


SECOND_SERVICE = (
    'LOADER_SERVICE("test.desk/1", desk);\n'
    "typedef struct b b;\nstruct b { size_t size; int (*f)(loader_call *call, const b *self); };\n"
    'LOADER_SERVICE("test.b/1", b);'
)
ALLOWED = {
    "optional function": (SCALE, f"LOADER_OPTIONAL int more{NEW}{SCALE}", "function more: is new, optional"),
    "at the end of a struct": (
        "int32_t copies;",
        "int32_t copies; int64_t weight;",
        "struct order: weight: int64 is new, at the end",
    ),
    "value of an enum": ("BEST = 1", "BEST = 1, MIDDLE", "enum mode: MIDDLE (2) is new"),
    "a service": (
        'LOADER_SERVICE("test.desk/1", desk);',
        SECOND_SERVICE,
        "service test.b/1: is new",
    ),
    "end of a table": (
        "LOADER_OUT int64_t *left);\n",
        "LOADER_OUT int64_t *left);\n    int (*note)(loader_call *call, const desk *self);\n",
        "service test.desk/1: note is new, at the end",
    ),
    "end of an interface": (
        "double done);\n",
        "double done);\n    int (*over)(loader_call *call, const watch *self);\n",
        "interface watch: over is new, at the end",
    ),
    "a class": (
        "LOADER_CLASS(clock);",
        (
            "LOADER_CLASS(clock);\nLOADER_CLASS(dial);\nLOADER_OPTIONAL void dial_free(dial *self);\n"
            "LOADER_OPTIONAL int dial_new(loader_call *call, LOADER_OUT dial **made);"
        ),
        "function dial_free: is new, optional",
    ),
    "a method": (
        "LOADER_OPTIONAL int clock_wind",
        "LOADER_OPTIONAL int clock_stop(loader_call *call, clock *self);\nLOADER_OPTIONAL int clock_wind",
        "function clock_stop: is new, optional",
    ),
    "required becomes optional": (SCALE, SCALE.replace("EXPORT", "OPTIONAL"), "function scale: is optional"),
}
BREAKS = {
    "required function": (SCALE, f"LOADER_EXPORT int more{NEW}{SCALE}", "function more: is new, required"),
    "function gone": ("int place(", "int put(", "function place: is gone"),
    "optional becomes required": (
        "LOADER_OPTIONAL int place",
        "LOADER_EXPORT int place",
        "function place: is required",
    ),
    "kind of a parameter": (
        "double value",
        "float value",
        "function scale: takes (value: float, how: mode), was (value: double, how: mode)",
    ),
    "name of a parameter": ("double value", "double number", "takes (number: double, how: mode)"),
    "a parameter more": ("double value", "double value, bool x", "x: bool"),
    "result": ("LOADER_OUT double", "LOADER_OUT float", "gives (scaled: float, parameter 3), was (scaled: double"),
    "place of a result": (
        "mode how, LOADER_OUT double *scaled",
        "LOADER_OUT double *scaled, mode how",
        "gives (scaled: double, parameter 2), was (scaled: double, parameter 3)",
    ),
    "what is written": ("LOADER_EXPORT int", "LOADER_GIVES_BYTES LOADER_EXPORT int", "what it writes: bytes"),
    "a struct without its size": (
        "double x, y;",
        "double x, y, z;",
        "struct point: z: double is new: the struct does",
    ),
    "in the middle of a struct": (
        "int64_t number;",
        "int32_t a, b; int64_t number;",
        "struct order: a: int32 is new: not",
    ),
    "in a struct's padding": ("int32_t copies;", "int32_t copies, spare;", "it lies in what was padding"),
    "member gone": (" int32_t copies;", "", "struct order: copies is gone"),
    "member's kind": ("int32_t copies", "uint32_t copies", "struct order: has copies: uint32, was copies: int32"),
    "members change places": ("double x, y", "double y, x", "struct point: x is at byte 8, was at 0"),
    "a struct loses its size": (
        "struct outer { size_t size; ",
        "struct outer { ",
        "struct outer: does not begin with its size any more",
    ),
    "at the end of a struct in a struct": (
        "double depth;",
        "double depth, width;",
        "struct inner: width: double is new: the struct lies in another one",
    ),
    "a struct around one that grew": ("double depth;", "double depth, width;", "struct outer: has 32 bytes, was 24"),
    "no list": ("const point_list *points", "const point *points", "(points: point, image: tensor"),
    "a list changed in place": ("const point_list", "point_list", "(points: list of point, changed in place, image"),
    "a tensor changed in place": ("const loader_tensor", "loader_tensor", "image: tensor, changed in place, outer"),
    "enum's value": ("BEST = 1", "BEST = 2", "enum mode: BEST is 2, was 1"),
    "enum's name": ("BEST = 1", "FINEST = 1", "enum mode: BEST is gone"),
    "service gone": ("test.desk/1", "test.desk/2", "service test.desk/1: is gone"),
    "middle of a table": (
        "    int (*left)",
        "    int (*note)(loader_call *call, const desk *self);\n    int (*left)",
        "in place 1 of the table is note, was left",
    ),
    "middle of an interface": (
        "    int (*seen)",
        "    int (*over)(loader_call *call, const watch *self);\n    int (*seen)",
        "interface watch: in place 1 of the table is over, was seen",
    ),
    "function of an interface": ("double done", "float done", "interface watch: seen takes (done: float), was"),
    "a class is shared": (
        "LOADER_CLASS(clock)",
        "LOADER_SHARED_CLASS(clock)",
        "class clock: is shared by threads now",
    ),
    "another class": ("clock *self, const watch", "const watch", "function clock_wind: takes (watch: watch), was"),
    "function of a table": (
        "LOADER_OUT int64_t *left",
        "LOADER_OUT double *left",
        "service test.desk/1: left gives (left: double, parameter 2), was (left: int64, parameter 2)",
    ),
}


def told(change: Change) -> str:
    """A change as a line."""
    return f"{change.part} {change.name}: {change.what}"


@pytest.mark.parametrize("case", ALLOWED)
def test_what_a_minor_version_may_add(tmp_path: Path, case: str) -> None:
    """Each is told and allowed, if the minor version was raised, and not without."""
    before, after, what = ALLOWED[case]
    assert HEADER.count(before) == 1
    old, text = contract(tmp_path, HEADER), HEADER.replace(before, after)
    found = changes(old, contract(tmp_path, text, minor=1))
    assert all(each.allowed for each in found), found
    assert told(found[0]) == "contract test: version 1.0 is 1.1 now"
    assert any(told(each).startswith(what) for each in found), found
    same = changes(old, contract(tmp_path, text))
    assert [each for each in same if not each.allowed] == [
        Change("contract", "test", "changed, and is 1.0 as before", allowed=False)
    ]
    assert same[1:] == found[1:]


@pytest.mark.parametrize("case", BREAKS)
def test_what_breaks_plugins_that_were_built_before(tmp_path: Path, case: str) -> None:
    """Each is told and not allowed in a minor version, and allowed in a major one."""
    before, after, what = BREAKS[case]
    assert HEADER.count(before) == 1
    old, text = contract(tmp_path, HEADER), HEADER.replace(before, after)
    found = changes(old, contract(tmp_path, text, minor=1))
    assert any(what in told(each) and not each.allowed for each in found), found
    assert all(each.allowed for each in changes(old, contract(tmp_path, text, major=2)))


def test_nothing_changed(tmp_path: Path) -> None:
    """Comments are no change; a raised version alone is told."""
    old = contract(tmp_path, HEADER)
    assert changes(old, contract(tmp_path, HEADER + "/* more words */\n")) == ()
    assert [told(each) for each in changes(old, contract(tmp_path, HEADER, minor=4))] == [
        "contract test: version 1.0 is 1.4 now"
    ]


def test_what_plugins_need_of_the_loader_may_change(tmp_path: Path) -> None:
    """It is told, and asks for no new version: a host reads from each plugin what that needs."""
    old, new = contract(tmp_path, HEADER), contract(tmp_path, HEADER + "LOADER_NEEDS(3);\n")
    assert changes(old, new) == (Change("contract", "test", "needs loader ABI 1.3, was 1.0", allowed=True),)
    assert changes(old, old) == changes(new, new) == ()


def test_an_older_version_is_no_next_one(tmp_path: Path) -> None:
    """Named the wrong way round, and another contract."""
    (lower,) = changes(contract(tmp_path, HEADER, minor=1), contract(tmp_path, HEADER))
    assert not lower.allowed
    found = changes(contract(tmp_path, HEADER), contract(tmp_path, HEADER, major=2, name="other"))
    assert [each for each in found if not each.allowed] == [
        Change("contract", "other", "was test, which is another contract", allowed=False)
    ]


def test_order_is_told(tmp_path: Path) -> None:
    """Functions are found by name: their order may change, in a new version."""
    first, second = f"int a{NEW}", f"int b{NEW}"
    found = changes(contract(tmp_path, first + second), contract(tmp_path, second + first, minor=1))
    assert "contract test: functions are in another order" in map(told, found)
    assert all(each.allowed for each in found)


@pytest.mark.parametrize("case", [*ALLOWED, *BREAKS])
def test_every_change_of_the_fingerprint_is_named(tmp_path: Path, case: str) -> None:
    """A fingerprint that differs, and nothing to say about it, would help nobody."""
    before, after, _ = {**ALLOWED, **BREAKS}[case]
    old, new = contract(tmp_path, HEADER), contract(tmp_path, HEADER.replace(before, after), minor=1)
    assert old.fingerprint != new.fingerprint
    assert not any("not known here" in each.what for each in changes(old, new))
