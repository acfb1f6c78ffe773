"""LOADER_REPEATABLE: a function of which a call may be made twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from headers import HEAD, check_refused, compile_header, read_header

from loader.contract import Contract
from loader.errors import ContractError

if TYPE_CHECKING:
    from pathlib import Path

CLASS = "typedef struct thing thing; LOADER_CLASS(thing); void thing_free(thing *t);\n"
MAKE = "LOADER_REPEATABLE int thing_new(loader_call *call, LOADER_OUT thing **made);\n"


@pytest.mark.parametrize("before", ["LOADER_EXPORT", "LOADER_OPTIONAL", "LOADER_GIVES_BYTES LOADER_EXPORT", ""])
def test_it_stands_before_a_function(tmp_path: Path, before: str) -> None:
    """It may stand before or behind the other words, and says nothing of the functions beside it."""
    text = (
        f"LOADER_REPEATABLE {before} int again(loader_call *c);\n{before} LOADER_REPEATABLE int more(loader_call *c);"
    )
    contract = read_header(tmp_path, text + "\n")
    assert [each.name for each in contract.functions if each.repeatable] == ["again", "more"]
    compile_header(HEAD + CLASS + MAKE + text + "\n", tmp_path)


def test_what_makes_an_instance(tmp_path: Path) -> None:
    """To make an instance may be repeated."""
    contract = read_header(tmp_path, CLASS + MAKE)
    assert [each.name for each in contract.functions if each.repeatable] == ["thing_new"]


def test_what_gets_an_instance(tmp_path: Path) -> None:
    """An instance is gone with its process: what gets one cannot be repeated, nor what frees it."""
    making = CLASS + MAKE
    check_refused(
        tmp_path, making + "LOADER_REPEATABLE int thing_do(loader_call *c, thing *t);", 6, "gets an instance"
    )
    check_refused(tmp_path, making + "LOADER_REPEATABLE int use(loader_call *c, thing *t);", 6, "gets an instance")
    wrong = "typedef struct thing thing; LOADER_CLASS(thing); LOADER_REPEATABLE void thing_free(thing *t);"
    check_refused(tmp_path, wrong, 4, "which gives nothing")


def test_not_before_a_parameter(tmp_path: Path) -> None:
    """Nor in a table: there it says nothing, and is refused."""
    for wrong in ("int f(loader_call *call, LOADER_REPEATABLE int32_t n) int32_t;", "LOADER_REPEATABLE(fine);"):
        with pytest.raises(ContractError):
            read_header(tmp_path, wrong + "\n")


def test_the_fingerprint_is_the_same(tmp_path: Path) -> None:
    """A header may learn to say it without a new version: it changes no call."""
    declared = "int again(loader_call *call, int32_t n);\n"
    before, after = read_header(tmp_path, declared), read_header(tmp_path, "LOADER_REPEATABLE " + declared)
    assert before.fingerprint == after.fingerprint
    assert before != after


def test_json(tmp_path: Path) -> None:
    """It is told where it is said, and read back; anything but true or false is refused."""
    contract = read_header(tmp_path, "LOADER_REPEATABLE int again(loader_call *call);\n")
    values: dict[str, Any] = contract.to_dict()
    assert [each.get("repeatable") for each in values["functions"]] == [None, True]
    assert Contract.from_json(contract.to_json()) == contract
    text = contract.to_json()
    with pytest.raises(ContractError):
        Contract.from_json(text.replace('"repeatable": true', '"repeatable": 1'))
