"""_core/call/service.c: from a plugin to Python and back, with values, failures, threads and other plugins."""

from __future__ import annotations

import gc
import math
import re
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lending import Clock, Database

import loader
from loader.errors import PluginError

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
    """A struct arrives as a dict of its fields."""
    assert plugin.describe(-7, "t\u00eftle") == "-7: t\u00eftle"
    assert database.asked == [
        {"id": -7, "title": "t\u00eftle", "blob": b"\0\x01\xff", "weight": 0.5, "flag": 200}
    ]


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


# ---- Failures ----------------------------------------------------------------------------------------------


def failing(lent: Make, error: BaseException) -> loader.Plugin:
    """The plugin lend with a database whose title raises, but for number 1."""
    db = Database()

    def title(number: int) -> str:
        if number == 1:
            return "One"
        raise error

    db.title = title  # type: ignore[method-assign]
    return lent(db)


def test_cause_is_that_very_exception(lent: Make) -> None:
    """What a service raises is the PluginError's cause, with its traceback, if the plugin passes it on."""
    error = LookupError("no post 9")
    made = failing(lent, error)
    for _ in range(3):
        with pytest.raises(PluginError) as caught:
            made.title(9)
        assert caught.value.__cause__ is error
        assert caught.value.status == 1
        assert caught.value.message == "LookupError: no post 9"
        assert (caught.value.plugin, caught.value.function) == ("lend", "title")
        assert error.__traceback__ is not None
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert frames[-1] == "title"


def test_error_swallowed(lent: Make) -> None:
    """A plugin that deals with a service's failure has not failed; the result was left as it was."""
    made = failing(lent, LookupError("no post 9"))
    assert made.recover(9, 0) == "1, LookupError: no post 9, result untouched"
    assert made.recover(1, 0) == "One"


def test_error_with_a_text_of_the_plugins_own(lent: Make) -> None:
    """A plugin may say it in its own words: the cause stays."""
    error = LookupError("no post 9")
    with pytest.raises(PluginError) as caught:
        failing(lent, error).recover(9, 1)
    assert caught.value.message == "cannot go on"
    assert caught.value.__cause__ is error


def test_error_after_output(lent: Make) -> None:
    """What was written before the failure was passed on is thrown away."""
    error = LookupError("no post 9")
    with pytest.raises(PluginError) as caught:
        failing(lent, error).recover(9, 3)
    assert caught.value.__cause__ is error
    assert caught.value.message == "LookupError: no post 9"


def test_later_success_does_not_hide_the_cause(lent: Make) -> None:
    """A service's success after its failure leaves the failure's exception as the cause."""
    error = LookupError("no post 9")
    with pytest.raises(PluginError) as caught:
        failing(lent, error).recover(9, 2)
    assert (caught.value.status, caught.value.__cause__) == (3, error)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupts_go_through(lent: Make, kind: type[BaseException]) -> None:
    """An interrupt or an exit is no failure of a plugin: it goes on as it is, whatever is made of it."""
    error = kind()
    made = failing(lent, error)
    for call in (lambda: made.title(9), lambda: made.recover(9, 0), lambda: made.recover(9, 1)):
        with pytest.raises(kind) as caught:
            call()
        assert caught.value is error
    assert made.title(1) == "One"


