"""_core/call/arrow.c: arrays in Arrow's C data interface, lent to plugins and given by them; each released once."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import os
import pickle
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest
from headers import read_header
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTRACT = loader.Contract.from_header(PLUGINS / "arrow.h")


class Schema(ctypes.Structure):
    """ArrowSchema, for capsules made by hand."""


class Array(ctypes.Structure):
    """ArrowArray."""


END_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))
END_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))
Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", END_SCHEMA),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.c_void_p),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", END_ARRAY),
    ("private_data", ctypes.c_void_p),
]
_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Made:
    """An array of int64, made by hand. `released`: what was, in order."""

    def __init__(self, *values: int, names: tuple[bytes, bytes] = (b"arrow_schema", b"arrow_array")) -> None:
        self.released: list[str] = []
        self.numbers = (ctypes.c_int64 * len(values))(*values)
        self.buffers = (ctypes.c_void_p * 2)(None, ctypes.addressof(self.numbers))
        self.end_schema, self.end_array = END_SCHEMA(self._schema), END_ARRAY(self._array)
        self.schema = Schema(format=b"l", name=b"", release=self.end_schema)
        buffers = ctypes.cast(self.buffers, ctypes.c_void_p)
        self.array = Array(length=len(values), n_buffers=2, buffers=buffers, release=self.end_array)
        self.names = names
        self.asked = 0

    def _schema(self, pointer: Any) -> None:
        self.released.append("schema")
        ctypes.memset(ctypes.addressof(pointer.contents) + Schema.release.offset, 0, 8)

    def _array(self, pointer: Any) -> None:
        self.released.append("array")
        ctypes.memset(ctypes.addressof(pointer.contents) + Array.release.offset, 0, 8)

    def capsules(self) -> tuple[Any, ...]:
        """New ones of the same structs."""
        pointers = ctypes.addressof(self.schema), ctypes.addressof(self.array)
        return tuple(_new(pointer, name, None) for pointer, name in zip(pointers, self.names, strict=True))

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, ...]:
        self.asked += 1
        return self.capsules()


class Gives:
    """An object whose __arrow_c_array__ gives or raises this."""

    def __init__(self, what: object) -> None:
        self.what = what

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        if isinstance(self.what, BaseException):
            raise self.what
        return self.what


class Middle:
    """The service that is called while a plugin has an array."""

    def __init__(self) -> None:
        self.action: Callable[[], object] = lambda: None

    def pause(self) -> None:
        """What the plugin calls."""
        self.action()


@pytest.fixture
def middle() -> Middle:
    """What the plugin calls in the middle of look_twice."""
    return Middle()


@pytest.fixture(scope="module")
def path(build: Callable[..., Path]) -> Path:
    """The plugin arrow, a file."""
    return build("arrow.c")


@pytest.fixture
def arrow(path: Path, middle: Middle) -> Iterator[loader.Plugin]:
    """The plugin arrow; behind the test nothing of it is alive, and nothing was released twice."""
    host = loader.Host(CONTRACT, services={"arrow.middle/1": middle})
    plugin = host.load(path)
    yield plugin
    gc.collect()
    assert plugin.alive() == (0, 0)


# ---- Lent --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gil")
def test_an_array_is_lent_and_released_once(arrow: loader.Plugin) -> None:
    """When the function has returned: not before, and not again by its capsule."""
    made = Made(1, 2, 39)
    assert arrow.sum(made) == 42
    assert sorted(made.released) == ["array", "schema"]
    assert made.asked == 1
    made = Made()
    assert arrow.look(made) == "0 0 0 0 l"
    assert len(made.released) == 2


def test_it_is_released_whatever_becomes_of_the_call(arrow: loader.Plugin, middle: Middle) -> None:
    """A plugin that fails, a service that raises."""
    made = Made(1)
    made.array.null_count = 1
    with pytest.raises(loader.PluginError, match="nulls are not wanted"):
        arrow.sum(made)
    assert len(made.released) == 2
    made = Made(1)
    middle.action = lambda: 1 / 0
    with pytest.raises(loader.PluginError, match="ZeroDivisionError"):
        arrow.look_twice(made)
    assert len(made.released) == 2


def test_the_wrong_type_is_the_plugins_to_tell(arrow: loader.Plugin) -> None:
    """Which types it takes the header does not say: the schema is there, and LOADER_INVALID its answer."""
    made = Made(1)
    made.schema.format = b"g"
    with pytest.raises(loader.PluginError, match="an array of int64 \\('l'\\) is wanted, not 'g'") as caught:
        arrow.sum(made)
    assert caught.value.status == 3
    assert len(made.released) == 2


def test_a_schema_that_is_shared_has_nobody_while_it_is_lent(arrow: loader.Plugin, middle: Middle) -> None:
    """Who has its capsules too, and asks for them in the middle of the call, finds it released."""
    made = Made(5)
    pair = made.capsules()
    refused = []

    def again() -> None:
        with pytest.raises(ValueError, match="was released, or given away already") as caught:
            arrow.sum(Gives(pair))
        refused.append(caught.value)

    middle.action = again
    assert arrow.look_twice(Gives(pair)) == "1 0 0 0 l"
    assert len(refused) == 1
    assert len(made.released) == 2


@pytest.mark.parametrize("value", [None, 3, b"", [1, 2], "text", memoryview(b"12345678")])
def test_what_is_no_arrow_array(arrow: loader.Plugin, value: object) -> None:
    """TypeError, which says what is wanted."""
    with pytest.raises(TypeError, match=r"sum\(\): values must be an Arrow array \(.*\), not \w+"):
        arrow.sum(value)


def test_wrong_capsules(arrow: loader.Plugin) -> None:
    """By name, by number, by type: TypeError, and what is in them stays with its owner."""
    for names in ((b"arrow_array", b"arrow_schema"), (b"arrow_schema", b"arrow_array_stream"), (b"", b"")):
        made = Made(1, names=names)
        with pytest.raises(TypeError, match="gave another capsule where a capsule 'arrow_"):
            arrow.sum(made)
        assert made.released == []
    for wrong in (None, (), (1, 2), Made(1).capsules()[:1], [*Made(1).capsules()], (*Made(1).capsules(), None)):
        with pytest.raises(TypeError, match=r"its __arrow_c_array__ gave \w+ where"):
            arrow.sum(Gives(wrong))


def test_what_its_own_code_raises_comes_through(arrow: loader.Plugin) -> None:
    """As it is: an interrupt too."""
    for error in (KeyError("mine"), KeyboardInterrupt(), AttributeError("its own")):
        with pytest.raises(type(error)) as caught:
            arrow.sum(Gives(error))
        assert caught.value is error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: setattr(made.schema, "release", END_SCHEMA()), "was released, or given away already"),
        (lambda made: setattr(made.array, "release", END_ARRAY()), "was released, or given away already"),
        (lambda made: setattr(made.schema, "format", None), "has no format"),
        (lambda made: setattr(made.array, "length", -1), "a length, an offset or a number of nulls"),
        (lambda made: setattr(made.array, "offset", 2**63 - 1), "a length, an offset or a number of nulls"),
        (lambda made: setattr(made.array, "null_count", -2), "a length, an offset or a number of nulls"),
        (lambda made: setattr(made.array, "n_buffers", -1), "buffers and no pointer to them"),
        (lambda made: setattr(made.array, "buffers", None), "buffers and no pointer to them"),
        (lambda made: setattr(made.array, "n_children", 1), "other children than its schema"),
        (lambda made: setattr(made.schema, "dictionary", 8), "has a dictionary and its schema none"),
    ],
)
def test_structs_that_are_no_array(arrow: loader.Plugin, change: Callable[[Made], None], words: str) -> None:
    """ValueError before the plugin sees them; they stay with their owner."""
    made = Made(1, 2)
    change(made)
    with pytest.raises(ValueError, match=words):
        arrow.sum(made)
    assert made.released == []


def test_an_argument_behind_it_that_is_wrong(arrow: loader.Plugin) -> None:
    """Nothing is lost by a call that did not take place."""
    with pytest.raises(TypeError):
        arrow.sum(Made(1), 2)
    with pytest.raises(TypeError):
        arrow.sum()


# ---- Given -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gil")
def test_a_result_goes_to_another_function_as_it_lies(arrow: loader.Plugin) -> None:
    """As often as is wanted: it is lent, and not given away."""
    values = arrow.count_up(10)
    assert repr(values) == "<Arrow array of format 'l', 10 elements>"
    assert arrow.sum(values) == arrow.sum(values) == 45
    assert arrow.alive() == (2, 0)
    del values
    assert arrow.alive() == (0, 0)


def test_a_result_is_given_away_once(arrow: loader.Plugin) -> None:
    """Then it has nothing more, and says so; what nobody took goes with the capsules."""
    values = arrow.count_up(3)
    schema, array = values.__arrow_c_array__(requested_schema=None)
    assert repr(values) == "<Arrow array, given away>"
    with pytest.raises(ValueError, match="was given away already; keep what took it"):
        values.__arrow_c_array__()
    with pytest.raises(ValueError, match="values was given away already; pass what took it"):
        arrow.sum(values)
    assert arrow.sum(Gives((schema, array))) == 3
    with pytest.raises(ValueError, match="was released"):
        arrow.sum(Gives((schema, array)))
    assert arrow.alive() == (0, 0)
    pair = arrow.count_up(3).__arrow_c_array__()
    assert arrow.alive() == (2, 0)
    del pair
    assert arrow.alive() == (0, 0)


def test_a_result_that_is_lent_is_not_given_away(arrow: loader.Plugin, middle: Middle) -> None:
    """Neither to the service that is called meanwhile, nor when it lets go of it."""
    values = [arrow.count_up(3)]

    def take() -> None:
        with pytest.raises(ValueError, match="is lent to a call of a plugin"):
            values[0].__arrow_c_array__()
        assert arrow.sum(values[0]) == 3
        values.clear()
        gc.collect()
        assert arrow.alive() == (2, 0)

    middle.action = take
    assert arrow.look_twice(values[0]) == "3 0 0 0 l"
    assert values == []
    assert arrow.alive() == (0, 0)


def test_several_results(arrow: loader.Plugin) -> None:
    """A row of them, each of its own."""
    row = arrow.two()
    assert (row.text, row.number, arrow.sum(row.first), arrow.sum(row.second)) == ("both", 7, 1, 3)
    del row


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize(
    ("how", "words"),
    [
        (0, "its result values was not set"),
        (1, "has a schema and no array"),
        (2, "has an array and no schema"),
        (3, "after all of it"),
        (4, "after half of it"),
        (5, "points elsewhere"),
        (6, "points elsewhere"),
        (7, "has no format"),
        (8, "a length, an offset or a number of nulls"),
        (9, "has children and no pointer to them"),
        (10, "other children than its schema"),
        (11, "has a child that is NULL"),
        (12, "nests more deeply, or has more parts"),
        (13, "wrote text, and its header declares LOADER_OUT results only"),
        (14, "77"),
        (15, "forgets"),
        (16, "a length, an offset or a number of nulls"),
        (17, "is in memory of loader_alloc, which goes when the call ends"),
        (18, "is in memory of loader_alloc, which goes when the call ends"),
    ],
)
def test_results_that_are_wrong(arrow: loader.Plugin, how: int, words: str) -> None:
    """PluginError; what the plugin had filled is released, once, whatever its status was."""
    with pytest.raises(loader.PluginError, match=words):
        arrow.badly(how)
    assert arrow.alive() == (0, 0)


def test_another_result_that_is_wrong(arrow: loader.Plugin) -> None:
    """The array is released, though it was right."""
    with pytest.raises(loader.PluginError, match="its result text is wrong"):
        arrow.spoilt()
    assert arrow.alive() == (0, 0)


def test_it_is_not_copied(arrow: loader.Plugin) -> None:
    """Neither pickled nor copied, nor made by anybody else: whose it is would not be clear."""
    values = arrow.count_up(3)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(values)
    with pytest.raises(TypeError):
        type(values)()
    with pytest.raises(TypeError):
        object.__new__(type(values))
    assert arrow.sum(values) == 3
    del values


def test_given_away_while_it_is_given_away(arrow: loader.Plugin) -> None:
    """By what the garbage collector runs in the middle: one of both has it."""
    given = [arrow.count_up(3)]
    taken: list[object] = []

    def take() -> None:
        with contextlib.suppress(ValueError):
            taken.append(given[0].__arrow_c_array__())

    class Garbage:
        def __del__(self) -> None:
            take()

    threshold = gc.get_threshold()
    try:
        garbage = Garbage()
        garbage.self = garbage  # type: ignore[attr-defined]
        del garbage
        gc.set_threshold(1)
        take()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert len(taken) == 1
    assert arrow.sum(Gives(taken.pop())) == 3


def test_kept_until_the_end(path: Path, run_python: Callable[..., Any]) -> None:
    """What is there when the interpreter ends is released, or lost; nothing crashes."""
    code = f"""
        import loader, threading
        arrow = loader.load({str(path)!r}, contract=loader.Contract.from_header({str(PLUGINS / "arrow.h")!r}))
        kept = [arrow.count_up(3), arrow.count_up(4).__arrow_c_array__()]
        kept.append(kept)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        print(arrow.sum(kept[0]))
    """
    assert run_python(textwrap.dedent(code)).stdout == "3\n"


def test_threads_give_away_one_array(
    arrow: loader.Plugin, together: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    """One of them has it."""
    for _ in range(50):
        values = arrow.count_up(4)

        def take(_: int, values: Any = values) -> object:
            try:
                return values.__arrow_c_array__()
            except ValueError:
                return None

        assert sum(each is not None for each in together(4, take)) == 1


def test_released_on_another_thread(arrow: loader.Plugin) -> None:
    """Whoever lets go of it last."""
    kept = [arrow.count_up(4)]
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    assert arrow.alive() == (0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child(arrow: loader.Plugin) -> None:
    """Both sides have a copy, and each releases its own."""
    values = arrow.count_up(4)
    child = os.fork()
    if child == 0:
        good = arrow.sum(values) == 6
        del values
        os._exit(0 if good and arrow.alive() == (0, 0) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert arrow.sum(values) == 6
    del values


# ---- With pyarrow ------------------------------------------------------------------------------------------


def test_pyarrow_both_ways(arrow: loader.Plugin) -> None:
    """What it has is lent, with its offset; what a plugin gives it takes without a copy and gives back."""
    pa = pytest.importorskip("pyarrow")
    assert arrow.sum(pa.array([1, 2, 39])) == 42
    assert arrow.sum(pa.array(range(10))[4:7]) == 15
    assert arrow.look(pa.array(["a", None, "c"])) == "3 1 0 0 u"
    assert arrow.look(pa.record_batch({"x": [1, 2], "y": [0.5, 1.5]})) == "2 0 0 2 +s"
    assert arrow.look(pa.array(["a", "b", "a"]).dictionary_encode()) == "3 0 0 0 i"
    assert arrow.look(pa.array([[1], [], None])).endswith("1 +l")
    with pytest.raises(loader.PluginError, match="not 'g'"):
        arrow.sum(pa.array([0.5]))
    taken = pa.array(arrow.count_up(1000))
    assert taken.to_pylist() == list(range(1000))
    assert arrow.sum(taken) == 499500
    assert arrow.alive()[0] >= 1
    part = taken[10:12]
    del taken
    assert part.to_pylist() == [10, 11]
    del part


# ---- The header --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (
            "int f(loader_call *call, loader_arrow *values);",
            "a non-const pointer .* or write LOADER_OUT",
        ),
        ("int f(loader_call *call, loader_arrow values);", "a loader_arrow by value"),
        ("int f(loader_call *call, LOADER_OUT const loader_arrow *values);", "LOADER_OUT stands before 'values'"),
        ("typedef struct s { loader_arrow a; } s; int f(loader_call *call, const s *values);", "member 'a' of 's'"),
    ],
)
def test_refused_in_headers(tmp_path: Path, declared: str, words: str) -> None:
    """What is neither borrowed nor a result."""
    with pytest.raises(loader.ContractError, match=words):
        read_header(tmp_path, declared)


@pytest.mark.parametrize("parameter", ["const loader_arrow *values", "LOADER_OUT loader_arrow *values"])
@pytest.mark.parametrize("kind", ["SERVICE", "INTERFACE"])
def test_tables_do_not_pass_it(tmp_path: Path, parameter: str, kind: str) -> None:
    """Neither services nor interfaces, in either direction: whose it is then would be hard to say."""
    text = f"typedef struct t t; struct t {{ size_t size; int (*f)(loader_call *, const t *self, {parameter}); }};\n"
    text += (
        'LOADER_SERVICE("a/1", t);'
        if kind == "SERVICE"
        else "LOADER_INTERFACE(t);\nint g(loader_call *, const t *x);"
    )
    with pytest.raises(loader.ContractError, match="which tables do not pass"):
        read_header(tmp_path, text)


SPECIFICATION = """\
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_NULLABLE 2
struct ArrowSchema { const char *format, *name, *metadata; int64_t flags, n_children; struct ArrowSchema **children,
    *dictionary; void (*release)(struct ArrowSchema *); void *private_data; };
