"""Tokens of a contract's header → its statements: where each ends, what is static, how deep it nests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.contract.header.attributes import ATTRIBUTES
from loader.contract.header.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.contract.header.tokens import Token

__all__ = ["check_depth", "is_static", "statements"]

MAX_NESTING = 64  # of brackets in a declaration
MAX_ROW = 150  # operators, stars and array sizes between two commas


def statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """Cuts at file scope: after a semicolon, and after the body of a function."""
    statement: list[Token] = []
    depth = 0
    body = False
    for token in tokens:
        if not statement and token.text in ("LOADER_BEGIN_C", "LOADER_END_C", ";"):
            continue
        if token.text == "{" and depth == 0:
            body = _opens_body(statement)
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        statement.append(token)
        if depth < 0:
            raise refusal(token.path, token.line, f"{token.text!r} closes nothing")
        if depth == 0 and (token.text == ";" or (body and token.text == "}")):
            yield statement
            statement = []
            body = False
    if statement:
        raise refusal(statement[0].path, statement[0].line, "a declaration that is not finished", expected="a ';'")


def _opens_body(statement: list[Token]) -> bool:
    """Whether a brace after `statement` opens a function's body: it follows the parameter list."""
    depth = 0
    for position in range(len(statement) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(statement[position].text, 0)
        if depth == 0:  # at once, if the brace does not follow a parenthesis: it is a struct's or an enum's
            return statement[-1].text == ")" and statement[position - 1].text not in ATTRIBUTES
    return False


def is_static(tokens: list[Token]) -> bool:
    """Whether this declares something static. (`static` within parentheses is about an array parameter.)"""
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == "static":
            return True
        if token.text in ("{", "="):
            return False
    return False


def check_depth(tokens: list[Token]) -> None:
    """Refuses what nests so deeply that to follow it would overflow the stack: brackets, and rows of operators, stars
    and array sizes.
    """
    depth = row = 0
    for token in tokens:
        if token.kind != "punct":
            continue
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        row = 0 if token.text in (",", ";", "{", "}") else row + (token.text not in (")", "]", "=", "."))
        if depth > MAX_NESTING or row > MAX_ROW:
            what = "brackets nest" if depth > MAX_NESTING else "pointers, arrays or operators nest"
            raise refusal(token.path, token.line, f"{what} too deeply here", cure="Declare it in steps")
