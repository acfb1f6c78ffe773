"""_core/call/service.c: from a plugin to Python and back, with values, failures, threads and other plugins."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lending import Database

import loader
from loader.errors import PluginError

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Make = Callable[..., loader.Plugin]


@pytest.fixture
def plugin(gil: None, lent: Make, database: Database) -> Any:  # noqa: ARG001 - it is there
    """The plugin lend with a database, entered with the GIL and without."""
    return lent(database)


# ---- Arguments and results ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_text_result(plugin: loader.Plugin, database: Database, number: int) -> None:
    """A str comes back as text, whatever is in it."""
    assert plugin.title(number) == database.titles[number]
    assert database.asked == [number]


@pytest.mark.parametrize("key", [b"", b"abc", b"\0\xff" * 1000])
def test_bytes(plugin: loader.Plugin, key: bytes) -> None:
    """Bytes go there and back."""
    assert plugin.blob(key) == key[::-1]


@pytest.mark.parametrize("name", ["", "abc", "\u65e5\u672c", "\0", "x" * 100_000])
def test_integer_result(plugin: loader.Plugin, database: Database, name: str) -> None:
    """Text goes there as str; an int comes back."""
    assert plugin.count(name) == str(len(name))
    assert database.asked == [name]


@pytest.mark.parametrize(("a", "b"), [(-128, 1), (127, 2**32 - 1), (-1, 3)])
def test_double_result(plugin: loader.Plugin, a: int, b: int) -> None:
    """Integers of less than 64 bits arrive with their sign; a float comes back whole."""
    assert float(plugin.ratio(a, b)) == a / b


@pytest.mark.parametrize(
    ("text", "written"), [("loud", "<LOUD>"), ("none", "<>"), ("bytes", "<bytes>"), ("\u00e9", "<\u00c9>")]
)
def test_without_result(plugin: loader.Plugin, text: str, written: str) -> None:
    """Without a result parameter, what the function gives is written to the plugin's output, in its place."""
    assert plugin.note(text) == written


def test_long_text_without_result(lent: Make, database: Database) -> None:
    """Output written by a service grows as the plugin's own does."""
    database.note = lambda text: text * 100_000  # type: ignore[method-assign]
    assert lent(database).note("abc") == "<" + "abc" * 100_000 + ">"


def test_struct_argument(plugin: loader.Plugin, database: Database) -> None:
    """A struct arrives as a row of its fields."""
    assert plugin.describe(-7, "t\u00eftle") == "-7: t\u00eftle"
    (item,) = database.asked
    assert item._asdict() == {"id": -7, "title": "t\u00eftle", "blob": b"\0\x01\xff", "weight": 0.5, "flag": 200}


def test_as_many_arguments_as_there_can_be(plugin: loader.Plugin) -> None:
    """Seven arguments and a result arrive in order."""
    values = [-(2**7), 2**8 - 1, -(2**15), 2**16 - 1, -(2**31), 2**32 - 1, -(2**63)]
    assert plugin.many() == " ".join(map(str, values))


def test_results_live_as_long_as_the_call(plugin: loader.Plugin, database: Database) -> None:
    """Results of many calls are all still there when the plugin writes them; afterwards nobody holds them."""
    database.titles = {number: f"title {number} " * 3 for number in range(64)}
    assert plugin.titles(64) == "".join(database.titles.values())


class Watched(str):
    """A str that can be watched."""

    __slots__ = ("__weakref__",)


def test_results_are_let_go(lent: Make, database: Database) -> None:
    """What a service gave is freed when the plugin's function has returned, in failure too."""
    watches = []

    def title(number: int) -> str:
        if number == 5:
            raise KeyError(number)
        text = Watched(f"{number}")
        watches.append(weakref.ref(text))
        return text

    database.title = title  # type: ignore[method-assign]
    made = lent(database)
    assert made.titles(5) == "01234"
    with pytest.raises(PluginError):
        made.titles(10)
    gc.collect()
    assert len(watches) == 10
    assert [watch() for watch in watches] == [None] * 10


# ---- Threads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [0, 1])
def test_from_another_thread(
    plugin: loader.Plugin, database: Database, caplog: pytest.LogCaptureFixture, what: int, placement: str
) -> None:
    """A thread of the plugin's own may not come back to Python with the call: refused, not crashed; in a worker,
    which would have to ask the host, by having no service.
    """
    refused = "3" if placement == "in-process" else "-1"
    with caplog.at_level(1):
        for _ in range(20):
            assert plugin.from_thread(what) == (refused if what == 0 else "0")
    assert not database.asked
    assert not caplog.records


def test_growing_from_another_thread(lent: Make, database: Database) -> None:
    """Output that lies in a Python object is not grown there by a thread that cannot hold the GIL."""
    made = lent(database)
    for _ in range(3):
        try:
            assert made.from_thread(2) in ("0", "2")
        except PluginError as error:
            assert error.status == 2  # noqa: PT017


def test_services_from_many_threads(lent: Make, database: Database) -> None:
    """Many threads may be in one service at once, each with its own arguments and results."""
    made = lent(database)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(400):
                text = f"{number}-{turn}"
                assert made.count(text) == str(len(text))
                assert made.blob(text.encode()) == text.encode()[::-1]
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


# ---- Nesting -----------------------------------------------------------------------------------------------


def test_plugin_calls_python_calls_plugin(lent: Make, hello: Path, greeter: loader.Contract) -> None:
    """From a plugin to Python, into another plugin and back, at any depth."""
    other = loader.load(hello, contract=greeter)
    db = Database()
    made = lent(db)
    depth = 20

    def title(number: int) -> str:
        if number == 0:
            return other.greet("bottom")
        return f"{number} {inner[0].title(number - 1)}"

    db.title = title  # type: ignore[method-assign]
    inner = [lent(db)]
    assert inner[0].title(depth) == " ".join(map(str, range(depth, 0, -1))) + " Hello, bottom!"
    assert made.title(1) == "One"


def test_causes_nest(lent: Make) -> None:
    """A failure at the bottom is the cause of the cause of the cause."""
    error = ZeroDivisionError("bottom")
    db = Database()
    inner: list[loader.Plugin] = []

    def title(number: int) -> str:
        if number == 0:
            raise error
        return str(inner[0].title(number - 1))

    db.title = title  # type: ignore[method-assign]
    inner.append(lent(db))
    with pytest.raises(PluginError) as caught:
        inner[0].title(3)
    chain: list[BaseException | None] = [caught.value]
    while chain[-1] is not None:
        chain.append(chain[-1].__cause__)
    assert [type(each) for each in chain] == [PluginError] * 4 + [ZeroDivisionError, type(None)]
    assert chain[4] is error


def test_service_loads_a_plugin(lent: Make, build: Build, greeter: loader.Contract) -> None:
    """A plugin may be loaded while another one's call is running."""
    db = Database()

    def title(number: int) -> str:
        path = build("hostile.c", "GREET=greets_with_build", f"BUILD={500 + number}")
        return str(loader.load(path, contract=greeter).greet("you"))

    db.title = title  # type: ignore[method-assign]
    assert lent(db).title(3) == "503 greets you"


def test_service_may_be_exchanged_inside(lent: Make) -> None:
    """A service's function may drop what it is a method of while it runs."""
    holder: dict[str, Any] = {}

    def title(number: int) -> str:
        holder.clear()
        gc.collect()
        return f"{number}"

    db = Database()
    db.title = title  # type: ignore[method-assign]
    holder["plugin"] = lent(db)
    del db
    assert holder["plugin"].title(8) == "8"
