"""`loader call` with numbers, arrays, lists and structs in structs: words that become them, and results as JSON."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command, Result, one_line
from tree import PLUGINS

Values = Callable[..., Result]


@pytest.fixture
def values(command: Command, build: Callable[..., Path]) -> Values:
    """`loader call` of the plugin values."""
    plugin = build("values.c")
    return lambda *words: command("call", "--contract", PLUGINS / "values.h", plugin, *words)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("scale", "2", "1.5"), 3.0),
        (("divide", "--", "-7", "2"), {"quotient": -3, "rest": -1}),
        (("choose", "VALUES_BEST", "true"), {"same": 1, "other": False}),
        (("dot", "[1, 2]", "[3, 4]"), 11.0),
        (("dot", "hex:" + struct.pack("dd", 1, 2).hex(), "[3, 4]"), 11.0),
        (("total_i8", "[-1, 2]"), 1),
        (("length", "@-"), 3),
        (("ramp", "3"), [0.0, 1.0, 2.0]),
        (("gain", "[1, 2]", "0.5"), {"result": "2", "samples": [0.5, 1.0]}),
        (("centre", '[[0, 0], {"x": 2}]'), {"x": 1.0, "y": 0.0}),
        (("circle", "2"), [{"x": 0.0, "y": -0.0}, {"x": 1.0, "y": -1.0}]),
        (("bytes_of", "2"), None),
    ],
)
def test_values(values: Values, words: tuple[str, ...], shown: object) -> None:
    """What is text or bytes is written as it is, all else as JSON."""
    done = values(*words) if "@-" not in words else values(*words[:-1], "hex:616263")
    assert (done.code, done.err) == (0, "")
    if shown is None:
        assert done.out == b"\xff\xff"
    else:
        assert json.loads(done.out) == shown


def test_texts(values: Values) -> None:
    """A list of texts is a JSON array."""
    assert values("join", '["a", "b"]', "-").out == b"a-b"


def test_struct(values: Values) -> None:
    """Members that are structs or arrays are JSON, as a whole or as FIELD=VALUE."""
    words = ('{"peak": {"x": 1}, "histogram": [1, 2, 3], "corners": [{}, {"y": 2.5}], "mode": "VALUES_LAST"}',)
    for given in (words, ('peak={"x": 1}', "histogram=[1, 2, 3]", 'corners=[{}, {"y": 2.5}]', "mode=VALUES_LAST")):
        found = json.loads(values("back", *given).out)
        assert found["peak"] == {"x": 1.0, "y": 0.0}
        assert found["histogram"] == [1, 2, 3]
        assert found["corners"][1]["y"] == 2.5
        assert found["mode"] == -7


def test_json(values: Values) -> None:
    """--json tells the same, with what was called; arrays that were changed too."""
    found = json.loads(values("gain", "[1, 2]", "0.5", "--json").out)
    assert (found["function"], found["result"], found["samples"]) == ("gain", "2", [0.5, 1.0])
    assert json.loads(values("divide", "7", "2", "--json").out)["result"] == {"quotient": 3, "rest": 1}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("scale", "x", "1"), "value is a number, not 'x'"),
        (("dot", "x", "[1]"), "a is not valid JSON"),
        (("dot", '["x"]', "[1]"), "a is an array of f64"),
        (("dot", "hex:00", "[1]"), "a is an array of f64"),
        (("total_i8", "[300]"), "of is an array of i8"),
        (("join", "a", "-"), "words is not valid JSON"),
        (("join", "[1]", "-"), "words is a JSON array of strings"),
        (("centre", "[[1]]"), "struct values_point has 2 fields"),
        (("centre", "5"), "points must be a sequence of values_point"),
        (("back", "histogram=[1]"), "histogram is an array of 3, not [1]"),
        (("back", "peak=1"), "peak is a JSON object, not 1"),
        (("back", 'peak={"z": 1}'), "peak has no field 'z'"),
        (("choose", "VALUES_BST", "true"), "mode is VALUES_FAST, VALUES_BEST or VALUES_LAST, not 'VALUES_BST'"),
        (
            ("choose", "VALUES_BST", "true"),
            "expected choose MODE:VALUES_FAST|VALUES_BEST|VALUES_LAST FLAG:true|false",
        ),
        (("choose", "VALUES_BST", "true"), "Did you mean VALUES_BEST?"),
        (("choose", "1", "yes"), "flag is true or false, not 'yes'"),
        (("back", '{"mode": "BEST"}'), 'mode is VALUES_FAST, VALUES_BEST or VALUES_LAST, not "BEST"'),
    ],
)
def test_wrong_words(values: Values, words: tuple[str, ...], text: str) -> None:
    """Wrong usage: one line, exit code 2."""
    done = values(*words)
    assert done.code == 2
    assert text in one_line(done.err)


def test_contract(command: Command) -> None:
    """`loader contract` tells kinds, results and what is changed in place."""
    out = command("contract", PLUGINS / "values.h").out.decode()
    assert "scale(value: double, factor: float) -> scaled: double\n" in out
    assert "divide(a: integer of 64 bits, b: integer of 64 bits) -> quotient: integer of 64 bits, rest:" in out
    assert "gain(samples: f32 array, changed in place, factor: float) -> text\n" in out
    assert "choose(mode: values_mode, flag: bool) -> same: values_mode, other: bool\n" in out
    assert "move(points: list of values_point, changed in place, by: double) -> text\n" in out
    assert "both(text: text) -> text, size: integer of 64 bits\n" in out
    assert "peak: values_point, histogram: integer of 16 bits[3]" in out


def test_arrow(command: Command, build: Callable[..., Path]) -> None:
    """An Arrow array is told, not printed; none comes from a command line."""
    plugin = build("arrow.c")
    call = ("call", "--contract", PLUGINS / "arrow.h", plugin)
    done = command(*call, "two")
    assert (done.code, done.json["number"]) == (0, 7)
    assert done.json["second"] == "<Arrow array of format 'l', 3 elements>"
    done = command(*call, "sum", "[1, 2]")
    assert done.code == 2
    assert "values is an Arrow array, which a command line cannot bring" in one_line(done.err)
