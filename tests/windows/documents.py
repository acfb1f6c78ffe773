"""Documents that Linux and Windows must make the same HTML of. Run on Linux, it prints what that is, as JSON.

python documents.py FOLDER SUFFIX     FOLDER holds tt, narcissist and posts, SUFFIX is .so or .dll
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from loader.errors import LoaderError
from loader.htmlize import Htmlizer, Post, Problem

DOCUMENTS: tuple[bytes, ...] = (
    b"",
    b"I like :tt:`pie`",
    "Ünïcödé :tt:`π < τ` \u2014 \U0001f967 I, Ich, éI".encode(),
    b"one\r\ntwo\r\n\r\nthree :tt:`a\r\nb`\r\n",
    b"one\ntwo\n\n\n\nthree\n\n:tt:`x` :tt:`` :tt:`\x00`",
    b":nobody:`answers` :tt:`open \\:tt:`x` ::tt:`y`",
    b"I :post:`42` and :post:`042` & <b>",
    b"before :post:`7` after",  # the service has no 7
    b"before :post:`word` after",
    b"bad \xff byte",
    b":tt:`" + b"x" * 70_000 + b"`",
    b"I :tt:`y` " * 20_000,
)


class Titles:
    """The service htmlize.posts/1."""

    def title(self, number: int) -> str:
        """The title of a post."""
        return {42: 'Pie & <tart> \u2014 "ä"'}[number]


def results(folder: str, suffix: str) -> list[Any]:
    """For each document and way: HTML, or the error with the plugin's path left out."""
    names = ("narcissist", "posts", "tt")
    files = [os.path.join(folder, name + suffix) for name in names]
    app = Htmlizer(files, posts=Titles(), strict=True)
    found: list[Any] = [sorted(app.roles), [plugin.name for plugin in app.contents_hooks]]
    for document in DOCUMENTS:
        for options in ({}, {"escape": True}, {"plugin_errors": "keep"}):
            problems: list[Problem] = []
            try:
                html = app.htmlize(document, Post(id=5, author="Jö"), report=problems.append, **options)
                found.append([html.decode(), [str(problem) for problem in problems]])
            except LoaderError as error:
                text = str(error)
                for file in files:
                    text = text.replace(file, os.path.basename(file).removesuffix(suffix))
                found.append([type(error).__name__, text])
    return found


if __name__ == "__main__":
    print(json.dumps(results(sys.argv[1], sys.argv[2])))
