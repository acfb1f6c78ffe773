"""What a plugin of tests/author/every/every.h must do, in whatever language.

tests/author/test_every.py asks, in a process of its own, since Go's runtime stays in one for good:

    python every_checks.py every.h PLUGIN        → JSON: the name of each check, and "" or what failed
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import sys
import threading
import traceback
from typing import Any

import pytest
from arrow_made import Made

import loader

LONG = "x" * 3000


class Application:
    """The interface every_lookup and the service every.store/1."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def find(self, key: str, exact: Any) -> tuple[int, str]:
        """A number, and a text that lives as long as the call."""
        if key == "none":
            raise KeyError(key)
        self.said.append((key, exact))
        return len(key), f"of {key}"

    def sum(self, values: Any) -> float:
        """Theirs."""
        return float(sum(values))

    def options(self, options: Any, words: list[str]) -> Any:
        """A struct with a size, texts, and arrays of structs."""
        self.said.append((options.kind, options.weight, tuple(words)))
        name = {"first": "+".join(words), "mark": b"", "known": True, "colour": 4}
        cell = options.cells[0]
        return {"strict": True, "kind": 7, "name": name, "cells": [cell, cell], "weight": options.weight * 3}

    def cells(self, cells: list[Any]) -> tuple[Any, bool, int]:
        """Numbers, a bool and an enum."""
        return array.array("i", [cell.type for cell in cells]), True, -1

    def say(self, loud: float, times: int) -> str:
        """Writes to the output of the plugin's call."""
        return f"{loud} {times}"

    def get(self, key: bytes) -> bytes:
        """Of the service."""
        return key[::-1]


def name(first: str, mark: bytes = b"m", known: bool = True, colour: int = 4) -> dict[str, Any]:
    """A struct every_name."""
    return {"first": first, "mark": mark, "known": known, "colour": colour}


def cell(kind: int, last: float = 0.0) -> tuple[Any, ...]:
    """A struct every_cell."""
    return (kind, 65535, (1, 2, -3), (0.0,) * 39 + (last,))


def check_numbers(p: Any, _: Any) -> None:
    """Numbers of all sizes arrive in the registers that C has them in."""
    given = p.numbers(-128, 0.5, 65535, 0.25, -(2**31), True, 2**63, 4)
    assert given == (2**63 - 128 + 65535 - 2**31 + 1 + 4, 0.75), given
    assert given.reals == 0.75


def check_enums(p: Any, contract: Any) -> None:
    """Values of enums go in and out, negative ones too; bool is one."""
    colour = contract.every_colour
    assert p.colours(colour.EVERY_COLOUR_RED, contract.every_kind.TYPE) == (colour.EVERY_COLOUR_GREEN, True)
    assert p.colours(4, 0) == (colour.EVERY_COLOUR_RED, False)


def check_structs(p: Any, _: Any) -> None:
    """A struct with its size, nested ones, arrays, texts and bytes goes in by value and comes out."""
    options = {
        "strict": True,
        "kind": 7,
        "name": name("é" + LONG),
        "cells": (cell(1, 4.0), cell(2, 5.0)),
        "weight": 1.5,
    }
    changed = p.options(options)
    assert (changed.strict, changed.kind, changed.weight) == (False, 7, 3.0)
    assert (changed.name.first, changed.name.mark) == ("É" + LONG.upper(), b"m")
    assert changed.cells[0] == cell(1, 4.0)
    assert changed.cells[1] == cell(2, 6.0)
    assert p.options({"cells": (cell(0), cell(0))}).name.first == ""


def check_lists(p: Any, _: Any) -> None:
    """Lists of structs with texts arrive; results of each kind come beside each other."""
    last, every, marks = p.names([name("a", b"1"), name("", b""), name("é", b"\0", colour=-1)], b"unused")
    assert (last.first, last.mark, last.known, last.colour) == ("é", b"last", True, -1)
    assert (every, marks) == ("a//é", b"1\0")
    assert p.names([name(LONG)], b"type").marks == b"type"


def check_lists_in_place(p: Any, contract: Any) -> None:
    """A list is changed where it lies, and copies of its structs come out."""
    numpy = _numpy()
    cells = numpy.zeros(3, dtype=contract.dtype("every_cell"))
    cells["counts"][1] = (5, 6, 7)
    copies = p.cells(cells)
    assert [list(each.counts) for each in copies] == [[0, 0, 0], [5, 6, 7], [0, 0, 0]]
    assert cells["counts"].tolist() == [[0, 0, 1], [5, 6, 8], [0, 0, 1]]
    assert len(p.cells(numpy.zeros(0, dtype=contract.dtype("every_cell")))) == 0


def _numpy() -> Any:
    """It is asked for when it is needed: importing this module must not need it."""
    return importlib.import_module("numpy")


def check_arrays(p: Any, _: Any) -> None:
    """Arrays of all integers; two are changed in place."""
    c, d = array.array("H", [1, 2, 3]), array.array("q", [2**62, -1])
    e = p.integers(array.array("b", [-128, 1]), array.array("B", [255, 2]), c, d)
    assert (list(e), list(c), list(d)) == ([383, 3], [3, 2, 1], [-(2**62), 1])
    assert list(p.integers(array.array("b"), array.array("B"), c, d)) == []


