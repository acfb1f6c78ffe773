"""Declarations of a contract's header → C types. The only module that imports pycparser.

pycparser knows C's grammar; what the result means (typedefs resolved, sizes, const) is worked out here. No
judgement on what a contract may hold: that is loader.header.rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from loader.errors import ContractError
from loader.header.condition import BINARY, integer
from loader.header.refusal import refusal
from loader.header.target import BUILTIN, BuiltinType, integer_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.header.declarations import Declaration, Unit
    from loader.header.tokens import Token

__all__ = ["Declared", "Function", "Named", "Type", "read_types"]


_Node: TypeAlias = Any  # of pycparser's tree; pycparser has no type information


@dataclass(frozen=True, slots=True)
class Type:
    """A C type, typedefs resolved.

    what: integer, enum (one whose values are not all int), double, text, bytes, call, struct, union, pointer,
    function, array, or other. spelled: for messages. size: bytes, of integers, double, text and bytes.
    """

    what: str
    spelled: str
    size: int = 0
    signed: bool = False
    const: bool = False
    odd: bool = False  # volatile or _Atomic
    tag: str = ""  # of a struct: its key in Declared.structs
    target: Type | None = None  # of a pointer
    function: Function | None = None  # of a function


@dataclass(frozen=True, slots=True)
class Named:
    """A parameter or a struct's member; `place` is a token on its line."""

    name: str | None
    type: Type
    place: Token
    doc: str = ""
    bits: bool = False
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function's type. `parameters`: None if the list is empty, which in C says nothing about them."""

    returns: Type
    parameters: tuple[Named, ...] | None
    variadic: bool