struct ArrowArray { int64_t length, null_count, offset, n_buffers, n_children; const void **buffers;
    struct ArrowArray **children, *dictionary; void (*release)(struct ArrowArray *); void *private_data; };
#endif
"""


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("suffix", [".c", ".cpp"])
def test_beside_the_header_of_another(build: Callable[..., Path], tmp_path: Path, first: bool, suffix: str) -> None:
    """The specification's guard: nanoarrow's header, or Arrow's own, may come before plugin.h or behind it."""
    (tmp_path / "abi.h").write_text(SPECIFICATION)
    includes = ['#include "abi.h"', '#include "loader/plugin.h"']
    lines = ["#include <stdint.h>", *(includes if first else includes[::-1])]
    lines.append("struct both { loader_arrow lent; struct ArrowSchema schema; struct ArrowArray array; };")
    lines.append('LOADER_STATIC_ASSERT(sizeof(struct both) == 168, "as large as the specification says");')
    (tmp_path / f"beside{suffix}").write_text("\n".join(lines) + "\n")
    build(tmp_path / f"beside{suffix}", f"FIRST_{first}", flags=[f"-I{tmp_path}"])


def test_contract_and_fingerprint() -> None:
    """It is a kind of its own, and survives JSON."""
    again = loader.Contract.from_json(CONTRACT.to_json())
    assert again == CONTRACT
    assert again.function("sum").parameters[0].kind.value == "arrow"
    assert again.function("count_up").results[0].kind.value == "arrow"
    assert again.fingerprint == CONTRACT.fingerprint
