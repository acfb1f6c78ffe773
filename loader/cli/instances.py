"""`loader call` of a class: an instance is made, its methods are called one after another, and it is closed.

loader call zip.so deflater 9 .feed @book.txt .finish --contract zip.h
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from loader.cli.parser import UsageError
from loader.cli.values import arguments_of
from loader.cures import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import loader
    from loader.contract import Contract
    from loader.contract.kinds import Function

__all__ = ["Steps", "run_steps", "steps_of"]


class Steps(NamedTuple):
    """What is to be done with one instance: `new` with `arguments`, then `methods` with theirs."""

    cls: str
    arguments: list[Any]
    methods: list[tuple[Function, list[Any]]]


def steps_of(contract: Contract, cls: str, words: Sequence[str], read_input: Callable[[], bytes]) -> Steps:
    """`words`: arguments of the constructor, then of each method, whose name has a full stop before it.

    Raises UsageError.
    """
    functions = {each.method: each for each in contract.functions if each.cls == cls and each.role != "free"}
    new = functions.pop("new", None)
    if new is None:
        raise UsageError(f"{cls} of {contract} has no constructor: other functions give instances of it")
    parts: list[tuple[Function, list[str]]] = [(new, [])]
    for word in words:
        method = functions.get(word[1:]) if word.startswith(".") else None
        if method is None:
            parts[-1][1].append(word)
        else:
            parts.append((method, []))
    for function, given in parts:
        if len(given) > len(function.parameters) - (function is not new):  # the instance is not given
            _refuse_misspelt(cls, given, [f".{each}" for each in functions])
    made = [(each, arguments_of(each, given, read_input)) for each, given in parts]
    return Steps(cls, made[0][1], made[1:])


def _refuse_misspelt(cls: str, given: Sequence[str], known: list[str]) -> None:
    """One of too many arguments looks like a method. (Of few enough, it is a text that begins with a full stop.)"""
    odd = next((word for word in given if word.startswith(".") and word[1:].isidentifier()), None)
    if odd is not None:
        expected = f"one of: {', '.join(known) or '(none)'}"
        raise UsageError(f"{cls} has no method {odd}", expected=expected, cure=did_you_mean(odd, known))


def run_steps(plugin: loader.Plugin, steps: Steps) -> list[tuple[Function, object]]:
    """What each method gave; all values of one that gives them one after another."""
    found: list[tuple[Function, object]] = []
    with plugin.classes[steps.cls](*steps.arguments) as instance:
        for function, arguments in steps.methods:
            if function.role == "next":
                found.append((function, list(instance)))  # type: ignore[call-overload]
            else:
                found.append((function, getattr(instance, function.method)(*arguments)))
    return found