@dataclass(slots=True)
class Declared:
    """All that a header declares. structs: tag → members; names: tag → the typedef that names the struct."""

    objects: list[tuple[Named, Declaration]] = field(default_factory=list)
    structs: dict[str, tuple[Named, ...]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    typedefs: dict[str, Type] = field(default_factory=dict)


def read_types(header: str, unit: Unit) -> Declared:
    """Parses the declarations of the header at path `header`.

    Raises:
        ContractError: they are not C, use an unknown type, define something twice; or pycparser is missing.
    """
    return _Reader(header, unit).read()


class _Reader:
    def __init__(self, header: str, unit: Unit) -> None:
        self.header = header
        self.unit = unit
        self.declared = Declared()
        # One entry an output line: the declaration it belongs to and the first token on it.
        self.lines: list[tuple[Declaration, Token]] = []
        self._enums: dict[str, Type] = {}
        self._values: dict[str, int] = {}  # of enumerators

    def read(self) -> Declared:
        for node in self._parse().ext:
            # The typedefs of the preamble stand on line 1 and are BUILTIN.
            if node.coord is not None and node.coord.line == 1:
                continue
            kind = type(node).__name__
            if kind == "Typedef":
                self._typedef(node)
                continue
            if kind != "Decl":
                raise self._refusal(node, "a declaration was expected here")
            named = self._named(node)
            if node.name is not None:
                self.declared.objects.append((named, self._at(node)[0]))
        return self.declared

    # ---- Text for pycparser, and back ----------------------------------------------------------------------

    def _text(self) -> str:
        """The declarations as C, on lines of their own, behind a line that declares the built-in types."""
        lines = ["".join(f"typedef int {name};" for name in BUILTIN)]
        for declaration in self.unit.declarations:
            last: tuple[str, int] | None = None
            for token in declaration.tokens:
                if (token.path, token.line) != last:
                    last = (token.path, token.line)
                    lines.append("")
                    self.lines.append((declaration, token))
                lines[-1] += token.text + " "
        return "\n".join(lines) + "\n"

    def _parse(self) -> _Node:
        try:
            from pycparser.c_parser import CParser  # type: ignore[import-untyped]  # noqa: PLC0415 - 40 ms
        except ImportError as error:
            raise ContractError(
                "contract headers cannot be read", found="no package pycparser", cure="pip install pycparser"
            ) from error
        try:
            return CParser().parse(self._text(), "")
        except RecursionError:
            raise
        except Exception as error:  # ParseError, and an AssertionError of older versions
            match = re.match(r"[^:]*:(\d+)(?::\d+)?: (?:before: )?(.*)", str(error))
            if match is None or not 2 <= int(match[1]) <= len(self.lines) + 1:
                raise refusal(self.header, None, f"C that cannot be parsed ({error})") from error
            declaration, token = self.lines[int(match[1]) - 2]
            unknown = self._unknown_type(declaration)
            if unknown is not None:
                cure = "Known are the types of C itself, stdint.h, stddef.h, stdbool.h and loader/plugin.h"
                reason = f"{unknown.text!r} is not a type that is known here"
                raise refusal(unknown.path, unknown.line, reason, cure=cure) from error
            raise refusal(token.path, token.line, f"a syntax error at {match[2]!r}") from error

    def _unknown_type(self, declaration: Declaration) -> Token | None:
        """The name that stands where a type must, if that is what is wrong with `declaration`."""
        known = set(BUILTIN)
        for each in self.unit.declarations:
            if each.tokens[0].text == "typedef":
                known.update(token.text for token in each.tokens if token.kind == "name")
            if each is declaration:
                break
        tokens = declaration.tokens
        for before, token, after in zip((None, *tokens), tokens, tokens[1:], strict=False):
            names_one = before is None or before.text in ("(", ",", "{", ";", "const", "extern", "typedef")
            used_so = token.kind == "name" and names_one and (after.kind == "name" or after.text == "*")
            if used_so and token.text not in known and not _KEYWORD.fullmatch(token.text):
                return token
        return None

    def _at(self, node: _Node) -> tuple[Declaration, Token]:
        line: int = node.coord.line
        return self.lines[line - 2]

    def _refusal(self, node: _Node, reason: str, cure: str | None = None) -> ContractError:
        token = self._at(node)[1]
        return refusal(token.path, token.line, reason, cure=cure)

    # ---- Declarations --------------------------------------------------------------------------------------

    def _typedef(self, node: _Node) -> None:
        if node.name in BUILTIN:
            raise self._refusal(
                node, f"type {node.name!r} is defined anew", "Use the one of the included headers"
            )
        made = self._type(node.type)
        if self.declared.typedefs.setdefault(node.name, made) != made:
            raise self._refusal(node, f"type {node.name!r} is defined twice, and differently")
        if made.what == "struct":
            self.declared.names.setdefault(made.tag, node.name)

    def _named(self, node: _Node, doc: str = "") -> Named:
        return Named(
            node.name,
            self._type(node.type),
            self._at(node)[1],
            doc,
            bits=getattr(node, "bitsize", None) is not None,
            aligned=bool(getattr(node, "align", None)),
        )

    def _members(self, decls: list[_Node]) -> Iterator[Named]:
        end = decls[0].coord.line - 1 if decls else 0
        first = True
        for node in decls:
            # The comment may stand lines above the name: `int` on one line, `(*title)(` on the next.
            start = end if first else end + 1
            docs = [self.lines[line - 2][1].doc for line in range(max(start, 2), node.coord.line + 1)]
            end, first = _last_line(node), False
            yield self._named(node, next((doc for doc in reversed(docs) if doc), ""))

    # ---- Types ---------------------------------------------------------------------------------------------

    def _type(self, node: _Node) -> Type:
        kind = type(node).__name__
        if kind in ("TypeDecl", "Typename"):
            quals = node.quals or []
            made = self._type(node.type)
            odd = made.odd or "volatile" in quals or "_Atomic" in quals or bool(getattr(node, "align", None))
            return replace(made, const=made.const or "const" in quals, odd=odd)
        if kind == "PtrDecl":
            target = self._type(node.type)
            odd = "volatile" in node.quals or "_Atomic" in node.quals
            return Type(
                "pointer", f"{_spelled(target)} *", 8, const="const" in node.quals, odd=odd, target=target
            )
        if kind == "FuncDecl":
            return Type("function", "a function", function=self._function(node))
        if kind == "IdentifierType":
            return self._basic(node)
        if kind == "Struct":
            return self._struct(node)
        if kind == "Enum":
            return self._enum(node)
        if kind == "Union":
            return Type("union", f"union {node.name or ''}".strip())
        if kind == "ArrayDecl":
            return Type("array", f"an array of {_spelled(self._type(node.type))}")
        return Type("other", kind)

    def _function(self, node: _Node) -> Function:
        returns = self._type(node.type)
        if node.args is None:
            return Function(returns, None, False)
        parameters: list[Named] = []
        variadic = False
        for each in node.args.params:
            kind = type(each).__name__
            if kind == "EllipsisParam":
                variadic = True
            elif kind == "ID":
                raise self._refusal(each, f"parameter {each.name!r} has no type")
            else:
                parameters.append(self._named(each))
        if len(parameters) == 1 and parameters[0].type.spelled == "void" and parameters[0].name is None:
            parameters = []
        return Function(returns, tuple(parameters), variadic)

    def _basic(self, node: _Node) -> Type:
        names = node.names
        if len(names) == 1 and names[0] in self.declared.typedefs:
            return self.declared.typedefs[names[0]]
        known = BUILTIN.get(names[0]) if len(names) == 1 else None
        known = known or integer_type(names) or BuiltinType("other")
        return Type(known.what, " ".join(names), known.size, known.signed)

    def _struct(self, node: _Node) -> Type:
        tag = node.name or f"@{node.coord.line}.{node.coord.column}"
        if node.decls is not None:
            if tag in self.declared.structs:
                raise self._refusal(node, f"struct {tag!r} is defined twice")
            self.declared.structs[tag] = ()  # known while its members are read: they may point to it
            self.declared.structs[tag] = tuple(self._members(node.decls))
        return Type("struct", f"struct {node.name}" if node.name else "a struct without a name", tag=tag)

    def _enum(self, node: _Node) -> Type:
        spelled = f"enum {node.name or ''}".strip()
        if node.values is not None:
            fits = True
            value: int | None = -1
            for each in node.values.enumerators:
                if each.value is not None:
                    value = self._value(each.value)
                elif value is not None:
                    value += 1
                fits = fits and value is not None and -(2**31) <= value < 2**31
                if value is not None:
                    self._values[each.name] = value
            made = Type("integer", spelled, 4, True) if fits else Type("enum", spelled)
            if node.name is None:
                return made
            self._enums[node.name] = made
        return self._enums.get(node.name, Type("enum", spelled))

    def _value(self, node: _Node) -> int | None:
        """The value of an enumerator's expression, or None if it is beyond these few operators."""
        kind = type(node).__name__
        try:
            if kind == "Constant":
                return integer(node.value)
            if kind == "ID":
                return self._values.get(node.name)
            if kind == "UnaryOp" and node.op in ("-", "+", "~"):
                value = self._value(node.expr)
                return None if value is None else {"-": -value, "+": value, "~": ~value}[node.op]
            if kind == "BinaryOp":
                left, right = self._value(node.left), self._value(node.right)
                return None if left is None or right is None else BINARY[node.op][1](left, right)
        except ValueError:
            pass
        return None


_KEYWORD = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|"
    "register|restrict|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|while|_.*"
)


def _spelled(made: Type) -> str:
    return f"const {made.spelled}" if made.const and made.what != "pointer" else made.spelled


def _last_line(node: _Node) -> int:
    """The last output line that `node` or anything in it begins on."""
    lines = [node.coord.line] if getattr(node, "coord", None) else []
    return max([*lines, *(_last_line(child) for _, child in node.children())], default=0)
