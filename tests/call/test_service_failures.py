"""_core/call/service.c: services that raise, give what does not fit, or are misused by the plugin."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lending import Clock, Database

import loader
from loader.errors import PluginError

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Make = Callable[..., loader.Plugin]


@pytest.fixture
def plugin(gil: None, lent: Make, database: Database) -> Any:  # noqa: ARG001 - it is there
    """The plugin lend with a database, entered with the GIL and without."""
    return lent(database)


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


def test_wrong_result_swallowed(lent: Make, database: Database) -> None:
    """So is a result that is found wrong at the last moment."""
    database.title = lambda _: "\ud800"  # type: ignore[method-assign, assignment, misc]
    assert re.fullmatch("1, UnicodeEncodeError: .*, result untouched", lent(database).recover(9, 0))


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
def test_wrong_result(lent: Make, database: Database, function: str, argument: Any, result: Any, text: str) -> None:
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
