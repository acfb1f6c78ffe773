"""The command `htmlize`, as a process: documents, folders, outputs."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command, one_line
from document_tree import TREE, written
from tree import ROOT

from loader.htmlize import files
from loader.htmlize.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

# ---- One document ------------------------------------------------------------------------------------------


def test_standard_input_to_standard_output(command: Command) -> None:
    """Without words it is a filter, with the plugins that ship."""
    done = command("--author", "Joe", stdin=b"I like :tt:`pie`\n")
    assert (done.code, done.err) == (0, "")
    assert done.out == b"<p><b>I (Joe)</b> like <tt>pie</tt></p>\n\n"
    assert command("-", "--author", "Joe", stdin=b"I like :tt:`pie`\n").out == done.out


def test_without_an_author(command: Command) -> None:
    """What is not known is left out: no empty parentheses."""
    for words in ((), ("--author", "")):
        done = command(*words, stdin=b"I like pie, and I am\n")
        assert (done.code, done.err) == (0, "")
        assert done.out == b"<p><b>I</b> like pie, and <b>I</b> am</p>\n\n"


def test_bytes_go_through_as_they_are(command: Command) -> None:
    """Neither line ends nor NUL nor anything else of UTF-8 is changed."""
    text = "a\r\nb\0c \u2028 größe 插件 \U0001f600".encode()
    empty = command("-o", "", stdin=text)
    assert (empty.code, empty.text) == (2, "")
    assert "the path is empty" in empty.err
    done = command("-o", "-", stdin=text)
    assert done.out == b"<p>" + text.replace(b"\n", b" ") + b"</p>\n\n"
    assert command(stdin=b"").out == b""


def test_a_file_to_standard_output_or_to_a_file(command: Command, tree: Path, tmp_path: Path) -> None:
    """-o names a file, or a folder in which the file gets the document's name."""
    html = b"<p>second <tt>b</tt></p>\n\n"
    assert command(tree / "b.rst").out == html
    assert command(tree / "b.rst", "-o", "x.htm").out == b""
    assert (tmp_path / "x.htm").read_bytes() == html
    (tmp_path / "out").mkdir()
    assert command(tree / "b.rst", "-o", "out").code == 0
    assert command(tree / "b.rst", "-o", "new/").code == 0
    assert (tmp_path / "out" / "b.html").read_bytes() == (tmp_path / "new" / "b.html").read_bytes() == html


def test_plugins_get_the_post(command: Command, roles: Path) -> None:
    """--author, --title, --id; contents are the document's own text."""
    text = b":who:`x`"
    done = command("--plugins", roles, "--author", "Jöe", "--title", "Pie", "--id", "-16", stdin=text)
    assert done.out == f"<p>-16/Jöe/Pie/{len(text)}</p>\n\n".encode()


def test_escape(command: Command) -> None:
    """--escape writes entities outside of plugins' answers."""
    assert command("--escape", stdin=b"a<b :tt:`c<d`").out == b"<p>a&lt;b <tt>c<d</tt></p>\n\n"


def test_posts_of_a_database(command: Command, build: Callable[..., Path], posts_database: Path) -> None:
    """--posts lends the titles of an SQLite file to plugins."""
    plugin = build(ROOT / "native_plugins" / "posts" / "posts.c")
    done = command("--plugins", plugin, "--posts", posts_database, stdin=b":post:`42`")
    assert done.text == '<p><a href="/posts/42">Pie &amp; &lt;tart&gt;</a></p>\n\n'
    missing = command("--plugins", plugin, "--posts", posts_database, stdin=b":post:`1`")
    assert missing.code == 6
    assert "there is no post 1" in one_line(missing.err)
    assert command("--plugins", plugin, "--posts", "nowhere.sqlite", stdin=b"").code == 3
    assert command("--plugins", plugin, "--posts", plugin, stdin=b"").code == 2


