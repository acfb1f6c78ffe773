"""Compares htmlize with the plain rules on a tree of real texts, and says how much that was.

    python tests/real_text.py PLUGIN_FOLDER TEXT_FOLDER POSTS.sqlite

A program of its own and not only a test, because it loads a Go plugin, whose runtime then stays in the process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import reference

from loader.errors import PluginError
from loader.htmlize import Htmlizer, Post, SqlitePosts


def main(plugins: str, texts: str, database: str) -> int:
    """Prints figures as JSON; exits with 1 and the file's name at the first difference."""
    app = Htmlizer([plugins], posts=SqlitePosts(database), strict=True)
    seconds = 0.0
    figures = {"files": 0, "bytes": 0, "roles": 0, "answered": 0, "problems": 0, "not UTF-8": 0}
    for path in sorted(Path(texts).rglob("*.rst")):
        source = path.read_bytes()
        text = source.decode("utf-8", "replace")
        post = Post(id=7, author="Joe", title=path.stem, contents=text)
        expected = plain(app, text, post)
        begin = time.perf_counter()
        found = app.htmlize(text, post, plugin_errors="keep", report=lambda _: None)
        seconds += time.perf_counter() - begin
        raw = app.htmlize(source, post, errors="replace", plugin_errors="keep", report=lambda _: None)
        if found != expected.text or raw != expected.text.encode():
            print(f"{path}: differs from the plain rules", file=sys.stderr)
            return 1
        names = [name for name, _ in reference.ROLE.findall(reference.wrap(text))]
        figures["files"] += 1
        figures["bytes"] += len(source)
        figures["not UTF-8"] += text.encode() != source
        figures["roles"] += len(names)
        figures["answered"] += sum(name in app.roles for name in names)
        figures["problems"] += len(expected.problems)
    plugins_used = [plugin.name for plugin in app.plugins]
    print(json.dumps({**figures, "seconds": round(seconds, 4), "plugins": plugins_used}))
    return 0


def plain(app: Htmlizer, text: str, post: Post) -> reference.Outcome:
    """The same by tests/reference.py, which asks the same plugins one call at a time."""

    def role(name: str) -> Callable[[str], str]:
        return failing(lambda role_text: app.process_role(name, role_text, post))

    def hook(function: Callable[..., str]) -> Callable[[str], str]:
        return failing(lambda contents: function(contents, post))

    hooks = [hook(plugin.functions["process_contents"]) for plugin in app.contents_hooks]
    return reference.htmlize(text, {name: role(name) for name in app.roles}, hooks, keep=True)


def failing(call: Callable[[str], str]) -> Callable[[str], str]:
    """The call, with a plugin's error as the reference has it."""

    def answer(text: str) -> str:
        try:
            return call(text)
        except PluginError as error:
            raise reference.Failed from error

    return answer


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
