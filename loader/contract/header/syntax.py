"""Declarations of a contract's header → C types, with typedefs resolved.

pycparser knows C's grammar; what its tree means (sizes, signs, const, values of enumerators) is worked out
here. No judgement on what a contract may hold: that is loader.contract.header.rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loader.contract.header.condition import BINARY, UNARY, integer
from loader.contract.header.declarations import OUT
from loader.contract.header.parse import parse
from loader.contract.header.refusal import refusal
from loader.contract.header.target import BUILTIN, BuiltinType, integer_type
from loader.contract.kinds import BOOL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.contract.header.declarations import Declaration, Unit
    from loader.contract.header.parse import Node
    from loader.contract.header.tokens import Token
    from loader.errors import ContractError

__all__ = ["Declared", "Named", "Prototype", "Type", "read_types"]

MAX_PARTS = 150  # of a type: see _sum


@dataclass(frozen=True, slots=True)
class Type:
    """A C type, typedefs resolved.

    what: integer, enum (one whose values are not all int), float, double, text, bytes, numbers, texts, call, struct,
    union, pointer, function, array, or other. spelled: for messages. size: bytes, of numbers and of text and bytes;
    of `numbers`, an element's. target: what a pointer points to, or an array is of.
    """

    what: str
    spelled: str
    size: int = 0
    signed: bool = False
    const: bool = False
    odd: bool = False  # volatile or _Atomic
    tag: str = ""  # of a struct: its key in Declared.structs
    target: Type | None = None
    function: Prototype | None = None  # of a function
    values: tuple[tuple[str, int], ...] = ()  # of an enum and of bool
    enum: str = ""  # the name of an enum: its typedef, else its tag
    count: int = 0  # of an array, 0: not known
    parts: int = field(default=1, compare=False)  # it and all that it is made of, up to structs


@dataclass(frozen=True, slots=True)
class Named:
    """A parameter or a struct's member; `place` is a token on its line."""

    name: str | None
    type: Type
    place: Token
    doc: str = ""
    bits: bool = False
    aligned: bool = False
    out: bool = False  # marked by LOADER_OUT


@dataclass(frozen=True, slots=True)
class Prototype:
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


def read_types(unit: Unit) -> Declared:
    """Parses the declarations of `unit`.

    Raises:
        ContractError: they are not C, use an unknown type, define something twice; or pycparser is missing.
    """
    return _SyntaxReader(unit).read()


