"""Post: what a document belongs to; every plugin sees it."""

from __future__ import annotations

from dataclasses import dataclass

from loader._core._call import Record

__all__ = ["Post"]


@dataclass(frozen=True, slots=True)
class Post(Record):
    """A post, as plugins see it: ``htmlize_post`` of include/htmlize/htmlize.h.

    Its native form is made at the first use and kept, so one Post should serve all calls about it.

    Args:
        id: the post's number, a signed integer of 64 bits; 0 if it has none.
        author: the author's name, not escaped.
        title: the title, not escaped.
        contents: the whole source text; empty: the text that is being turned into HTML.
    """

    id: int = 0
    author: str = ""
    title: str = ""
    contents: str = ""
