"""_core/wire/arrow_*.c, _core/remote/take_arrow.c, arrow_content.c: Arrow arrays of every format cross to a worker
and back, and what comes back leads nowhere else.
"""

from __future__ import annotations

import datetime as dt
import decimal
import gc
from typing import TYPE_CHECKING, Any

import pytest
from arrow_made import Made
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pa = pytest.importorskip("pyarrow")

DAY, TIME = dt.date(2024, 2, 29), dt.time(12, 30, 1)
ARRAYS = {
    "null": pa.nulls(5),
    "bool": pa.array([True, None, False, True] * 5),
    **{
        f"{kind}": pa.array([1, None, 3, 100], kind)
        for kind in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
    },
    "float16": pa.array([1.5, None]).cast(pa.float16()),
    "utf8": pa.array(["a", None, "grün", ""]),
    "large utf8": pa.array(["a", None, "grün", ""], pa.large_string()),
    "binary": pa.array([b"\xff", None, b""]),
    "large binary": pa.array([b"\xff", None, b""], pa.large_binary()),
    "utf8 view": pa.array(["short", None, "a text of more than twelve bytes", "grün"], pa.string_view()),
    "binary view": pa.array([b"\xff", None, b"\xff" * 100], pa.binary_view()),
    "fixed binary": pa.array([b"abc", None, b"def"], pa.binary(3)),
    "decimal": pa.array([decimal.Decimal("1.25"), None], pa.decimal128(10, 2)),
    "wide decimal": pa.array([decimal.Decimal("1.25"), None], pa.decimal256(40, 2)),
    "date": pa.array([DAY, None]),
    "date64": pa.array([DAY, None], pa.date64()),
    "time": pa.array([TIME, None], pa.time32("s")),
    "time64": pa.array([TIME, None], pa.time64("ns")),
    "timestamp": pa.array([dt.datetime(2024, 2, 29, 1), None], pa.timestamp("us", "Europe/Berlin")),  # noqa: DTZ001
    "duration": pa.array([dt.timedelta(1), None]),
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "list": pa.array([[1], [], None, [2, 3]]),
    "large list": pa.array([["a"], None], pa.large_list(pa.string())),
    "list view": pa.array([[1], [], None, [2, 3]], pa.list_view(pa.int64())),
    "large list view": pa.array([[1], [], None], pa.large_list_view(pa.int64())),
    "fixed list": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1, 0], "int8"), pa.array([0, 0, 1], "int32"), [pa.array([1, 2]), pa.array(["x"])]
    ),
    "sparse union": pa.UnionArray.from_sparse(pa.array([0, 1], "int8"), [pa.array([1, 2]), pa.array(["x", "y"])]),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], "int32"), pa.array(["a", None])),
    "lists of lists": pa.array([[["a"], None], None, [[], ["b", None]]]),
    "nothing": pa.array([], pa.string()),
    "no lists": pa.array([], pa.list_(pa.string())),
    "million": pa.array(range(1_000_000)),
}


@pytest.fixture(scope="module")
def plugin(build: Callable[..., Path]) -> loader.Plugin:
    """The plugin arrow_echo in a worker."""
    contract = loader.Contract.from_header(PLUGINS / "arrow_echo.h")
    return loader.load(build("arrow_echo.c"), contract=contract, isolation=loader.Isolation(sandbox="off"))


@pytest.mark.parametrize("name", ARRAYS)
def test_every_format(plugin: loader.Plugin, name: str) -> None:
    """What comes back is what went, a slice and an empty one too, and valid to the last byte."""
    array = ARRAYS[name]
    for each in (array, array[1:], array[1:-1], array[:0]):
        back = pa.array(plugin.echo(each))
        assert back.type == each.type
        assert back.equals(each)
        back.validate(full=True)
        del back
    gc.collect()


def test_metadata_and_names(plugin: loader.Plugin) -> None:
    """A schema's names, flags and metadata cross."""
    field = pa.field("x", pa.int64(), nullable=False, metadata={"k": "v", "": "\0"})
    batch = pa.record_batch([pa.array([1, 2])], schema=pa.schema([field], metadata={b"top": b"\xff"}))
    back = pa.record_batch(plugin.echo(batch))
    assert back.schema.equals(batch.schema, check_metadata=True)
    assert back.equals(batch)


def test_children_outlive_what_they_were_in(plugin: loader.Plugin) -> None:
    """A consumer may keep a part."""
    child = pa.array(plugin.echo(ARRAYS["struct"])).field("b")
    gc.collect()
    assert child.equals(ARRAYS["struct"].field("b"))


