"""Declarations of a contract's header → pycparser's tree. The only module that imports pycparser.

pycparser is given the declarations on lines of their own, so that each line leads back to file, line and
declaration; and it says little of what is wrong, so that is worked out here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from loader.contract.header.declarations import OUT
from loader.contract.header.refusal import cure_for_class, refusal
from loader.contract.header.target import BUILTIN
from loader.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.contract.header.declarations import Declaration, Unit
    from loader.contract.header.tokens import Token

__all__ = ["Line", "Node", "Parsed", "parse"]

Node: TypeAlias = Any  # of pycparser's tree; pycparser has no type information

_KEYWORD = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|"
    "register|restrict|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|"
    "while|_.*"
)
_ERROR = re.compile(r"[^:]*:(\d+)(?::\d+)?: (?:before: )?(.*)")


class Line(NamedTuple):
    """Where a line that pycparser was given comes from: its declaration, and the first token on it."""

    declaration: Declaration
    token: Token


class Parsed(NamedTuple):
    """The nodes at file scope, and where they come from: `lines[0]` is pycparser's line 2."""

    nodes: list[Node]
    lines: list[Line]

    def line(self, node: Node) -> int:
        """The index in `lines` of where `node` begins; one without a name asks what is in it."""
        while node.coord is None or node.coord.line < 2:  # older versions say 0 where they do not know
            node = node.children()[0][1]
        return int(node.coord.line) - 2

    def at(self, node: Node) -> Line:
        """Where `node` comes from."""
        return self.lines[self.line(node)]


def parse(unit: Unit) -> Parsed:
    """Parses the declarations of `unit`.

    Raises:
        ContractError: they are not C, or use an unknown type; or pycparser is missing.
    """
    try:
        from pycparser.c_parser import CParser  # type: ignore[import-untyped]  # noqa: PLC0415 - 40 ms
    except ImportError as error:
        raise ContractError(
            "contract headers cannot be read", found="no package pycparser", cure="pip install pycparser"
        ) from error

    def attempt(declarations: Sequence[Declaration]) -> list[Node] | Exception:
        try:
            nodes: list[Node] = CParser().parse(_text(declarations)[0], "").ext
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - ParseError, or in some versions AssertionError
            return error
        return nodes[len(BUILTIN) :]

    declarations = unit.declarations
    nodes = attempt(declarations)
    if not isinstance(nodes, Exception):
        return Parsed(nodes, _text(declarations)[1])

    def fails(count: int) -> bool:
        return isinstance(attempt(declarations[:count]), Exception)

    # Mostly the error's own line leads to the first declaration that makes one; not every error has a line, or the
    # right one.
    line = _line_of(nodes, _text(declarations)[1])
    wrong = -1 if line is None else next(i for i, each in enumerate(declarations) if each is line.declaration)
    if wrong < 0 or fails(wrong) or not fails(wrong + 1):
        wrong = bisect_left(range(1, len(declarations)), True, key=fails)
    raise _syntax_error(declarations[wrong], unit, nodes) from nodes


def _text(declarations: Sequence[Declaration]) -> tuple[str, list[Line]]:
    """The declarations as C behind a line that declares the built-in types, and where each line is from."""
    text = ["".join(f"typedef int {name};" for name in BUILTIN)]
    lines: list[Line] = []
    for declaration in declarations:
        last: tuple[str, int] | None = None
        for token in declaration.tokens:
            if (token.path, token.line) != last:
                last = (token.path, token.line)
                text.append("")
                lines.append(Line(declaration, token))
            text[-1] += token.text + " "
    return "\n".join(text) + "\n", lines


def _line_of(error: Exception, lines: list[Line]) -> Line | None:
    """The line that pycparser's error names, if it names one."""
    match = _ERROR.match(str(error))
    return lines[int(match[1]) - 2] if match is not None and 2 <= int(match[1]) <= len(lines) + 1 else None


def _syntax_error(declaration: Declaration, unit: Unit, error: Exception) -> ContractError:
    unknown = _unknown_type(declaration, unit)
    if unknown is not None:
        cure = "Known are the types of C itself, stdint.h, stddef.h, stdbool.h and loader/plugin.h"
        if _is_pointed(declaration.tokens, unknown):
            cure += f". {cure_for_class(unknown.text)}"
        reason = f"{unknown.text!r} is not a type that is known here"
        return refusal(unknown.path, unknown.line, reason, cure=cure)
    line = _line_of(error, _text(unit.declarations)[1])
    if line is not None and line.declaration is declaration:
        match = _ERROR.match(str(error))
        return refusal(line.token.path, line.token.line, f"a syntax error at {match[2] if match else ''!r}")
    token = declaration.tokens[0]
    return refusal(token.path, token.line, f"a syntax error in {_excerpt(declaration)!r}")


def _unknown_type(declaration: Declaration, unit: Unit) -> Token | None:
    """The name that stands where a type must, if that is what is wrong with `declaration`."""
    known = set(BUILTIN)
    for each in unit.declarations:
        if each is declaration:
            break
        if each.tokens[0].text == "typedef":
            known.update(token.text for token in each.tokens if token.kind == "name")
    depth = 0
    tokens = declaration.tokens
    for before, token, after in zip((None, *tokens), tokens, tokens[1:], strict=False):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        first = before is None or before.text in ("(", ",", "{", ";", "const", "extern", "typedef", OUT)
        last = after.kind == "name" or after.text == "*" or (depth > 0 and after.text in (",", ")"))
        named = token.kind == "name" and not _KEYWORD.fullmatch(token.text)
        if named and first and last and token.text not in known:
            return token
    return None


def _is_pointed(tokens: Sequence[Token], token: Token) -> bool:
    """Whether a star stands behind it."""
    at = next(i for i, each in enumerate(tokens) if each is token)
    return tokens[at + 1].text == "*"


def _excerpt(declaration: Declaration) -> str:
    text = " ".join(token.text for token in declaration.tokens)
    return text if len(text) <= 60 else text[:59] + "…"
