"""A folder of documents, and what the command `htmlize` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: By file below the output folder.
TREE = {
    "a.html": "<p>first <tt>a</tt></p>\n\n<p>more</p>\n\n",
    "b.html": "<p>second <tt>b</tt></p>\n\n",
    "sub/C.html": "<p>third</p>\n\n",
    "sub/deep/größe 插件.html": "<p>fourth <tt>ß</tt></p>\n\n",
}


def write_tree(top: Path) -> None:
    """Four documents, and some files that are none."""
    (top / "sub" / "deep").mkdir(parents=True)
    (top / ".git").mkdir()
    (top / "b.rst").write_text("second :tt:`b`\n")
    (top / "a.txt").write_text("first :tt:`a`\n\nmore\n")
    (top / "sub" / "C.MD").write_text("third\n")
    (top / "sub" / "deep" / "größe 插件.text").write_text("fourth :tt:`ß`\n")
    for name in ("image.png", ".hidden.txt", ".git/config.txt", "notes.txt~"):
        (top / name).write_bytes(b"\xff")


def written(folder: Path) -> dict[str, str]:
    """All files below a folder, hidden ones too: path -> text."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}
