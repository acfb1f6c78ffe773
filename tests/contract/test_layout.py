"""Layouts: how structs are told to the C side."""

from __future__ import annotations

import dataclasses

import pytest

from loader.contract import Field, Kind, Struct
from loader.contract.layout import layout_of, letter_of

POINT = Struct("point", 16, (Field("x", Kind.INTEGER, 0, 8), Field("y", Kind.INTEGER, 8, 8)), sized=False)


def test_equal_structs_share_a_layout() -> None:
    """Two contracts that declare the same struct get the same object, so a record of one serves the other."""
    again = dataclasses.replace(POINT, fields=tuple(dataclasses.replace(field) for field in POINT.fields))
    assert again is not POINT
    assert layout_of(again) is layout_of(POINT)


def test_structs_of_one_name_and_size_are_told_apart() -> None:
    """Their fields are not the same, and neither is the layout."""
    other = dataclasses.replace(POINT, fields=POINT.fields[:1])
    assert other != POINT
    assert layout_of(other) is not layout_of(POINT)


def test_kinds_that_c_knows() -> None:
    """Each has a letter of its own; a table's pointer to itself is not one that C is told of."""
    assert "".join(letter_of(kind) for kind in Kind if kind is not Kind.SELF) == "tbsifdnlxocav"
    with pytest.raises(KeyError):
        letter_of(Kind.SELF)
