"""`loader call` of a class: an instance, its methods one after another; interfaces, whose calls are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command, Result, one_line
from tree import PLUGINS

Stateful = Callable[..., Result]


@pytest.fixture
def stateful(command: Command, build: Callable[..., Path]) -> Stateful:
    """`loader call` of the plugin stateful."""
    plugin = build("stateful.c", flags=["-pthread"])
    return lambda *words: command("call", "--contract", PLUGINS / "stateful.h", plugin, *words)


def test_methods_are_called_in_order(stateful: Stateful) -> None:
    """What each gives is written as that of a function: text as it is, all else as JSON; `next` gives all of it."""
    done = stateful("counter", "2", "STATEFUL_NOISY", ".add", "1", ".name", ".next")
    assert (done.code, done.text, done.err) == (0, "3\ncounter 3![3, 2, 1]\n", "")
    done = stateful("counter", "0", "0", "--json", ".add", "5")
    values = json.loads(done.out)
    assert (values["class"], values["results"]) == ("counter", [{"function": "counter_add", "result": 5}])


def test_calls_of_an_interface_are_shown(stateful: Stateful) -> None:
    """On standard error, a line each; one that must give a result cannot be brought."""
    done = stateful("walk", "2", "-")
    assert (done.code, done.text) == (0, "..")
    assert done.err == "loader: called: at(0.0)\nloader: called: at(0.5)\n"
    done = stateful("visit", '["a"]', "-")
    assert done.code == 2
    assert "see of stateful_visitor gives a result, which a command line cannot" in one_line(done.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("counter", "1", "0", ".ad", "1"), "counter has no method .ad"),
        (("counter", "1", "0", ".name", ".nam"), "counter has no method .nam"),
        (("counter", "1"), "counter_new: no argument for mode; expected counter START:integer MODE:STATEFUL_PLAIN|"),
        (("counter", "1", "0", ".add", "1", "2"), "too many arguments, from '2' on; expected .add MORE:integer"),
        (("walk", "1"), "walk: no argument for step; expected walk COUNT:integer STEP:-"),
        (("counter", "1", "0", ".add"), "counter_add: no argument for more; expected .add MORE:integer"),
        (("counter_add", "1"), "counter_add belongs to class counter. loader call FILE counter ARG ... .add"),
        (("counter_free",), "counter_free belongs to class counter"),
        (("conter", "1", "0"), "Did you mean counter?"),
        (("merge", "1", "2"), "merge: a is an instance, which a command line cannot bring"),
        (("walk", "1", "x"), "walk: step is called by the plugin: - shows each call on standard error"),
    ],
)
def test_mistakes_are_told(stateful: Stateful, words: tuple[str, ...], said: str) -> None:
    """As usage errors, with what was meant."""
    done = stateful(*words)
    assert done.code == 2
    assert said in one_line(done.err)


def test_failures_are_the_plugins(stateful: Stateful) -> None:
    """A constructor or method that fails is exit code 6."""
    done = stateful("counter", "--", "-1", "0")
    assert (done.code, "below 0" in done.err) == (6, True)
    done = stateful("counter", "13", "0", ".next")
    assert (done.code, "thirteen" in done.err) == (6, True)