# ---- Several documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_a_folder_is_mirrored(command: Command, tree: Path, tmp_path: Path, jobs: str) -> None:
    """Documents of a folder tree go to the same places below -o; what is hidden or none is left out."""
    done = command(tree, "-o", "out", "--jobs", jobs)
    assert (done.code, done.out, done.err) == (0, b"", "")
    assert written(tmp_path / "out") == TREE


def test_output_below_the_input(command: Command, tree: Path) -> None:
    """The output folder may lie within the input: it is not an input then, also the second time."""
    for _ in range(2):
        assert command(tree, "-o", tree / "out", "--suffix", ".rst", "--suffix", ".html").code == 0
        assert written(tree / "out") == {"b.html": TREE["b.html"]}


def test_files_and_folders_together(command: Command, tree: Path, tmp_path: Path) -> None:
    """Several words go to one folder; a document that is named twice is turned once."""
    (tmp_path / "README").write_text("no ending")
    (tmp_path / "v1.2").write_text("unknown ending")
    done = command("README", tree, "-o", "out", "v1.2", "--json", "--", tree / "a.txt")
    assert done.code == 0
    assert len(done.json["documents"]) == 6
    assert set(written(tmp_path / "out")) == {*TREE, "README.html", "v1.2.html"}


def test_suffixes(command: Command, tree: Path, tmp_path: Path) -> None:
    """--suffix says which files of folders are documents."""
    assert command(tree, "-o", "out", "--suffix", ".md").code == 0
    assert set(written(tmp_path / "out")) == {"sub/C.html"}
    none = command(tree, "-o", "out2", "--suffix", ".tex")
    assert none.code == 3
    assert "has no documents" in one_line(none.err)


