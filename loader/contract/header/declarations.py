"""Tokens of a contract's header → its declarations, with what the LOADER_ macros say of each.

Static functions and constants, and static asserts, are no part of a contract and are left out here, whatever
C they are written in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loader.contract.header import CONTRACT_NAME, LOADER_ABI, LOADER_ABI_MINOR, SERVICE_ID, VERSION_PART
from loader.contract.header.attributes import ATTRIBUTES, after_attribute
from loader.contract.header.files import BASE_HEADER
from loader.contract.header.refusal import refusal, refused
from loader.contract.header.stamp_line import StampDeclaration, check_stamps, stamp_of
from loader.contract.header.statements import check_depth, is_static, statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader.contract.header.preprocess import Preprocessed
    from loader.contract.header.tokens import Token

__all__ = ["OUT", "ClassDeclaration", "Declaration", "ServiceDeclaration", "Unit", "split"]

#: What a contract is not made of, though it may stand in its header.
_PASSED_OVER = ("_Static_assert", "static_assert", "LOADER_STATIC_ASSERT", "LOADER_MARKER")
_FLAGS = ("LOADER_EXPORT", "LOADER_OPTIONAL", "LOADER_GIVES_BYTES", "LOADER_GIVES_TEXT", "LOADER_REPEATABLE")
#: What pycparser sees in the place of LOADER_OUT: a word that no parameter of C may have.
OUT = "auto"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration: `tokens` up to and with its semicolon, without the macros named in `flags`."""

    tokens: tuple[Token, ...]
    flags: frozenset[str]
    doc: str


@dataclass(frozen=True, slots=True)
class ServiceDeclaration:
    """One LOADER_SERVICE(id, table)."""

    id: str
    table: str
    place: Token


@dataclass(frozen=True, slots=True)
class ClassDeclaration:
    """One LOADER_CLASS or LOADER_SHARED_CLASS."""

    shared: bool
    place: Token


@dataclass(slots=True)
class Unit:
    """What a contract's header says. contract: name, major, minor. end: the semicolon of LOADER_CONTRACT.

    needs: the greatest minor of LOADER_NEEDS: the compiler lets several stand, each of which the host reads.
    """

    contract: tuple[str, int, int]
    declarations: list[Declaration] = field(default_factory=list)
    services: list[ServiceDeclaration] = field(default_factory=list)
    lists: dict[str, str] = field(default_factory=dict)  # of LOADER_LIST: name of the list → name of the struct
    classes: dict[str, ClassDeclaration] = field(default_factory=dict)
    interfaces: dict[str, Token] = field(default_factory=dict)  # of LOADER_INTERFACE: name of the struct → where
    stamps: list[StampDeclaration] = field(default_factory=list)
    needs: int = 0
    end: Token | None = None

    def stamp(self) -> StampDeclaration | None:
        """The stamp of the header's own version, or None."""
        return next((each for each in self.stamps if each.version == self.contract[1:]), None)


def split(header: str, source: Preprocessed) -> Unit:
    """Sorts the tokens of the header at path `header` into declarations.

    Raises:
        ContractError: LOADER_CONTRACT is missing, stands twice or is malformed, a LOADER_FINGERPRINT is malformed or
            of another contract, or a declaration uses what is not supported (attributes that change a layout, macros
            with parameters, definitions of functions).
    """
    unit = Unit(("", 0, 0))
    first: Token | None = None
    for tokens in statements(source.tokens):
        start = tokens[0]
        if start.text == "LOADER_CONTRACT":
            if first is not None:
                raise refusal(start.path, start.line, f"a second LOADER_CONTRACT; the first is in line {first.line}")
            first = start
            unit.contract, unit.end = _contract(tokens), tokens[-1]
        elif start.text == "LOADER_FINGERPRINT":
            unit.stamps.append(stamp_of(tokens, _arguments(tokens, 4)))
        elif start.text == "LOADER_SERVICE":
            unit.services.append(_service(tokens))
        elif start.text == "LOADER_LIST":
            unit.declarations.append(_list(tokens, unit))
        elif start.text in ("LOADER_CLASS", "LOADER_SHARED_CLASS"):
            unit.declarations.append(_class(tokens, unit))
        elif start.text == "LOADER_INTERFACE":
            name = _name(tokens, unit.interfaces)
            unit.interfaces[name.text] = start
        elif start.text == "LOADER_NEEDS":
            unit.needs = max(unit.needs, _needs(tokens))
        elif start.text not in _PASSED_OVER and not is_static(tokens):
            unit.declarations.append(_declaration(tokens, source.with_parameters))
    if first is None:
        raise refusal(
            header,
            None,
            "no LOADER_CONTRACT",
            expected="LOADER_CONTRACT(name, major, minor); once",
            cure="Name the contract in its header",
        )
    check_stamps(unit.contract, unit.stamps)
    return unit