class _SyntaxReader:
    def __init__(self, unit: Unit) -> None:
        self.parsed = parse(unit)
        self.declared = Declared()
        self._read: set[int] = set()  # struct nodes, by identity
        self._enums: dict[str, Type] = {}
        self._values: dict[str, int] = {}  # of enumerators

    def read(self) -> Declared:
        for node in self.parsed.nodes:
            kind = type(node).__name__
            if kind == "Typedef":
                self._typedef(node)
                continue
            if kind != "Decl":
                raise self._refusal(node, "a declaration was expected here")
            named = self._named(node)
            if named.out:
                raise self._refusal(node, "LOADER_OUT does not belong here", "Write it before a parameter")
            if node.name is not None:
                self.declared.objects.append((named, self.parsed.at(node).declaration))
        return self.declared

    def _refusal(self, node: Node, reason: str, cure: str | None = None) -> ContractError:
        token = self.parsed.at(node).token
        return refusal(token.path, token.line, reason, cure=cure)

    # ---- Declarations --------------------------------------------------------------------------------------

    def _typedef(self, node: Node) -> None:
        if node.name in BUILTIN:
            raise self._refusal(node, f"type {node.name!r} is defined anew", "Use the one of the included headers")
        made = self._type(node.type)
        if type(getattr(node.type, "type", None)).__name__ == "Enum" and made.what == "integer":
            made = replace(made, enum=node.name)
        if self.declared.typedefs.setdefault(node.name, made) != made:
            raise self._refusal(node, f"type {node.name!r} is defined twice, and differently")
        if made.what == "struct":
            self.declared.names.setdefault(made.tag, node.name)

    def _named(self, node: Node, doc: str = "") -> Named:
        return Named(
            node.name,
            self._type(node.type),
            self.parsed.at(node).token,
            doc,
            bits=getattr(node, "bitsize", None) is not None,
            aligned=bool(getattr(node, "align", None)),
            out=OUT in (getattr(node, "storage", None) or ()),
        )

    def _members(self, decls: list[Node]) -> Iterator[Named]:
        end: int | None = None
        for node in decls:
            # The comment may stand lines above the name: `int` on one line, `(*title)(` on the next.
            last = self.parsed.line(node)
            start = last if end is None else end + 1
            docs = (line.token.doc for line in self.parsed.lines[start : last + 1])
            end = _last_line(node) - 2
            yield self._named(node, next(filter(None, docs), ""))

    # ---- Types ---------------------------------------------------------------------------------------------

    def _type(self, node: Node) -> Type:
        kind = type(node).__name__
        if kind in ("TypeDecl", "Typename"):
            quals = node.quals or []
            made = self._type(node.type)
            odd = made.odd or "volatile" in quals or "_Atomic" in quals or bool(getattr(node, "align", None))
            return replace(made, const=made.const or "const" in quals, odd=odd)
        if kind == "PtrDecl":
            target = self._type(node.type)
            odd = "volatile" in node.quals or "_Atomic" in node.quals
            parts = self._sum(node, target)
            return Type(
                *("pointer", f"{_spelled(target)} *", 8),
                const="const" in node.quals, odd=odd, target=target, parts=parts,
            )  # fmt: skip
        if kind == "FuncDecl":
            function = self._function(node)
            parts = self._sum(node, function.returns, *(each.type for each in function.parameters or ()))
            return Type("function", "a function", function=function, parts=parts)
        if kind == "IdentifierType":
            return self._basic(node)
        if kind == "Struct":
            return self._struct(node)
        if kind == "Enum":
            return self._enum(node)
        if kind == "Union":
            return Type("union", f"union {node.name or ''}".strip())
        if kind == "ArrayDecl":
            target = self._type(node.type)
            count = None if node.dim is None else self._value(node.dim)
            parts = self._sum(node, target)
            return Type("array", f"an array of {_spelled(target)}", target=target, count=count or 0, parts=parts)
        return Type("other", kind)

    def _sum(self, node: Node, *of: Type) -> int:
        """How many parts a type has that is made of these. Typedefs of typedefs grow without end, in few lines."""
        parts = 1 + sum(each.parts for each in of)
        if parts > MAX_PARTS:
            raise self._refusal(node, f"a type of more than {MAX_PARTS} parts", "Use structs, or void *")
        return parts

    def _function(self, node: Node) -> Prototype:
        returns = self._type(node.type)
        if node.args is None:
            return Prototype(returns, None, False)
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
        return Prototype(returns, tuple(parameters), variadic)

    def _basic(self, node: Node) -> Type:
        names = node.names
        if len(names) == 1 and names[0] in self.declared.typedefs:
            return self.declared.typedefs[names[0]]
        known = BUILTIN.get(names[0]) if len(names) == 1 else None
        known = known or integer_type(names) or BuiltinType("other")
        values = BOOL if names in (["bool"], ["_Bool"]) else ()
        return Type(known.what, " ".join(names), known.size, known.signed, values=values)

    def _struct(self, node: Node) -> Type:
        tag = node.name or f"@{id(node)}"
        # `typedef struct s {…} s, *pointer;` has one node for both names.
        if node.decls is not None and id(node) not in self._read:
            self._read.add(id(node))
            if tag in self.declared.structs:
                raise self._refusal(node, f"struct {tag!r} is defined twice")
            self.declared.structs[tag] = ()  # known while its members are read: they may point to it
            self.declared.structs[tag] = tuple(self._members(node.decls))
        return Type("struct", f"struct {node.name or ''}".strip(), tag=tag)

    def _enum(self, node: Node) -> Type:
        spelled = f"enum {node.name or ''}".strip()
        if node.values is not None:
            fits = True
            named: list[tuple[str, int]] = []
            value: int | None = -1
            for each in node.values.enumerators:
                if each.value is not None:
                    value = self._value(each.value)
                elif value is not None:
                    value += 1
                fits = fits and value is not None and -(2**31) <= value < 2**31
                if value is not None:
                    if value >= 2**63:
                        raise self._refusal(each, f"{each.name!r} does not fit 64 bits")
                    self._values[each.name] = value
                    named.append((each.name, value))
            name = node.name or ""
            made = (
                Type("integer", spelled, 4, True, values=tuple(named), enum=name) if fits else Type("enum", spelled)
            )
            if node.name is None:
                return made
            self._enums[node.name] = made
        return self._enums.get(node.name, Type("enum", spelled))

    def _value(self, node: Node) -> int | None:
        """The value of an enumerator's expression, or None if it is beyond these few operators."""
        kind = type(node).__name__
        try:
            if kind == "Constant":
                return integer(node.value)
            if kind == "ID":
                return self._values.get(node.name)
            if kind == "UnaryOp" and node.op in UNARY:
                value = self._value(node.expr)
                return None if value is None else UNARY[node.op](value)
            if kind == "BinaryOp":
                left, right = self._value(node.left), self._value(node.right)
                return None if left is None or right is None else BINARY[node.op][1](left, right)
        except ValueError:
            pass
        except OverflowError as error:
            raise self._refusal(node, f"the value of an enumerator cannot be computed: {error}") from error
        return None


def _spelled(made: Type) -> str:
    return f"const {made.spelled}" if made.const and made.what != "pointer" else made.spelled


def _last_line(node: Node) -> int:
    """The last output line that `node` or anything in it begins on."""
    lines = [node.coord.line] if getattr(node, "coord", None) else []
    return max([*lines, *(_last_line(child) for _, child in node.children())], default=0)