def test_a_format_that_nobody_knows(plugin: loader.Plugin) -> None:
    """How long its buffers are cannot be told: ValueError with the parameter's name, before the plugin is called."""
    for letter in (b"?", b"+q", b"w:", b"w:x", b"d:3", b"tx", b"+u", b"ll"):
        made = Made(1, 2)
        made.schema.format = letter
        with pytest.raises(ValueError, match=r"^values has a format, or buffers, that cannot be copied"):
            plugin.echo(made)
        assert len(made.released) == 2
    assert pa.array(plugin.echo(pa.array([1]))).to_pylist() == [1]


LARGE = 1 << 40
SPOILT = {
    "text is no UTF-8": ("utf8", 0, 2, 0, 0xFF, 1, "no UTF-8"),
    "an offset below 0": ("utf8", 0, 1, 4, -1, 4, "offsets"),
    "an offset beyond": ("utf8", 0, 1, 4, 1 << 20, 4, "offsets"),
    "the last offset beyond": ("utf8", 0, 1, 16, LARGE >> 12, 4, "no UTF-8|offsets"),
    "the last offset below 0": ("utf8", 0, 1, 16, -5, 4, "offsets"),
    "a list's offset": ("list", 0, 1, 4, 77, 4, "offsets"),
    "a list view's size": ("list view", 0, 2, 0, 77, 4, "offsets"),
    "a view's buffer": ("utf8 view", 0, 1, 2 * 16 + 8, 3, 4, "offsets"),
    "a view's offset": ("utf8 view", 0, 1, 2 * 16 + 12, 3, 4, "offsets"),
    "a view's size": ("utf8 view", 0, 1, 2 * 16, 1 << 30, 4, "offsets"),
    "a view's size below 0": ("utf8 view", 0, 1, 2 * 16, -1, 4, "offsets"),
    "a view's text": ("utf8 view", 0, 1, 4, 0xFF, 1, "no UTF-8"),
    "the size of views' data": ("utf8 view", 0, 3, 0, 1 << 50, 8, "out of memory"),
    "an index": ("dictionary", 0, 1, 0, 2, 4, "indices"),
    "an index below 0": ("dictionary", 0, 1, 0, -1, 4, "indices"),
    "a union's type": ("dense union", 0, 0, 1, 5, 1, "type"),
    "a union's offset": ("dense union", 0, 1, 0, 2, 4, "offsets"),
    "run ends": ("run ends", 1, 1, 4, 1, 4, "run ends"),
    "run ends that end early": ("run ends", 1, 1, 4, 4, 4, "offsets"),
    "a child's length": ("struct", 1, -1, 0, 2, 0, "offsets"),
    "a fixed list's child": ("fixed list", 1, -1, 0, 5, 0, "offsets"),
    "a length": ("int64", 0, -1, 0, 1 << 59, 0, "out of memory"),
    "a length of the most": ("int64", 0, -1, 0, (1 << 63) - 1, 0, "out of memory"),
    "a length below 0": ("int64", 0, -1, 0, -1, 0, "length"),
    "an offset of it": ("int64", 0, -2, 0, (1 << 63) - 4, 0, "length"),
    "more buffers": ("int64", 0, -4, 0, 1, 0, "buffers"),
    "another format": ("int64", 0, -5, 0, ord("u"), 0, "buffers"),
    "no format": ("int64", 0, -5, 0, 0, 0, "format"),
    "a buffer that is not there": ("int64", 0, -6, 1, 0, 0, "lacks a buffer"),
    "offsets that are not there": ("utf8", 0, -6, 1, 0, 0, "lacks a buffer"),
    "an index type": ("dictionary", 0, -5, 0, ord("f"), 0, "dictionary"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_does_not_come_back(build: Callable[..., Path], name: str) -> None:
    """PluginError, or PluginCrashed where copying it was the worker's end; the next call is as ever."""
    contract = loader.Contract.from_header(PLUGINS / "arrow_echo.h")
    isolation = loader.Isolation(sandbox="off")
    plugin = loader.load(build("arrow_echo.c"), contract=contract, isolation=isolation)
    array, *arguments, words = SPOILT[name]
    with pytest.raises((loader.PluginError, loader.PluginCrashed), match=words):
        plugin.spoil(ARRAYS[array], *arguments)
    assert pa.array(plugin.echo(ARRAYS[array])).equals(ARRAYS[array])


def test_a_number_of_nulls_is_counted(plugin: loader.Plugin) -> None:
    """Whatever is said: consumers make room by it."""
    for said in (0, 3, -1, 99):
        back = pa.array(plugin.spoil(ARRAYS["int64"], 0, -3, 0, said, 0))
        assert back.null_count == 1


def test_what_is_null_is_cleared(plugin: loader.Plugin) -> None:
    """An index, or a view, that is null leads nowhere, and is 0."""
    spoilt: Any = plugin.spoil(ARRAYS["dictionary"], 0, 1, 8, 1 << 20, 4)
    back = pa.array(spoilt)
    assert back.equals(ARRAYS["dictionary"])
    assert back.indices.buffers()[1].to_pybytes()[8:12] == bytes(4)