def _declaration(tokens: list[Token], with_parameters: frozenset[str]) -> Declaration:
    check_depth(tokens)
    flags = {token.text for token in tokens if token.text in _FLAGS}
    rest: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token.text in _FLAGS or token.text == "__extension__":
            continue
        if token.text in ATTRIBUTES:
            position = after_attribute(token, tokens, position)
            continue
        if token.text in with_parameters and tokens[position].text == "(":
            reason = f"macro {token.text!r} has parameters, and stands in a declaration"
            raise refusal(token.path, token.line, reason, cure="Write out what it stands for")
        if token.text == OUT:
            raise refusal(token.path, token.line, "'auto' does not belong here")
        if token.text == "LOADER_OUT":
            rest.append(token._replace(text=OUT))
            continue
        if token.text.startswith("LOADER_"):
            raise refusal(
                token.path,
                token.line,
                f"{token.text} does not belong here",
                expected=f"it at file scope, after {BASE_HEADER} is included",
            )
        rest.append(token._replace(text={"__restrict": "restrict"}.get(token.text, token.text)))
    if rest and rest[-1].text == "}":
        raise refusal(
            rest[0].path,
            rest[0].line,
            "a function is defined here",
            expected="declarations only",
            cure="Make it static inline, or declare it only",
        )
    return Declaration(tuple(rest), frozenset(flags), tokens[0].doc)


def _arguments(tokens: list[Token], count: int) -> list[list[Token]]:
    """The arguments of a macro of ours that stands alone: NAME ( a, b, … ) ;"""
    name, inner = tokens[0], tokens[2:-2]
    arguments: list[list[Token]] = [[]]
    for token in inner:
        if token.text == ",":
            arguments.append([])
        else:
            arguments[-1].append(token)
    shape = [token.text for token in (*tokens[1:2], *tokens[-2:])]
    if shape != ["(", ")", ";"] or len(arguments) != count or not all(arguments):
        found = "".join(token.text if token.text != "," else ", " for token in tokens)
        raise refusal(name.path, name.line, found, expected=f"{name.text}(…) with {count} arguments and a ';'")
    return arguments


def _contract(tokens: list[Token]) -> tuple[str, int, int]:
    place = tokens[0]
    name, major, minor = ("".join(token.text for token in argument) for argument in _arguments(tokens, 3))
    if not CONTRACT_NAME.fullmatch(name):
        raise refusal(
            place.path, place.line, f"the contract's name is {name!r}", expected="1 to 100 letters, digits, _"
        )
    if name == "loader":
        raise refusal(place.path, place.line, "the contract's name is 'loader'", cure="That is the base ABI's name")
    for what, value in (("major", major), ("minor", minor)):
        if not VERSION_PART.fullmatch(value):
            reason = f"the contract's {what} version is {value!r}"
            raise refusal(place.path, place.line, reason, expected="a plain number from 0 to 999999, not a macro")
    return name, int(major), int(minor)


def _needs(tokens: list[Token]) -> int:
    """LOADER_NEEDS(minor): a number, of which the compiler makes a part of a symbol's name."""
    ((minor, *more),) = _arguments(tokens, 1)
    if more or not VERSION_PART.fullmatch(minor.text):
        raise refused(tokens[0], "LOADER_NEEDS is malformed", expected="LOADER_NEEDS(3); with a plain number")
    if int(minor.text) > LOADER_ABI_MINOR:
        reason = f"LOADER_NEEDS({minor.text}): all plugins of this contract need a newer loader"
        expected = f"at most {LOADER_ABI_MINOR}, what this loader knows of loader ABI {LOADER_ABI}"
        raise refused(tokens[0], reason, expected=expected, cure="Update native-plugin-loader")
    return int(minor.text)


def _name(tokens: list[Token], known: Iterable[str]) -> Token:
    """The one name in a macro of ours: NAME ( name ) ;"""
    place = tokens[0]
    ((named, *more),) = _arguments(tokens, 1)
    if more or named.kind != "name":
        raise refused(place, f"{place.text} is malformed", expected=f"{place.text}(type);")
    if named.text in known:
        raise refused(place, f"a second {place.text}({named.text})")
    return named


def _opaque(name: Token, text: str) -> Declaration:
    """A struct that is not defined: typedef struct TEXT TEXT; at `name`."""
    made = [name._replace(text=word, kind="name") for word in ("typedef", "struct", text, text)]
    return Declaration((*made, name._replace(text=";", kind="punct")), frozenset(), "")


def _list(tokens: list[Token], unit: Unit) -> Declaration:
    """LOADER_LIST(type): for what follows, a struct that is not defined; structs.py knows what it is."""
    named = _name(tokens, unit.lists.values())
    name = f"{named.text}_list"
    unit.lists[name] = named.text
    return _opaque(named, name)


def _class(tokens: list[Token], unit: Unit) -> Declaration:
    """LOADER_CLASS(type): a struct that is not defined."""
    named = _name(tokens, unit.classes)
    unit.classes[named.text] = ClassDeclaration(tokens[0].text == "LOADER_SHARED_CLASS", tokens[0])
    return _opaque(named, named.text)


def _service(tokens: list[Token]) -> ServiceDeclaration:
    place = tokens[0]
    given, table = _arguments(tokens, 2)
    if any(token.kind != "string" for token in given) or len(table) != 1 or table[0].kind != "name":
        raise refusal(place.path, place.line, "LOADER_SERVICE is malformed", expected='LOADER_SERVICE("id/1", type);')
    name = "".join(token.text[1:-1] for token in given)
    if not SERVICE_ID.fullmatch(name):
        raise refusal(
            place.path, place.line, f"the service's id is {name!r}", expected='a name and version: "app.db/1"'
        )
    return ServiceDeclaration(name, table[0].text, place)
