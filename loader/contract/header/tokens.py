"""C text → tokens. Comments are not tokens, but a comment right before a token is kept as its `doc`."""

from __future__ import annotations

import re
from typing import NamedTuple

from loader.contract.header.refusal import refusal

__all__ = ["MAX_TOKENS", "Token", "tokenize"]


class Token(NamedTuple):
    """One token. `kind` is name, number, string, char, punct, newline or stray (no token of C)."""

    kind: str
    text: str
    path: str
    line: int
    glued: bool = False  # nothing stands between it and the token before it
    doc: str = ""  # text of the comment block right before it, without its decoration


# A backslash at a line's end joins it with the next: it counts as white space here, so that every token keeps
# the line on which it really stands.
# Groups repeat a bounded number of times, since `re` takes a few hundred bytes for each.
_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\f\v]+|\\\n){1,20000})
  | (?P<newline>\n)
  | (?P<comment>/\*.*?\*/|//(?:[^\\\n]+|\\\n|\\){0,20000})
  | (?P<open>/\*)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<number>\.?[0-9][\w.]*(?:(?<=[eEpP])[+-][\w.]*){0,20000})
  | (?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*){0,20000}")
  | (?P<char>'[^'\\\n]*(?:\\.[^'\\\n]*){0,20000}')
  | (?P<punct>\.\.\.|<<=?|>>=?|->|\+\+|--|&&|\|\||\#\#|[-+*/%&|^=!<>]=|[][(){}.&*+~!/%<>^|?:;=,\#-])
  | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
# A header is a page or two; what is more is no header, and is told before it costs seconds.
MAX_TOKENS = 30_000  # of one file, and, with those of macros, of all that is included: see preprocess
MAX_LENGTH = 1_000  # characters of a name or number
_MAX_STRAY = 20  # each may have been looked for up to the end of the file
_SPLIT_WORD = re.compile(r"\w(?:\\\n)+\w", re.ASCII)


def tokenize(path: str, text: str) -> list[Token]:
    """The tokens of `text`, the last of them a newline.

    Raises:
        ContractError: a comment is not closed, or a backslash at a line's end splits a word.
    """
    tokens: list[Token] = []
    line = 1
    glued = False
    block: list[str] = []  # the comments that may turn out to be a doc
    block_end = 0  # line on which the last of them ends
    stray = 0
    for match in _TOKEN.finditer(text if text.endswith("\n") else text + "\n"):
        kind, found = match.lastgroup or "stray", match[0]
        if kind == "open":
            raise refusal(path, line, "a comment is not closed", expected="*/")
        if kind == "comment":
            if tokens and tokens[-1].line == line and tokens[-1].kind != "newline":
                block = []  # stands behind something, so it speaks of that
            else:
                if block_end < line - 1:
                    block = []
                block.append(_undecorated(found))
                block_end = line + found.count("\n")
        elif len(found) > MAX_LENGTH and kind in ("name", "number"):
            raise refusal(path, line, f"a name or number of more than {MAX_LENGTH} characters")
        elif kind == "space":
            if "\\\n" in found and _SPLIT_WORD.match(text, match.start() - 1):
                raise refusal(path, line, "a backslash at the end of the line splits a word")
        else:
            doc = ""
            if kind != "newline":
                doc = "\n".join(block).strip("\n") if block_end >= line - 1 else ""
                block = []
            stray += kind == "stray"
            if len(tokens) >= MAX_TOKENS or stray > _MAX_STRAY:
                what = "signs that are not C" if stray > _MAX_STRAY else "tokens"
                reason = f"more than {_MAX_STRAY if stray > _MAX_STRAY else MAX_TOKENS} {what}"
                raise refusal(path, line, reason, cure="Declare in the header what plugins implement, and no more")
            tokens.append(Token(kind, found, path, line, glued, doc))
        glued = kind not in ("space", "comment", "newline")
        line += found.count("\n")
    return tokens


def _undecorated(comment: str) -> str:
    """What a comment says, without slashes, asterisks at the lines' beginnings and common indentation."""
    if comment.startswith("//"):
        return comment.lstrip("/").removeprefix("!").removeprefix(" ").rstrip()
    lines = comment[2:-2].lstrip("*!").split("\n")
    if all(line.lstrip().startswith("*") for line in lines[1:] if line.strip()):
        lines[1:] = [line.lstrip()[1:] for line in lines[1:]]
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    lines = [lines[0].strip(), *(line[margin:].rstrip() for line in lines[1:])]
    return "\n".join(lines).rstrip("* \n").strip("\n")