class Speechless(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LookupError("\u65e5\u672c"), "LookupError: \u65e5\u672c"),
        (OSError(2, "gone", "caf\udce9"), "FileNotFoundError: [Errno 2] gone: 'caf\\udce9'"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (ValueError(), "ValueError: "),
        (ValueError("x" * 100_000), "ValueError: " + "x" * (65536 - 12)),
        (Speechless(), "Speechless"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_text_of_an_error(lent: Make, error: Exception, text: str) -> None:
    """Every exception has a text that a plugin can read, even if UTF-8 lacks it or there is none."""
    with pytest.raises(PluginError) as caught:
        failing(lent, error).title(9)
    assert caught.value.message == text
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("function", "argument", "result", "text"),
    [
        ("title", 1, b"bytes", "gave bytes where its header declares text"),
        ("title", 1, None, "gave NoneType where its header declares text"),
        ("title", 1, 5, "gave int where its header declares text"),
        ("title", 1, "\ud800", "surrogates not allowed"),
        ("blob", b"", "text", "gave str where its header declares bytes"),
        ("blob", b"", bytearray(b"x"), "gave bytearray where its header declares bytes"),
        ("count", "", "5", "gave str where its header declares an integer of 64 bits"),
        ("count", "", 5.0, "gave float where its header declares an integer of 64 bits"),
        ("count", "", 2**63, "gave 9223372036854775808 where its header declares an integer of 64 bits"),
        ("note", "", 5, "gave int where its header declares text to write, or None"),
        ("note", "", "\ud800", "surrogates not allowed"),
    ],
)
def test_wrong_result(
    lent: Make, database: Database, function: str, argument: Any, result: Any, text: str
) -> None:
    """A function that gives something else than declared is an error whose cause says so."""
    setattr(database, function, lambda *_: result)
    with pytest.raises(PluginError, match=text) as caught:
        getattr(lent(database), function)(argument)
    if "declares" in text:  # whose it was: the service, its function, the result that the header names
        where = f"{function} of service lend.db/1"
        assert where in str(caught.value)
        assert (f"{where}, result " in str(caught.value)) == (function != "note")
    assert isinstance(caught.value.__cause__, (TypeError, ValueError, OverflowError))


def test_wrong_double(lent: Make, database: Database) -> None:
    """A float's place takes what has a float's value, and nothing else."""
    database.ratio = lambda *_: "x"  # type: ignore[method-assign, assignment]
    said = "ratio of service lend.db/1, result ratio: it gave str where its header declares a double"
    with pytest.raises(PluginError, match=re.escape(said)):
        lent(database).ratio(1, 1)
    database.ratio = lambda *_: 3  # type: ignore[method-assign]
    assert lent(database).ratio(1, 1) == "3"
    database.ratio = lambda *_: math.inf  # type: ignore[method-assign]
    assert lent(database).ratio(1, 1) == "inf"


def test_service_that_does_not_take_the_arguments(lent: Make, database: Database) -> None:
    """A Python function of another signature fails when it is called, with Python's own words."""
    database.title = lambda: "x"  # type: ignore[method-assign, assignment, misc]
    with pytest.raises(PluginError, match="takes 0 positional arguments but 1 was given"):
        lent(database).title(1)


def test_output_limit_holds_for_services(lent: Make, database: Database) -> None:
    """What a service writes counts as the plugin's output."""
    database.note = lambda text: text * 1000  # type: ignore[method-assign]
    made = lent(database, max_output=500)
    assert made.note("") == "<>"
    with pytest.raises(PluginError):
        made.note("abc")


MISUSES = {
    0: (1, "NULL where a pointer is wanted"),
    1: (1, "NULL for a result"),
    2: (3, "not the table of a service"),
    3: (1, "a text of 5 bytes at"),
    4: (1, "a text of 18446744073709551615 bytes at"),
    5: (3, "not the table of a service"),
    6: (1, "a text of 7 bytes at"),
    7: (1, "UnicodeDecodeError"),
    8: (100, ""),
    9: (100, ""),
}


@pytest.mark.parametrize("what", MISUSES)
def test_misuse_by_the_plugin(lent: Make, database: Database, what: int) -> None:
    """A plugin that passes what it must not gets a status and a text, and the host goes on."""
    made = lent(database, clock=Clock())
    for _ in range(2):
        status, _, text = made.misuse(what).partition(" ")
        assert int(status) == MISUSES[what][0]
        assert MISUSES[what][1] in text
    assert made.title(1) == "One"


def test_function_beyond_its_table(lent: Make, database: Database) -> None:
    """The table of a smaller service does not lend the functions of a larger one."""
    made = lent(database, clock=Clock())
    assert made.clock_now() == "77"
    status, _, text = made.misuse(5).partition(" ")
    assert (status, text) == ("3", "this is not the table of a service that the host lent")


# ---- Threads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [0, 1])
def test_from_another_thread(
    plugin: loader.Plugin, database: Database, caplog: pytest.LogCaptureFixture, what: int
) -> None:
    """A thread of the plugin's own may not come back to Python with the call: refused, not crashed."""
    with caplog.at_level(1):
        for _ in range(20):
            assert plugin.from_thread(what) == ("3" if what == 0 else "0")
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