def check_arrow(p: Any, _: Any) -> None:
    """Arrow arrays come out, and go in again, with nulls, also more than once."""
    assert [tuple(p.summed(p.counted(count))) for count in (0, 1, 2, 4, 100)] == [
        (0, 0),
        (0, 0),
        (1, 0),
        (3, 2),
        (3267, 34),
    ]
    kept = p.counted(20)
    gc.collect()
    for _ in range(3):
        assert p.summed(kept).nulls == 7
    schema, _ = kept.__arrow_c_array__()
    assert "arrow_schema" in repr(schema)


def check_arrow_that_is_none_of_doubles(p: Any, _: Any) -> None:
    """Another type, numbers for values of a dictionary, numbers where none can be: an error and no crash."""
    values = Made(5)

    def dictionary(made: Made) -> None:
        made.schema.dictionary, made.array.dictionary = map(ctypes.addressof, (values.schema, values.array))

    def put(made: Made, address: int | None) -> None:
        made.buffers[1] = address

    changes = {
        "type": lambda made: setattr(made.schema, "format", b"l"),
        "dictionary": dictionary,
        "one buffer": lambda made: setattr(made.array, "n_buffers", 1),
        "three buffers": lambda made: setattr(made.array, "n_buffers", 3),
        "nowhere": lambda made: put(made, None),
        "not aligned": lambda made: put(made, made.buffers[1] + 1),
        "nothing": lambda _: None,
    }
    taken = []
    for name, change in changes.items():
        made = Made(1, 2, 3)
        made.schema.format = b"g"
        change(made)
        with contextlib.suppress(loader.PluginError):
            assert p.summed(made).nulls == 0
            taken.append(name)
    assert taken == ["nothing"]


def check_both(p: Any, _: Any) -> None:
    """A text that is written, beside a result."""
    assert tuple(p.both("é" + LONG)) == ("é" + LONG, 3002)


def check_interface(p: Any, _: Any) -> None:
    """Functions of the application's take and give all kinds."""
    app = Application()
    wanted = "0.25 255|3 of key 3.5 a++é TYPE 1.5 [-3, 0] true RED"
    assert p.lookup(app, "key") == wanted, p.lookup(app, "key")
    assert app.said[:2] == [("key", True), (7, 0.5, ("a", "", "é"))], app.said


def check_failing_interface(p: Any, _: Any) -> None:
    """What the application raises passes through the plugin."""
    with pytest.raises(loader.PluginError, match="none") as caught:
        p.lookup(Application(), "none")
    assert isinstance(caught.value.__cause__, KeyError)


def check_service(p: Any, _: Any) -> None:
    """A service is found by its id."""
    assert p.stored(b"a\0b") == b"b\0a"


def check_optional(p: Any, _: Any) -> None:
    """An optional function is there if the plugin chose it, and otherwise not."""
    assert p.extra(21) == 42
    with pytest.raises(loader.PluginError, match="too large"):
        p.extra(2**62)
    assert not hasattr(p, "missing") or p.missing is None or not callable(p.missing)


def check_errors(p: Any, _: Any) -> None:
    """Errors and panics are errors of the call, and the next one works."""
    for _ in range(3):
        with pytest.raises(loader.PluginError, match="on purpose: é"):
            p.panics("é")
    with pytest.raises(loader.PluginError, match="no names"):
        p.names([], b"")
    check_both(p, None)


def check_instances(p: Any, _: Any) -> None:
    """Methods, arguments and results that are instances, and iteration."""
    with p.every_counter(3) as counter, p.every_counter(4) as other:
        counter.add(other)
        assert (counter.value(), other.value(), p.larger(counter, other)) == (7, 4, 7)
        with counter.copy() as copy:
            assert copy.value() == 7
            assert [tuple(each) for each in copy] == [(n, f"<{n}>") for n in range(6, -1, -1)]
        assert counter.value() == 7
        counter.ask(Application())
        assert counter.value() == 12
    with pytest.raises(loader.PluginError, match="start: too small"):
        p.every_counter(-(2**63))


def check_one_instance_twice(p: Any, _: Any) -> None:
    """One instance for two parameters is an error or works, and never a crash."""
    with p.every_counter(3) as counter:
        with contextlib.suppress(loader.LoaderError):
            assert p.larger(counter, counter) == 3
        assert counter.value() == 3


def check_called_again(p: Any, _: Any) -> None:
    """What a method calls may come back to the same instance: an error or a value, and no crash."""

    class Again(Application):
        def find(self, key: str, exact: Any) -> tuple[int, str]:  # noqa: ARG002
            with contextlib.suppress(loader.LoaderError):
                return counter.value(), key
            return 5, key

    with p.every_counter(3) as counter:
        counter.ask(Again())
        assert counter.value() in (6, 8)


def check_shared(p: Any, _: Any) -> None:
    """Several threads use an instance of a shared class at once."""
    with p.every_set() as texts:

        def put(first: int) -> None:
            for number in range(500):
                texts.put(str(first + number % 100))

        threads = [threading.Thread(target=put, args=(100 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts.size() == 400


def check_many_instances(p: Any, _: Any) -> None:
    """Instances are freed when nobody has them any more."""
    for number in range(1000):
        assert p.every_counter(number).value() == number
    gc.collect()


CHECKS = {key.removeprefix("check_"): value for key, value in sorted(globals().items()) if key.startswith("check_")}


def main(header: str, path: str) -> None:
    """Prints what each check found."""
    contract = loader.Contract.from_header(header)
    plugin = loader.Host(contract, services={"every.store/1": Application()}).load(path)
    found = {}
    for key, check in CHECKS.items():
        try:
            check(plugin, contract)
            found[key] = ""
        except Exception:  # noqa: BLE001 - it is told
            found[key] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
