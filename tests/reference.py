"""The three rules of htmlize in plain Python: slow, short, and what the engine is compared with.

The rules (issue "A", section 3): paragraphs, then contents hooks in order, then roles. Escaping and keeping
are said in :func:`htmlize`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Failed", "Outcome", "htmlize", "trim", "wrap"]

#: The White_Space property. ``str.strip()`` alone would take U+001C to U+001F for white space too.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

ROLE = re.compile(r":([0-9A-Za-z_]+):`([^`]*)`")

#: Stand for our own tags while text is escaped: noncharacters, which no text has.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
TAGS = {OPEN: "<p>", CLOSE: "</p>\n\n"}
BREAK = "</p>\n\n<p>"

Role = Callable[[str], str]
Hook = Callable[[str], str]


class Failed(Exception):
    """A plugin's function failed."""


@dataclass
class Outcome:
    """The HTML, and what was kept: (role or None, byte offset) of each failure."""

    text: str
    problems: list[tuple[str | None, int]] = field(default_factory=list)


def trim(text: str) -> str:
    """Without white space at both ends."""
    return text.strip(WHITE_SPACE)


def wrap(text: str, opening: str = "<p>", closing: str = "</p>\n\n") -> str:
    """Rule 1."""
    result = ""
    while text:
        paragraph, separator, text = text.partition("\n\n")
        if not separator:
            paragraph = trim(paragraph)
        result += opening + paragraph.replace("\n", " ") + closing
        text = text.lstrip("\n")
    return result


def tags(text: str) -> str:
    """Our own tags in the place of the characters that stand for them."""
    return text.replace(OPEN, TAGS[OPEN]).replace(CLOSE, TAGS[CLOSE])


def replace_roles(
    text: str,
    roles: Mapping[str, Role],
    *,
    answer: Callable[[re.Match[str], int], str],
    other: Callable[[str], str],
) -> str:
    """Rule 3: `answer` (match, its number) for roles that are known, `other` for the text between them."""
    result, done = "", 0
    for number, match in enumerate(ROLE.finditer(text)):
        if match[1] in roles:
            result += other(text[done : match.start()]) + answer(match, number)
            done = match.end()
    return result + other(text[done:])


def escape_kept(text: str) -> str:
    """A match that stays after contents hooks: escaped, all but the paragraph breaks in it."""
    return BREAK.join(map(html.escape, text.split(BREAK)))


def htmlize(
    text: str,
    roles: Mapping[str, Role],
    contents: Sequence[Hook] = (),
    *,
    escape: bool = False,
    keep: bool = False,
) -> Outcome:
    """The three rules.

    Args:
        text: the document.
        roles: name -> function from the text between the ticks to HTML. May raise Failed.
        contents: hooks in load order. May raise Failed.
        escape: text outside of matches of known roles is escaped. Our own tags are not.
        keep: a failing role keeps its match as it stood (escaped if `escape`), a failing hook the contents.

    Raises:
        Failed: from a role or hook, unless `keep`.
    """
    outcome = Outcome("")
    escaped: Callable[[str], str] = html.escape if escape else str
    offsets = [len(text[: match.start()].encode()) for match in ROLE.finditer(text)]

    def answer(match: re.Match[str], number: int) -> str:
        try:
            return roles[match[1]](tags(match[2]))
        except Failed:
            if not keep:
                raise
        if contents:  # then offsets count in the text that the hooks left
            outcome.problems.append((match[1], len(match.string[: match.start()].encode())))
            return escape_kept(match[0]) if escape else match[0]
        outcome.problems.append((match[1], offsets[number]))
        return tags(escaped(match[0]))

    wrapped = wrap(text, OPEN, CLOSE)
    if not contents:
        outcome.text = replace_roles(wrapped, roles, answer=answer, other=lambda part: tags(escaped(part)))
        return outcome
    held = tags(replace_roles(wrapped, roles, answer=lambda match, _: match[0], other=escaped))
    for hook in contents:
        try:
            held = hook(held)
        except Failed:
            if not keep:
                raise
            outcome.problems.append((None, 0))
    outcome.text = replace_roles(held, roles, answer=answer, other=str)
    return outcome
