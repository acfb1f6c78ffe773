"""The command `htmlize` where documents, or plugins, fail."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import PACKAGE, Command, one_line
from document_tree import TREE, written

if TYPE_CHECKING:
    from collections.abc import Callable


def test_text_that_is_not_utf8(command: Command, tmp_path: Path) -> None:
    """Exit code 2 with file and offset; nothing is written."""
    (tmp_path / "latin1.txt").write_bytes(b"gr\xf6\xdfe")
    done = command("latin1.txt", "-o", "x.html")
    assert done.code == 2
    assert one_line(done.err).startswith("htmlize: error: latin1.txt: byte 2 ")
    assert not (tmp_path / "x.html").exists()
    piped = command("--json", "-o", "x.html", stdin=b"\xff")
    assert (piped.code, piped.json["error"], piped.json["offset"]) == (2, "TextError", 0)
    if sys.platform == "linux":
        assert command("--author", os.fsdecode(b"\xff"), stdin=b"x").code == 2


def test_a_plugin_that_fails_ends_the_run(command: Command, roles: Path, tree: Path, tmp_path: Path) -> None:
    """Exit code 6 with document, plugin, role and offset; what was written before is whole."""
    (tree / "b.rst").write_text("x :fail:`pie` y")
    done = command(tree, "-o", "out", "--plugins", roles, "--jobs", "1")
    assert done.code == 6
    line = one_line(done.err)
    assert line.startswith(f"htmlize: error: {tree / 'b.rst'}: ")
    assert all(word in line for word in ("plugin cli_roles", "fail", "byte 2", "cannot do 'pie'"))
    assert written(tmp_path / "out") == {"a.html": TREE["a.html"]}


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_the_first_failure_in_order_is_told(command: Command, roles: Path, tmp_path: Path, jobs: str) -> None:
    """However many threads there are, the report is that of one, and each output there is whole."""
    for number in range(40):
        bad, size = number in (23, 24, 25, 39), 2000 - 50 * number
        (tmp_path / f"{number:02}.txt").write_text(":fail:`pie`" if bad else "good\n\n" * size)
    names = sorted(tmp_path.glob("*.txt"))
    done = command(*names, "-o", "out", "--plugins", roles, "--jobs", jobs, "--json")
    assert (done.code, done.err, done.json["error"]) == (6, "", "PluginError")
    told = [each for each in done.json["documents"] if "error" not in each]
    assert [Path(each["input"]).stem for each in told][:23] == [f"{number:02}" for number in range(23)]
    failed = next(each for each in done.json["documents"] if "error" in each)
    assert Path(failed["input"]).name == "23.txt"
    assert failed["error"]["message"] == done.json["message"]
    assert set(written(tmp_path / "out")) == {Path(each["output"]).name for each in told}
    for each in told:
        assert Path(tmp_path, each["output"]).stat().st_size == each["bytes_out"]


def test_keep_going(command: Command, roles: Path, tree: Path, tmp_path: Path) -> None:
    """A role whose plugin fails stays as it stood, a bad document stops no other; exit code 1."""
    (tree / "a.txt").write_text("x :fail:`pie` :tt:`a`")
    (tree / "b.rst").write_bytes(b"\xff")
    done = command(tree, "-o", "out", "--plugins", roles, "--keep-going")
    assert done.code == 1
    first, second = done.err.splitlines()
    assert first.startswith(f"htmlize: error: {tree / 'a.txt'}: plugin cli_roles failed")
    assert second.startswith(f"htmlize: error: {tree / 'b.rst'}: byte 0 ")
    expected = {**TREE, "a.html": "<p>x :fail:`pie` <tt>a</tt></p>\n\n"}
    del expected["b.html"]
    assert written(tmp_path / "out") == expected
    good = command(tree / "sub", "-o", "out", "--plugins", roles, "--keep-going")
    assert (good.code, good.err) == (0, "")


def test_report_as_json(command: Command, roles: Path, tree: Path) -> None:
    """Documents with output, sizes, time, problems and errors, in order; plugins; what was left out."""
    (tree / "a.txt").write_text("x :fail:`pie`")
    (tree / "b.rst").write_bytes(b"ab\xff")
    done = command(tree, "-o", "out", "--plugins", roles, "--keep-going", "--json")
    assert (done.code, done.err) == (1, "")
    report = done.json
    assert set(report) == {"documents", "plugins", "left_out"}
    kept, bad, *good = report["documents"]
    assert [problem["role"] for problem in kept["problems"]] == ["fail"]
    problem = kept["problems"][0]
    assert (problem["plugin"], problem["offset"], problem["message"]) == ("cli_roles", 2, "cannot do 'pie'")
    assert (kept["bytes_in"], kept["bytes_out"]) == (13, 22)
    assert (bad["output"], bad["error"]["error"], bad["error"]["offset"]) == (None, "TextError", 2)
    assert [each["output"] for each in good] == ["out/sub/C.html", "out/sub/deep/größe 插件.html"]
    assert all(each["ms"] >= 0 and not each["problems"] for each in report["documents"][2:])
    cli_roles, tt = report["plugins"]
    assert (tt["name"], tt["version"], tt["roles"], tt["contents"]) == ("tt", "1.0", ["tt"], False)
    assert "who" in cli_roles["roles"]


def test_a_bad_plugin_in_a_folder_is_a_warning(
    command: Command, roles: Path, tmp_path: Path, build: Callable[..., Path]
) -> None:
    """It is named with the reason and left out; --strict makes it an error, --quiet says nothing."""
    shutil.copytree(roles, tmp_path / "p")
    shutil.copy(build("cli_tool.c", name="tool"), tmp_path / "p")
    done = command("--plugins", "p", stdin=b":tt:`x`")
    assert (done.code, done.out) == (0, b"<p><tt>x</tt></p>\n\n")
    assert one_line(done.err).startswith(f"htmlize: warning: left out: {tmp_path / 'p' / 'tool.so'}: ")
    assert command("--plugins", "p", "--quiet", stdin=b"x").err == ""
    strict = command("--plugins", "p", "--strict", stdin=b"x")
    assert (strict.code, strict.out) == (4, b"")
    assert one_line(strict.err).startswith("htmlize: error: ")
    report = command("--plugins", "p", "--json", "-o", "x.html", stdin=b"x")
    assert (report.code, report.err) == (0, "")
    assert [each["error"] for each in report.json["left_out"]] == ["HandshakeError"]


def test_a_plugin_that_was_named_itself_must_load(command: Command, roles: Path, tmp_path: Path) -> None:
    """--plugins: not there 3, no plugin 4; one file is as good as a folder, and several may be given."""
    (tmp_path / "text.txt").write_text("no folder")
    assert command("--plugins", "nowhere", stdin=b"x").code == 3
    wrong = command("--plugins", "text.txt", "--json", "-o", "x.html", stdin=b"x")
    assert (wrong.code, wrong.json["error"]) == (4, "ImageError")
    both = command("--plugins", roles / "tt.so", "--plugins", roles / "cli_roles.so", stdin=b":tt:`x`:who:``")
    assert both.out == b"<p><tt>x</tt>0///14</p>\n\n"


def test_two_plugins_for_one_role(command: Command, roles: Path, tmp_path: Path) -> None:
    """The last one wins with a warning that names both; --strict refuses."""
    shutil.copy(roles / "tt.so", tmp_path / "tt2.so")
    words = ("--plugins", roles / "tt.so", "--plugins", "tt2.so")
    done = command(*words, stdin=b":tt:`x`")
    assert (done.code, done.out) == (0, b"<p><tt>x</tt></p>\n\n")
    assert "htmlize: warning: role:tt: plugin tt2" in one_line(done.err)
    assert command(*words, "--quiet", stdin=b"x").err == ""
    assert command(*words, "--strict", stdin=b"x").code == 4


def test_shipped_plugins_that_were_not_built(command: Command, tmp_path: Path) -> None:
    """In a tree that was not built: exit code 3 and how to build them."""
    ignore = shutil.ignore_patterns("plugins", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "tree" / "loader", ignore=ignore)
    done = command(stdin=b"x", path=[tmp_path / "tree"])
    assert done.code == 3
    assert "python setup.py build_ext --inplace" in one_line(done.err)


def test_logs_of_plugins(command: Command, roles: Path) -> None:
    """Warnings of plugins are lines on standard error, escaped."""
    done = command("--plugins", roles, stdin="a:log:`\x1b[1m\u202e`".encode())
    assert (done.code, done.out) == (0, b"<p>a</p>\n\n")
    assert one_line(done.err) == r"htmlize: warning: plugin cli_roles: \x1b[1m\u202e"
