"""Whether the condition of an `#if` or `#elif` holds: integers and the operators of C, without `?:`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loader.contract.header.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader.contract.header.tokens import Token
    from loader.errors import ContractError

__all__ = ["BINARY", "holds", "integer"]


def _shift(count: int) -> int:
    if not 0 <= count < 64:
        raise ValueError("a shift by less than 0 or more than 63 bits")
    return count


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ValueError("a division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


#: How binary operators of constant expressions bind, tighter is higher, and what they do. Division and shifts
#: follow C: rounding is towards zero, and what C leaves undefined raises ValueError.
BINARY: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "||": (1, lambda a, b: int(bool(a or b))),
    "&&": (2, lambda a, b: int(bool(a and b))),
    "|": (3, lambda a, b: a | b),
    "^": (4, lambda a, b: a ^ b),
    "&": (5, lambda a, b: a & b),
    "==": (6, lambda a, b: int(a == b)),
    "!=": (6, lambda a, b: int(a != b)),
    "<": (7, lambda a, b: int(a < b)),
    ">": (7, lambda a, b: int(a > b)),
    "<=": (7, lambda a, b: int(a <= b)),
    ">=": (7, lambda a, b: int(a >= b)),
    "<<": (8, lambda a, b: a << _shift(b)),
    ">>": (8, lambda a, b: a >> _shift(b)),
    "+": (9, lambda a, b: a + b),
    "-": (9, lambda a, b: a - b),
    "*": (10, lambda a, b: a * b),
    "/": (10, _divide),
    "%": (10, lambda a, b: a - b * _divide(a, b)),
}
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)(?:[uU]?[lL]{0,2}|[lL]{1,2}[uU])")


def integer(text: str) -> int:
    """The value of an integer constant of C, or of a character constant of one ASCII character.

    Raises:
        ValueError: it is something else.
    """
    if len(text) == 3 and text[0] == text[2] == "'" and text[1] != "\\" and text.isascii():
        return ord(text[1])
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an integer")
    digits = match[1]
    octal = digits[0] == "0" and digits.isdigit()
    return int(digits, 8 if octal else 0)


def holds(tokens: Sequence[Token], where: Token) -> bool:
    """Whether `tokens`, with `defined` and macros already replaced, are not 0.

    Names that are left are 0 as in C if they are the compiler's (`_X…`, `__…`); others a system header may
    define, so their value is not known here.

    Raises:
        ContractError: the condition is malformed or its value is not known.
    """
    reader = _Reader(tokens)
    try:
        value = reader.binary(1, True)
        if reader.rest:
            raise ValueError(f"{reader.rest[-1].text!r} is not expected here")
    except ValueError as error:
        raise _unclear(where, str(error)) from error
    return value != 0


def _unclear(where: Token, reason: str) -> ContractError:
    return refusal(
        where.path,
        where.line,
        f"the condition cannot be decided: {reason}",
        cure="Use defined(), integers and macros that the header defines itself",
    )


class _Reader:
    """Precedence climbing. `live` is false in the part that C does not evaluate (right of `0 &&`, `1 ||`)."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.rest = list(reversed(tokens))

    def binary(self, least: int, live: bool) -> int:
        left = self.unary(live)
        while self.rest and BINARY.get(self.rest[-1].text, (0,))[0] >= least:
            operator = self.rest.pop().text
            level, apply = BINARY[operator]
            needed = live and not (operator == "&&" and left == 0) and not (operator == "||" and left != 0)
            right = self.binary(level + 1, needed)
            if live and needed:
                left = apply(left, right)
            elif live:
                left = int(left != 0)
        return left

    def unary(self, live: bool) -> int:
        if not self.rest:
            raise ValueError("it ends too early")
        token = self.rest.pop()
        if token.kind in ("number", "char"):
            return integer(token.text)
        if token.kind == "name":
            if live and not re.match(r"_[A-Z_]", token.text):
                raise ValueError(f"the value of {token.text!r} is not known")
            return 0
        if token.text == "(":
            value = self.binary(1, live)
            if not self.rest or self.rest.pop().text != ")":
                raise ValueError("a ')' is missing")
            return value
        if token.text in ("!", "-", "+", "~"):
            value = self.unary(live)
            return {"!": int(value == 0), "-": -value, "+": value, "~": ~value}[token.text]
        raise ValueError(f"{token.text!r} is not expected here")
