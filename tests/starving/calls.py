"""Scenes: calls of plugins, and services that they call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lending import Database
from tree import PLUGINS

import loader
from loader._core._call import Owner, Services, Table
from starving.scene import FOLDER, Scene, equal, unnamed

if TYPE_CHECKING:
    from collections.abc import Callable


# ---- One call ----------------------------------------------------------------------------------------------

probe = loader.load(FOLDER / "probe.so", contract=loader.Contract.from_header(PLUGINS / "probe.h"))
LONG, WIDE = "x" * 100_000, "\u00e9" * 50_000
ITEM = {"tiny": 1, "id": 2, "title": "t\u00e9", "low": 1, "blob": b"x", "count": 1, "weight": 0.5, "offset": 1}
SHOWN = probe.show(ITEM)


class Item:
    """A mapping that is no dict, and has an attribute of a field's name."""

    tiny = 99

    def __getitem__(self, name: str) -> object:
        return ITEM[name]

    def keys(self) -> list[str]:
        """Which fields there are."""
        return list(ITEM)


@dataclass(frozen=True)
class Point(loader.Record):
    """A struct that remembers its native form."""

    x: float
    y: float


def fails_with(message: str) -> None:
    """A plugin's error: with its text, or without one."""
    try:
        probe.fail(1, message.encode())
    except loader.PluginError as error:
        equal((type(error), error.status), (loader.PluginError, 1))
        equal(error.message, message if error.message else "")
        if not error.message:
            raise
    else:
        raise AssertionError("it did not fail")


def between() -> None:
    """Records are packed, and remembered, once."""
    start, end = Point(0.0, 1.0), Point(2.0, 3.0)
    equal(probe.between("p", start, end), BETWEEN)
    equal(probe.between("p", start, end), BETWEEN)


BETWEEN = probe.between("p", Point(0.0, 1.0), Point(2.0, 3.0))
CALLS: dict[str, Callable[[], object]] = {
    "a short text": lambda: equal(probe.echo("short"), "short"),
    "a long text": lambda: equal(probe.echo(LONG), LONG),
    "text beyond ASCII": lambda: equal(probe.echo(WIDE + "."), WIDE + "."),
    "bytes": lambda: equal(probe.echo_bytes(b"abc"), b"abc"),
    "a buffer": lambda: equal(probe.echo_bytes(bytearray(b"abc")), b"abc"),
    "output that grows": lambda: equal(probe.pad("a", 50_000, 999), "a" + "x" * 50_000),
    "bytes that grow": lambda: equal(probe.pad_bytes("a", 5000, 700), b"a" + b"x" * 5000),
    "a result that grows": lambda: equal(probe.pad(LONG, 50_000, 999), LONG + "x" * 50_000),
    "a result of bytes that grows": lambda: equal(probe.pad_bytes(LONG, 50_000, 999), LONG.encode() + b"x" * 50_000),
    "a struct": lambda: equal(probe.show(ITEM), SHOWN),
    "a struct of a mapping": lambda: equal(probe.show(Item()), SHOWN),
    "a struct of keywords": lambda: equal(probe.show(**ITEM), SHOWN),
    "records": between,
    "a record's state": lambda: equal(Point(0.5, 1.5).__getstate__(), {"x": 0.5, "y": 1.5}),
    "keywords": lambda: equal(probe.pad(text="a", count=3, step=1), "axxx"),
    "an error": lambda: fails_with("why"),
    "an error at length": lambda: fails_with("why" * 10_000),
    "an owner": lambda: Owner("n", "p" * 500, Services(), 5, True, "d"),
}
SCENES = {name: Scene(play) for name, play in CALLS.items()}


# ---- Arrow arrays ------------------------------------------------------------------------------------------

arrow = loader.load(FOLDER / "arrow.so", contract=loader.Contract.from_header(PLUGINS / "arrow.h"))


class Capsules:
    """An Arrow array that is in capsules already."""

    def __init__(self, pair: tuple[object, object]) -> None:
        self.pair = pair

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self.pair


def passes_arrow() -> None:
    """Given, lent, given away, lent by capsules; whatever fails, all is released, once."""
    try:
        values = arrow.count_up(10)
        equal(arrow.sum(values), 45)
        equal(arrow.sum(Capsules(values.__arrow_c_array__())), 45)
        equal(repr(values), "<Arrow array, given away>")
    finally:
        values = None
        arrow_is_gone()


def wrong_arrow() -> None:
    """What the plugin filled is released although it is wrong."""
    for how in (1, 8, 13):
        try:
            arrow.badly(how)
        except loader.PluginError as error:
            if not error.message:
                raise
        finally:
            arrow_is_gone()


def arrow_is_gone() -> None:
    """Nothing of the plugin's is alive, and nothing was released twice."""
    equal(tuple(arrow.alive()), (0, 0))


ARROW: dict[str, Callable[[], object]] = {"an Arrow array": passes_arrow, "a wrong Arrow array": wrong_arrow}
SCENES |= {name: Scene(play) for name, play in ARROW.items()}


# ---- Services ----------------------------------------------------------------------------------------------


class Forgetful(list[Any]):
    """A list that stays empty."""

    def append(self, value: Any) -> None:
        """Does nothing."""


class Store(Database):
    """A database that does not remember what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Forgetful()


lent_contract = loader.Contract.from_header(PLUGINS / "lend.h")
lent = loader.Host(lent_contract, services={"lend.db/1": Store()}).load(FOLDER / "lend.so")


def service_fails() -> None:
    """What a service raised is the cause of the plugin's error; MemoryError, if it came to that."""
    try:
        lent.title(99)
    except loader.PluginError as error:
        if isinstance(error.__cause__, KeyError):
            return
        equal(isinstance(error.__cause__, MemoryError) or unnamed(error.__cause__), True)
        raise
    raise AssertionError("it did not fail")


def lends() -> None:
    """A table of Python functions."""
    services = Services()
    part = ("x", "t", 8, False, None, None, 0, False, "", None)
    count = ("count", "i", 8, False, None, None, 1, False, "", None)
    services.add("app.x/1", Table((("a", (), ()), ("b", (part,), (count,)))), (len, len))
    equal(services.ids(), ["app.x/1"])


SERVICES: dict[str, Callable[[], object]] = {
    "a service's text": lambda: equal(lent.title(4), "\U0001f600" * 500),
    "a service's bytes": lambda: equal(lent.blob(b"abc"), b"cba"),
    "a service's number": lambda: equal(lent.count("abc"), "3"),
    "a service's output": lambda: equal(lent.note("a" * 5000), "<" + "A" * 5000 + ">"),
    "a service's struct": lambda: equal(lent.describe(1, "t\u00e9"), "1: t\u00e9"),
    "a service's eight arguments": lambda: equal(lent.many()[:9], "-128 255 "),
    "a service's error": service_fails,
    "a service is made": lends,
}
SCENES |= {name: Scene(play) for name, play in SERVICES.items()}
