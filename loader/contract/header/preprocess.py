"""Directives and macros of a contract's header → one list of tokens.

An honest small preprocessor: what it does not do (macros with parameters, `##`, `#line`) it refuses where it
would matter, and never skips silently. The macros of loader/plugin.h are left as they stand, for
loader.contract.header.declarations to read.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.contract.header import LOADER_ABI, LOADER_ABI_MINOR
from loader.contract.header.condition import holds
from loader.contract.header.files import BASE_HEADER, Files, is_base
from loader.contract.header.refusal import refusal
from loader.contract.header.tokens import MAX_TOKENS, Token, tokenize

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BASE_MACROS", "Preprocessed", "preprocess"]

MAX_DEPTH = 16  # of includes
MAX_NESTING = 64  # of macros in macros
MAX_STEPS = 2 * MAX_TOKENS  # tokens read, written and made of macros: a header is a page, a macro bomb is not

#: Macros of loader/plugin.h that may stand in a contract. They are not expanded.
BASE_MACROS = frozenset(
    (
        *("LOADER_BEGIN_C", "LOADER_CONTRACT", "LOADER_END_C", "LOADER_EXPORT", "LOADER_FINGERPRINT"),
        *("LOADER_GIVES_BYTES", "LOADER_GIVES_TEXT", "LOADER_HAS", "LOADER_LIKELY", "LOADER_MARKER"),
        *("LOADER_CLASS", "LOADER_INTERFACE", "LOADER_NEEDS", "LOADER_SHARED_CLASS"),
        *("LOADER_FORMAT", "LOADER_LIST", "LOADER_OPTIONAL", "LOADER_OUT", "LOADER_REPEATABLE"),
        *("LOADER_PRINT", "LOADER_SERVICE", "LOADER_STATIC_ASSERT"),
    )
)
_PASTED = ("LOADER_CONTRACT", "LOADER_FINGERPRINT", "LOADER_NEEDS")
_BASE_VALUES = {"LOADER_ABI": str(LOADER_ABI), "LOADER_ABI_MINOR": str(LOADER_ABI_MINOR), "LOADER_PLUGIN_H": ""}
# What a C11 compiler defines, as far as a header may ask for it. Which compiler it is stays open.
_PREDEFINED = {"__STDC__": "1", "__STDC_VERSION__": "201112L", "__STDC_HOSTED__": "1"} | {
    "win32": {"_WIN32": "1", "_WIN64": "1"},
    "darwin": {"__APPLE__": "1", "__MACH__": "1", "__LP64__": "1"},
}.get(sys.platform, {"__linux__": "1", "__unix__": "1", "__LP64__": "1"})


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """`tokens`, and the names of macros `with_parameters`, which are not expanded in them."""

    tokens: list[Token]
    with_parameters: frozenset[str]


@dataclass(slots=True)
class _Branch:
    """One open `#if`."""

    opened: Token
    outer: bool  # what is around it is active
    active: bool
    taken: bool  # this or an earlier branch was active
    ended: bool = False  # #else was seen


def preprocess(files: Files) -> Preprocessed:
    """All tokens that a C compiler would see of the header, comments and system headers left out.

    Raises:
        ContractError: a directive is malformed, unsupported or nests too deeply; a file is missing; or
            loader/plugin.h is not included.
    """
    worker = _Preprocessor(files)
    worker.file(files.header, (), Token("newline", "", files.header, 1))
    if not worker.has_base:
        raise refusal(
            files.header,
            None,
            "it is not included",
            expected=f'#include "{BASE_HEADER}"',
            cure="Include it first",
        )
    return Preprocessed(worker.tokens, frozenset(worker.with_parameters))


class _Preprocessor:
    def __init__(self, files: Files) -> None:
        self.files = files
        self.tokens: list[Token] = []
        self.has_base = False
        self.with_parameters: set[str] = set()
        # None: left as it stands
        self.macros: dict[str, list[Token] | None] = {}
        self._define_all(_PREDEFINED)
        self._once: set[str] = set()
        self._tokens: dict[str, list[Token]] = {}
        self._steps = 0
        self._doc = ""  # of a token that a macro made nothing of: goes to the next one
        # Within one of _PASTED, where C expands nothing (operands of ##): how many parentheses are open.
        self._open: int | None = None

    def _define_all(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self.macros[name] = [Token("number", value, "", 0)] if value else []

    # ---- One file ------------------------------------------------------------------------------------------

    def file(self, path: str, chain: tuple[str, ...], at: Token) -> None:
        """Adds the tokens of the file at `path`, which the files of `chain` include in turn, the last one `at`."""
        branches: list[_Branch] = []
        line: list[Token] = []
        tokens = self._tokens.get(path)
        if tokens is None:
            tokens = self._tokens[path] = tokenize(path, self.files.texts[path])
        self._step(at, len(tokens))  # once more for a file that is included once more
        for token in tokens:
            if token.kind != "newline":
                line.append(token)
            elif line:
                if line[0].text == "#":
                    if self._directive(line, branches, (*chain, path)):
                        return
                elif not branches or branches[-1].active:
                    for each in line:
                        self._add(each)
                line = []
        if branches:
            opened = branches[-1].opened
            raise refusal(path, opened.line, "#if without #endif")

    def _add(self, token: Token) -> None:
        self._doc = token.doc or self._doc
        made: list[Token] = []
        if self._open is None and token.text not in _PASTED:
            self._expand(token, frozenset(), token, made)
        else:
            made.append(token)
            self._open = 0 if self._open is None else self._open + {"(": 1, ")": -1}.get(token.text, 0)
            if self._open == 0 and token.text not in _PASTED:
                self._open = None
        for each in made:
            if each.kind == "stray":
                raise refusal(token.path, token.line, f"{each.text!r} is not C")
            if each.text == "_Pragma":  # may change the layout of all that follows
                raise refusal(token.path, token.line, "_Pragma is not supported", cure="Use #pragma")
            self.tokens.append(each._replace(doc=self._doc))
            self._doc = ""

    def _expand(self, token: Token, within: frozenset[str], at: Token, made: list[Token]) -> None:
        """Adds to `made` what `token` stands for, on the line of `at`, opening no macro of `within` again."""
        self._step(at, 1 + len(token.text) // 100)
        if len(within) > MAX_NESTING:
            raise refusal(at.path, at.line, f"macros nest deeper than {MAX_NESTING}")
        body = self.macros.get(token.text) if token.kind == "name" and token.text not in within else None
        if body is None:
            made.append(token._replace(path=at.path, line=at.line))
        else:
            for each in body:
                self._expand(each, within | {token.text}, at, made)

    def _step(self, at: Token, count: int) -> None:
        self._steps += count
        if self._steps > MAX_STEPS:
            raise refusal(at.path, at.line, f"macros and includes make more than {MAX_STEPS} tokens")

    # ---- Directives ----------------------------------------------------------------------------------------

    def _directive(self, line: list[Token], branches: list[_Branch], chain: tuple[str, ...]) -> bool:
        """Follows one directive. Returns whether the rest of the file is to be left out (#pragma once)."""
        if len(line) == 1:
            return False
        name, rest = line[1], line[2:]
        if name.text in ("if", "ifdef", "ifndef", "elif", "elifdef", "elifndef", "else", "endif"):
            self._branch(name, rest, branches)
            return False
        if branches and not branches[-1].active:
            return False
        if name.text == "pragma" and rest and rest[0].text == "once":
            seen = chain[-1] in self._once
            self._once.add(chain[-1])
            return seen
        follow: Callable[[Token, list[Token], tuple[str, ...]], None] | None = {
            "include": self._include,
            "define": self._define,
            "undef": self._undef,
            "error": self._error,
            "pragma": self._pragma,
            "warning": lambda *_: None,
        }.get(name.text)
        if follow is None:
            raise refusal(name.path, name.line, f"#{name.text} is not supported")
        follow(name, rest, chain)
        return False

    def _branch(self, name: Token, rest: list[Token], branches: list[_Branch]) -> None:
        if name.text in ("if", "ifdef", "ifndef"):
            outer = not branches or branches[-1].active
            active = outer and self._condition(name, rest)
            branches.append(_Branch(name, outer, active, active))
            return
        if not branches:
            raise refusal(name.path, name.line, f"#{name.text} without #if")
        branch = branches[-1]
        if name.text == "endif":
            branches.pop()
            return
        if branch.ended:
            raise refusal(name.path, name.line, f"#{name.text} after #else")
        if name.text == "else":
            branch.ended = True
        open_still = branch.outer and not branch.taken
        branch.active = open_still and (name.text == "else" or self._condition(name, rest))
        branch.taken = branch.taken or branch.active

    def _condition(self, name: Token, rest: list[Token]) -> bool:
        if name.text not in ("if", "elif"):
            if len(rest) != 1 or rest[0].kind != "name":
                raise refusal(name.path, name.line, f"#{name.text} wants one name")
            return (rest[0].text in self.macros) == name.text.endswith("fdef")
        made: list[Token] = []
        position = 0
        while position < len(rest):
            token = rest[position]
            position += 1
            if token.text != "defined":
                self._expand(token, frozenset(), token, made)
                continue
            inner = [each.text for each in rest[position : position + 3]]
            enclosed = len(inner) == 3 and inner[0] == "(" and inner[2] == ")"
            asked = inner[1] if enclosed else "".join(inner[:1])
            if not asked.isidentifier():
                raise refusal(name.path, name.line, "defined wants a name")
            position += 3 if enclosed else 1
            made.append(token._replace(kind="number", text=str(int(asked in self.macros))))
        return holds(made, name)

    def _include(self, name: Token, rest: list[Token], chain: tuple[str, ...]) -> None:
        spelled = "".join(token.text for token in rest)
        if is_base(spelled):
            if not self.has_base:
                self.has_base = True
                self.macros.update(dict.fromkeys(BASE_MACROS))
                self._define_all(_BASE_VALUES)
            return
        if (chain[-1], spelled) not in self.files.includes:
            plain = len(spelled) > 2 and spelled[0] + spelled[-1] in ('""', "<>")
            raise refusal(
                name.path,
                name.line,
                f"{spelled} is not found" if plain else "#include wants a file name in quotes, on one line",
                cure="Name the folder that holds it in `include`" if plain else None,
            )
        target = self.files.includes[chain[-1], spelled]
        if target is None:
            return
        if len(chain) >= MAX_DEPTH:
            names = " → ".join(chain[-3:])
            cure = "Give every header an include guard, and let none include itself in a circle"
            raise refusal(name.path, name.line, f"includes nest deeper than {MAX_DEPTH}: … {names}", cure=cure)
        self.file(target, chain, name)

    def _define(self, name: Token, rest: list[Token], _: tuple[str, ...]) -> None:
        if not rest or rest[0].kind != "name" or rest[0].text == "defined":
            raise refusal(name.path, name.line, "#define wants a name")
        macro, body = rest[0].text, rest[1:]
        if macro in BASE_MACROS or macro in _BASE_VALUES:
            raise refusal(name.path, name.line, f"{macro} belongs to {BASE_HEADER}", cure="Use another name")
        if body and body[0].text == "(" and body[0].glued:
            self.with_parameters.add(macro)
            self.macros[macro] = None
            return
        known = self.macros.get(macro, body)
        if known is None or [token.text for token in known] != [token.text for token in body]:
            raise refusal(name.path, name.line, f"{macro} is defined anew, and differently", cure="#undef it first")
        self.macros[macro] = body

    def _undef(self, name: Token, rest: list[Token], _: tuple[str, ...]) -> None:
        if len(rest) != 1 or rest[0].kind != "name":
            raise refusal(name.path, name.line, "#undef wants one name")
        if rest[0].text in BASE_MACROS or rest[0].text in _BASE_VALUES:
            raise refusal(name.path, name.line, f"{rest[0].text} belongs to {BASE_HEADER}")
        self.with_parameters.discard(rest[0].text)
        self.macros.pop(rest[0].text, None)

    def _error(self, name: Token, rest: list[Token], _: tuple[str, ...]) -> None:
        raise refusal(name.path, name.line, "#error" + _words(rest))

    def _pragma(self, name: Token, rest: list[Token], _: tuple[str, ...]) -> None:
        if any(token.text in ("pack", "align", "options", "scalar_storage_order") for token in rest):
            said = _words(rest).strip()
            cure = "Let structs have their natural layout"
            raise refusal(name.path, name.line, f"#pragma {said} changes the layout of structs", cure=cure)


def _words(tokens: list[Token]) -> str:
    return "".join(token.text if token.glued else " " + token.text for token in tokens)