@pytest.mark.parametrize(
    "words",
    [
        ["docs"],
        ["docs/a.txt", "docs/b.rst"],
        ["docs", "-o", "-"],
        ["docs", "-o", "docs/a.txt"],
        ["-", "docs/a.txt", "-o", "out"],
        ["-o", "docs"],
        ["docs/a.txt", "-o", "docs/a.txt"],
        ["docs/a.txt", "-o", "docs/../docs/a.txt"],
        ["docs/a.txt", "-o", "link"],
        ["docs/a.txt", "-o", "hard"],
        ["docs/a.txt", "other/a.rst", "-o", "out"],
        ["docs/a.txt", "other", "-o", "out"],
        ["docs", "-o", "docs", "--suffix", ".html", "--suffix", ".txt"],
        ["docs/a.txt", "--jobs", "0"],
        ["docs/a.txt", "--id", "9223372036854775808"],
        ["docs/a.txt", "--author"],
        ["docs/a.txt", "--nothing"],
    ],
)
def test_what_does_not_go_together_is_2(command: Command, tree: Path, tmp_path: Path, words: list[str]) -> None:
    """An output that is an input, two inputs for one output, no folder for several: nothing is written."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.rst").write_text("another")
    (tmp_path / "link").symlink_to(tree / "a.txt")
    (tmp_path / "hard").hardlink_to(tree / "a.txt")
    (tree / "x.html").write_text("x")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = command(*words)
    assert (done.code, done.out) == (2, b"")
    assert one_line(done.err).startswith("htmlize: error: ")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    shown = command(*words, "--json")
    assert (shown.code, shown.err) == (2, "")
    assert shown.json["message"]


def test_a_report_needs_an_output(command: Command, tree: Path) -> None:
    """The report and the HTML cannot both go to standard output."""
    done = command(tree / "a.txt", "--json")
    assert (done.code, done.err, done.json["error"]) == (2, "", "PlanError")


def test_input_that_is_the_output_through_the_shell(command: Command, tree: Path) -> None:
    """Standard input that is the file of -o is refused like a name."""
    done = command.shell('"$@" <docs/a.txt', "-o", "docs/a.txt")
    assert done.code == 2
    assert (tree / "a.txt").read_text() == "first :tt:`a`\n\nmore\n"


def test_inputs_that_are_not_there(command: Command, tree: Path) -> None:
    """Exit code 3, with the name."""
    for words in (("nowhere.txt",), ("docs/a.txt/b",), ("docs", "nowhere", "-o", "out")):
        done = command(*words)
        assert done.code == 3, words
        assert f"htmlize: error: {words[-1] if len(words) == 1 else 'nowhere'}: " in one_line(done.err)
    assert not (tree.parent / "out").exists()


# ---- Outputs -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_modes(command: Command, tree: Path, tmp_path: Path) -> None:
    """A new output has what the umask leaves; an old one keeps its mode; a link stays a link."""
    assert command.shell('umask 027; "$@"', tree / "b.rst", "-o", "new.html").code == 0
    assert stat.S_IMODE((tmp_path / "new.html").stat().st_mode) == 0o640
    (tmp_path / "old.html").write_text("old")
    (tmp_path / "old.html").chmod(0o604)
    (tmp_path / "link.html").symlink_to("old.html")
    assert command(tree / "b.rst", "-o", "link.html").code == 0
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "old.html").read_text() == TREE["b.html"]
    assert stat.S_IMODE((tmp_path / "old.html").stat().st_mode) == 0o604


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
def test_devices_and_pipes_are_written_to(command: Command, tree: Path, tmp_path: Path) -> None:
    """They are not replaced by a file."""
    assert command(tree / "b.rst", "-o", "/dev/null").code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo(tmp_path / "pipe")
    done = command.shell('cat pipe & "$@"; wait', tree / "b.rst", "-o", "pipe")
    assert (done.code, done.text) == (0, TREE["b.html"])


def test_an_output_that_cannot_be_written_is_1(command: Command, tree: Path, tmp_path: Path) -> None:
    """A folder in its place, a file in the place of a folder: an error, and nothing is left behind."""
    (tmp_path / "out" / "b.html").mkdir(parents=True)
    done = command(tree / "b.rst", "-o", "out")
    assert done.code == 1
    assert "cannot be written" in one_line(done.err)
    done = command(tree / "b.rst", "-o", "docs/a.txt/b.html", "--json")
    assert (done.code, done.json["error"]) == (1, "OutputError")
    assert written(tmp_path / "out") == {}


@pytest.mark.skipif(os.name == "nt", reason="ulimit of POSIX")
def test_a_write_that_fails_half_way_leaves_what_was_there(command: Command, tree: Path, tmp_path: Path) -> None:
    """The disk is full (here: the largest file is): the old output is whole, and nothing else is there."""
    (tree / "big.txt").write_text("word " * 100_000)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "big.html").write_text("the old one")
    done = command.shell('ulimit -f 400; "$@"', tree, "-o", "out", "--keep-going")
    assert done.code == 1
    assert "big.html: cannot be written: File too large" in one_line(done.err)
    assert written(tmp_path / "out") == {**TREE, "big.html": "the old one"}


def test_a_write_protected_output_stays(unprivileged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Replacing it would get round its protection."""
    (unprivileged / "in.txt").write_text("x")
    (unprivileged / "out.html").write_text("mine")
    (unprivileged / "out.html").chmod(0o444)
    assert main([str(unprivileged / "in.txt"), "-o", str(unprivileged / "out.html")]) == 1
    assert "write-protected" in capsys.readouterr().err
    assert (unprivileged / "out.html").read_text() == "mine"
    (unprivileged / "in.txt").chmod(0)
    assert main([str(unprivileged / "in.txt")]) == 3
    assert "Permission denied" in one_line(capsys.readouterr().err)


def test_sweep_removes_its_own_leftovers_only(tmp_path: Path) -> None:
    """Temporary files of a process that was killed go, others stay."""
    documents = files.plan([__file__], str(tmp_path / "x.html"))
    writer, other = files.Writer(), files.Writer()
    for each in (writer, other):
        (tmp_path / f"{each._prefix}0.part").touch()
    (tmp_path / "x.html").touch()
    writer.sweep(documents)
    assert set(written(tmp_path)) == {"x.html", f"{other._prefix}0.part"}
