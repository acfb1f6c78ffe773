"""Whether the condition of an `#if` or `#elif` holds: integers and the operators of C, without `?:`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from loader.contract.header.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader.contract.header.tokens import Token
    from loader.errors import ContractError

__all__ = ["BINARY", "UNARY", "holds", "integer"]


class Unsigned(int):
    """A value of one of C's unsigned types."""


def _shift(count: int) -> int:
    if not 0 <= count < 64:
        raise ValueError("a shift by less than 0 or more than 63 bits")
    return count


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ValueError("a division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


_Binary: TypeAlias = "Callable[[int, int], int]"


def fits(value: int, *operands: int) -> int:
    """What C makes of a result whose operands are these, if that is the number itself. Raises OverflowError where C's
    64 bits do not hold it (an unsigned result wraps around in C; nobody means that in a header).
    """
    unsigned = any(isinstance(each, Unsigned) for each in operands)
    low, high = (0, 2**64) if unsigned else (-(2**63), 2**63)
    if not low <= value < high:
        raise OverflowError("the result does not fit 64 bits" + (" without a sign" if unsigned else ""))
    return Unsigned(value) if unsigned else value


def _arithmetic(apply: _Binary) -> _Binary:
    return lambda a, b: fits(apply(a, b), a, b)


def _shifting(apply: _Binary) -> _Binary:
    return lambda a, b: fits(apply(a, _shift(b)), a)  # the type is that of the left operand alone


def _comparison(apply: _Binary) -> _Binary:
    def compare(a: int, b: int) -> int:
        if (a < 0 and isinstance(b, Unsigned)) or (b < 0 and isinstance(a, Unsigned)):
            raise OverflowError("a negative number is compared with an unsigned one")
        return int(apply(a, b))

    return compare


#: How binary operators of constant expressions bind, tighter is higher, and what they do. All follows C: rounding is
#: towards zero; what C leaves undefined raises ValueError, what its 64 bits do not hold OverflowError.
BINARY: dict[str, tuple[int, _Binary]] = {
    "||": (1, lambda a, b: int(bool(a or b))),
    "&&": (2, lambda a, b: int(bool(a and b))),
    "|": (3, _arithmetic(lambda a, b: a | b)),
    "^": (4, _arithmetic(lambda a, b: a ^ b)),
    "&": (5, _arithmetic(lambda a, b: a & b)),
    "==": (6, _comparison(lambda a, b: a == b)),
    "!=": (6, _comparison(lambda a, b: a != b)),
    "<": (7, _comparison(lambda a, b: a < b)),
    ">": (7, _comparison(lambda a, b: a > b)),
    "<=": (7, _comparison(lambda a, b: a <= b)),
    ">=": (7, _comparison(lambda a, b: a >= b)),
    "<<": (8, _shifting(lambda a, b: a << b)),
    ">>": (8, _shifting(lambda a, b: a >> b)),
    "+": (9, _arithmetic(lambda a, b: a + b)),
    "-": (9, _arithmetic(lambda a, b: a - b)),
    "*": (10, _arithmetic(lambda a, b: a * b)),
    "/": (10, _arithmetic(_divide)),
    "%": (10, _arithmetic(lambda a, b: a - b * _divide(a, b))),
}
#: The operators before one value, `!` aside.
UNARY: dict[str, Callable[[int], int]] = {
    "-": lambda a: fits(-a, a),
    "+": lambda a: a,
    "~": lambda a: fits(~a, a),
}
MAX_NESTING = 64  # of parentheses and operators before a value
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)(?:[uU]?[lL]{0,2}|[lL]{1,2}[uU])")


def integer(text: str) -> int:
    """The value of an integer constant of C, or of a character constant of one ASCII character.

    Raises:
        ValueError: it is something else. OverflowError: 64 bits do not hold it.
    """
    if len(text) == 3 and text[0] == text[2] == "'" and text[1] != "\\" and text.isascii():
        return ord(text[1])
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an integer")
    digits = match[1]
    if len(digits) > 66:  # 64 binary digits: no need to compute more
        raise OverflowError(f"{digits[:20]}… does not fit 64 bits")
    octal = digits[0] == "0" and digits.isdigit()
    value = int(digits, 8 if octal else 0)
    # What no signed type of 64 bits holds is unsigned in C too, if it is not decimal.
    return fits(value, Unsigned() if "u" in text.lower() or (value >= 2**63 and digits[0] == "0") else 0)


def holds(tokens: Sequence[Token], where: Token) -> bool:
    """Whether `tokens`, with `defined` and macros already replaced, are not 0.

    Names that are left are 0 as in C if they are the compiler's (`_X…`, `__…`); others a system header may
    define, so their value is not known here.

    Raises:
        ContractError: the condition is malformed or its value is not known.
    """
    reader = _ConditionReader(tokens)
    try:
        value = reader.binary(1, True)
        if reader.rest:
            raise ValueError(f"{reader.rest[-1].text!r} is not expected here")
    except (ValueError, OverflowError) as error:
        raise _unclear(where, str(error)) from error
    return value != 0


def _unclear(where: Token, reason: str) -> ContractError:
    return refusal(
        where.path,
        where.line,
        f"the condition cannot be decided: {reason}",
        cure="Use defined(), integers and macros that the header defines itself",
    )


class _ConditionReader:
    """Precedence climbing. `live` is false in the part that C does not evaluate (right of `0 &&`, `1 ||`)."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.rest = list(reversed(tokens))
        self._depth = 0

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
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ValueError(f"parentheses or operators nest deeper than {MAX_NESTING}")
        value = self._unary(live)
        self._depth -= 1
        return value

    def _unary(self, live: bool) -> int:
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
            return int(value == 0) if token.text == "!" else UNARY[token.text](value)
        raise ValueError(f"{token.text!r} is not expected here")
