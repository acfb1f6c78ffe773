"""What is C and would be taken for something else: refused, with what was meant."""

from __future__ import annotations

import re
from itertools import pairwise
from keyword import iskeyword
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loader.contract.header.syntax import Named

__all__ = ["RESERVED", "includes_bool", "misleading_counts", "misleading_name"]

#: What loader.Plugin has itself: a function of such a name would not be found as its attribute.
RESERVED = frozenset(
    (
        *("_bind", "_function", "_loaded", "_near", "_reload", "classes", "contract", "digest", "functions"),
        *("isolation", "name", "owner", "path", "reload", "version", "worker"),
    )
)
_LISTS = {"text": "const loader_texts *", "bytes": "const loader_bytes * of all of them"}
_STDBOOL = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]stdbool\.h[>\"]", re.MULTILINE)


def misleading_name(name: str) -> str | None:
    """Why a function or class cannot be called so, or None."""
    if iskeyword(name):
        return "is a key word of Python"
    return "is an attribute that every plugin has" if name in RESERVED else None


def misleading_counts(parameters: Sequence[Named]) -> Iterator[tuple[Named, str, str]]:
    """Parameters of type size_t right behind a pointer to one value: the place, what it looks like, what was meant.

    C counts like this. Here a pointer is one text, bytes or struct, and who reads on reads what is none.
    """
    for before, after in pairwise(parameters):
        target = before.type.target if before.type.what == "pointer" else None
        if after.type.spelled != "size_t" or after.out or target is None or before.out:
            continue
        if target.const and target.what in ("text", "bytes", "struct"):
            meant = _LISTS.get(target.what, f"const {target.spelled.removeprefix('struct ')}_list * (LOADER_LIST)")
            yield after, f"{before.name!r} is one, however many {after.name!r} says", meant


def includes_bool(texts: Iterable[str]) -> bool:
    """Whether a header includes <stdbool.h>, without which `bool` is no word of C11."""
    return any(map(_STDBOOL.search, texts))
