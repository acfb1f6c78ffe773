"""A real body of text: the reST sources of Sphinx, with plugins in four languages, against the plain rules."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import reference

from loader.errors import PluginError
from loader.htmlize import Htmlizer, Post, SqlitePosts

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real

SPHINX = "sphinx==8.1.3"
POST = Post(id=7, author="Joe", title="Sphinx")


@pytest.fixture(scope="session")
def sources(request: pytest.FixtureRequest) -> list[Path]:
    """Every reST file of Sphinx's source distribution, fetched once into build/."""
    folder = request.config.rootpath / "build" / "real" / SPHINX
    if not any(folder.glob("*/doc")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder]
        done = subprocess.run([*command, SPHINX], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1]}")
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    return sorted(folder.rglob("*.rst"))


def test_every_file_of_sphinx_gives_what_the_plain_rules_give(
    sources: list[Path], native_plugins: Path, posts_database: Path, record_property: Callable[[str, object], None]
) -> None:
    """All plugins at once, every file, byte for byte."""
    app = Htmlizer([native_plugins], posts=SqlitePosts(posts_database), strict=True)
    assert {plugin.name for plugin in app.plugins} == {"letters", "narcissist", "posts", "rest_roles", "tt"}

    def role(name: str) -> Callable[[str], str]:
        function = app.roles[name].functions["process_role"]

        def answer(text: str) -> str:
            try:
                return function(name, text, post)
            except PluginError as error:
                raise reference.Failed from error

        return answer

    def hook(function: Callable[..., str]) -> Callable[[str], str]:
        return lambda text: function(text, post)

    roles = {name: role(name) for name in app.roles}
    size = found = answered = 0
    for path in sources:
        text = path.read_bytes().decode()
        post = Post(POST.id, POST.author, POST.title, text)
        hooks = [hook(plugin.functions["process_contents"]) for plugin in app.contents_hooks]
        expected = reference.htmlize(text, roles, hooks, keep=True).text
        assert app.htmlize(text, post, plugin_errors="keep", report=lambda _: None) == expected, path
        assert app.htmlize(text.encode(), post, plugin_errors="keep", report=lambda _: None) == expected.encode()
        size += len(text.encode())
        matches = reference.ROLE.findall(reference.wrap(text))
        found += len(matches)
        answered += sum(name in roles for name, _ in matches)
    assert len(sources) > 100
    assert answered > 1000
    figures = {"files": len(sources), "bytes": size, "roles": found, "roles answered": answered}
    for name, value in figures.items():
        record_property(name, value)
    print(figures)
