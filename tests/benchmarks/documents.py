"""What every system is given: texts of one call, and whole documents. The same bytes on every machine."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "tt"
TEXT = "eighteen bytes txt"  # 18 bytes in, 27 out
TEXT_4K = "rhubarb pie and " * 256
TEXT_1M = "rhubarb pie and " * 65_536
#: What each job that is one call gives the plugin. Those of call-text have 18 bytes too, in UTF-8; CPython keeps the
#: characters of the four in one, two, two and four bytes each.
CALL_TEXTS = {
    "call": TEXT,
    "call-4k": TEXT_4K,
    "call-1m": TEXT_1M,
    "call-text": "cafés à Orléans",
    "call-text-cyrillic": "щи и пирог",
    "call-text-cjk": "大黄馅饼食谱",
    "call-text-emoji": "🥧 with 🍓🍰",
}
POST_ID = 42
POST_AUTHOR = "Joe"
ERROR = "no post 42"  # what the failing call says
TITLE = "Rhubarb pie"  # what the callback answers

_WORDS = [
    "the",
    "of",
    "a",
    "plugin",
    "reads",
    "from",
    "its",
    "host",
    "and",
    "answers",
    "with",
    "text",
    "that",
    "it",
    "was",
    "lent",
    "for",
    "one",
    "call",
    "only",
    "while",
    "every",
    "other",
    "part",
    "waits",
    "no",
    "longer",
    "than",
    "it",
    "must",
    "before",
    "paragraphs",
    "end",
    "where",
    "two",
    "newlines",
    "stand",
    "together",
    "in",
    "files",
    "written",
    "by",
    "people",
    "who",
    "like",
    "pie",
    "more",
    "than",
    "markup",
    "so",
    "roles",
    "are",
    "few",
    "and",
    "prose",
    "is",
    "long",
]


def _sentence(words: random.Random, size: int) -> str:
    """Words with blanks between them, exactly `size` bytes."""
    text = ""
    while len(text) < size:
        text += words.choice(_WORDS) + " "
    return text[: size - 1].rstrip().ljust(size - 1, "s") + "."


def dense(size: int = 1_000_000) -> str:
    """Paragraphs of 190 bytes with three roles each, one of which (tt) has a plugin."""
    words = random.Random(1)
    paragraphs = []
    for number in range(size // 190):
        name = f"name_{number % 10_000:04d}"
        head = f"See :func:`loader.{name}` and :tt:`{name}.so` or :class:`loader.Host`: "
        paragraphs.append(head + _sentence(words, 188 - len(head)))
    return "\n\n".join(paragraphs) + "\n\n"


def prose(size: int = 10_000_000) -> str:
    """Paragraphs of 60 words in lines, about 370 bytes, with one tt role each."""
    words = random.Random(2)
    stock = []
    for number in range(500):
        chosen = [words.choice(_WORDS) for _ in range(60)]
        chosen[words.randrange(60)] = f":tt:`word {number}`"
        chosen = [f"{word}ing" if len(word) > 4 and "`" not in word else word for word in chosen]
        lines = [" ".join(chosen[start : start + 12]) for start in range(0, 60, 12)]
        stock.append("\n".join(lines) + ".\n\n")
    paragraphs, total = [], 0
    while total < size:
        paragraphs.append(stock[len(paragraphs) % len(stock)])
        total += len(paragraphs[-1])
    return "".join(paragraphs)


def small(count: int = 1_000) -> list[str]:
    """Posts of 2 KB: the prose's paragraphs and the dense ones' roles, mixed."""
    words = random.Random(3)
    posts = []
    for number in range(count):
        parts = []
        for part in range(6):
            role = f":tt:`post {number}.{part}`" if part % 2 == 0 else ":ref:`elsewhere`"
            parts.append(f"{role} {_sentence(words, 320 - len(role))}")
        posts.append("\n\n".join(parts).ljust(2048, "x")[:2048])
    return posts


#: Bytes and tt roles of each document job; roles decide whether a slow system can do the job at all.
def roles_in(text: str) -> int:
    """How many tt roles a text has."""
    return text.count(":tt:`")


def write_all(folder: Path) -> None:
    """The documents as files, for hosts in other languages. `small.txt` separates posts by a NUL byte."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("dense.txt", dense()), ("prose.txt", prose()), ("small.txt", "\0".join(small()))):
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
