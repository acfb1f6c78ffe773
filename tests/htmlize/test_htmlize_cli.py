"""The command `htmlize`, as a process: documents, folders, plugins, messages, exit codes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import PACKAGE, Command, terminal
from tree import ROOT

import loader
from loader.htmlize import files
from loader.htmlize.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = ROOT / "native_plugins"


@pytest.fixture(scope="session")
def roles(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugins cli_roles and tt."""
    folder = tmp_path_factory.mktemp("roles")
    shutil.copy(build("cli_roles.c"), folder)
    shutil.copy(build(PLUGINS / "tt" / "tt.c"), folder)
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command, in an empty folder."""
    return Command("loader.htmlize.cli", tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of four documents and some files that are none."""
    top = tmp_path / "docs"
    (top / "sub" / "deep").mkdir(parents=True)
    (top / ".git").mkdir()
    (top / "b.rst").write_text("second :tt:`b`\n")
    (top / "a.txt").write_text("first :tt:`a`\n\nmore\n")
    (top / "sub" / "C.MD").write_text("third\n")
    (top / "sub" / "deep" / "größe 插件.text").write_text("fourth :tt:`ß`\n")
    for name in ("image.png", ".hidden.txt", ".git/config.txt", "notes.txt~"):
        (top / name).write_bytes(b"\xff")
    return top


def one_line(text: str) -> str:
    """The line that standard error is to be."""
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return text[:-1]


def written(folder: Path) -> dict[str, str]:
    """All files below a folder, hidden ones too: path -> text."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


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
    plugin = build(PLUGINS / "posts" / "posts.c")
    done = command("--plugins", plugin, "--posts", posts_database, stdin=b":post:`42`")
    assert done.text == '<p><a href="/posts/42">Pie &amp; &lt;tart&gt;</a></p>\n\n'
    missing = command("--plugins", plugin, "--posts", posts_database, stdin=b":post:`1`")
    assert missing.code == 6
    assert "there is no post 1" in one_line(missing.err)
    assert command("--plugins", plugin, "--posts", "nowhere.sqlite", stdin=b"").code == 3
    assert command("--plugins", plugin, "--posts", plugin, stdin=b"").code == 2


# ---- Several documents -------------------------------------------------------------------------------------

TREE = {
    "a.html": "<p>first <tt>a</tt></p>\n\n<p>more</p>\n\n",
    "b.html": "<p>second <tt>b</tt></p>\n\n",
    "sub/C.html": "<p>third</p>\n\n",
    "sub/deep/größe 插件.html": "<p>fourth <tt>ß</tt></p>\n\n",
}


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
def test_what_does_not_go_together_is_2(
    command: Command, tree: Path, tmp_path: Path, words: list[str]
) -> None:
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
def test_a_write_that_fails_half_way_leaves_what_was_there(
    command: Command, tree: Path, tmp_path: Path
) -> None:
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


# ---- Documents that fail -----------------------------------------------------------------------------------


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


# ---- Plugins that do not load ------------------------------------------------------------------------------


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


# ---- Crashes, signals, streams -----------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork plugins run in the command's own process")
@pytest.mark.parametrize(
    ("role", "said"), [("crash", "SIGABRT"), ("exit", "ended the process with exit status 0")]
)
def test_a_crash_is_6_and_leaves_whole_outputs(
    command: Command, roles: Path, tree: Path, tmp_path: Path, role: str, said: str
) -> None:
    """A plugin that kills its process: one line, no partial file; as JSON the fields of the error."""
    (tree / "b.rst").write_text(f":{role}:`x`")
    done = command(tree, "-o", "out", "--plugins", roles, "--jobs", "1")
    assert done.code == 6
    assert said in one_line(done.err)
    assert ("plugin cli_roles crashed in process_role" in done.err) == (role == "crash")
    assert written(tmp_path / "out") == {"a.html": TREE["a.html"]}
    shown = command("--plugins", roles, "-o", "x.html", "--json", stdin=f":{role}:`x`".encode())
    assert (shown.code, shown.err, shown.json["error"]) == (6, "", "PluginError")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(
    command: Command, roles: Path, tree: Path, tmp_path: Path, number: int, code: int
) -> None:
    """Ctrl-C ends a run whose plugin hangs; outputs that are there are whole, and nothing else is."""
    (tree / "b.rst").write_text(":hang:`x`")
    with command.start(tree, "-o", "out", "--plugins", roles, "--jobs", "1") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"hanging\n"
        process.send_signal(number)
        assert process.stderr.read() == b""
        assert process.wait(60) == code
    assert written(tmp_path / "out") == {"a.html": TREE["a.html"]}


@pytest.mark.skipif(sys.platform != "linux", reason="the system's word for it is Linux's")
def test_no_orphan(command: Command, roles: Path) -> None:
    """Kill -9 of the command ends the child too: nobody holds its standard error any more."""
    with command.start("--plugins", roles, "-o", "x.html", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b":hang:`x`")
        process.stdin.close()
        assert process.stderr.readline() == b"hanging\n"
        process.send_signal(signal.SIGKILL)
        assert process.stderr.read() == b""


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of POSIX")
def test_streams_that_do_not_work(command: Command, tmp_path: Path) -> None:
    """Closed, full and unread streams: one line or none, never a traceback."""
    (tmp_path / "big.txt").write_text("word " * 100_000)
    closed = command.shell('"$@" <&-')
    assert closed.code == 1
    assert "standard input is closed" in one_line(closed.err)
    closed = command.shell('"$@" big.txt >&-')
    assert closed.code == 1
    assert "standard output is closed" in one_line(closed.err)
    assert command.shell('"$@" big.txt 2>&- >x').code == 0
    if Path("/dev/full").exists():
        full = command.shell('"$@" big.txt >/dev/full')
        assert full.code == 1
        assert "No space left on device" in one_line(full.err)
        full = command.shell('"$@" big.txt -o /dev/full')
        assert full.code == 1
        assert "/dev/full: cannot be written: No space left on device" in one_line(full.err)
    with command.start("big.txt") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_version_and_help(command: Command) -> None:
    """--version is the package's; --help shows examples and exit codes."""
    assert command("--version").text == f"htmlize {loader.__version__}\n"
    assert all(word in command("--help").text for word in ("examples:", "exit codes:", "--keep-going"))


# ---- Progress ----------------------------------------------------------------------------------------------


def shown_on_terminal(command: Command, *words: str | os.PathLike[str], path: tuple[Path, ...] = ()) -> bytes:
    """What a run that ends well shows on a terminal that its standard error is."""
    environment = {**command.environment({"TERM": "xterm", "COLUMNS": "80"}, path=path)}
    with terminal() as (reader, writer):
        process = command.start(*words, stderr=writer, env=environment)
        code = process.wait(60)
        os.write(writer, b"END")
        shown = b""
        while not shown.endswith(b"END"):
            shown += os.read(reader, 10_000)
        assert process.stdout is not None
        process.stdout.close()
    assert code == 0
    return shown[:-3]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
def test_progress_on_a_terminal_only(command: Command, tree: Path, tmp_path: Path) -> None:
    """Several documents on a terminal have a bar; one, or --quiet, or a Python without rich, has none."""
    pytest.importorskip("rich")
    bar = shown_on_terminal(command, tree, "-o", "out")
    assert b"4/4" in bar
    assert written(tmp_path / "out") == TREE
    assert shown_on_terminal(command, tree, "-o", "out", "--quiet") == b""
    assert shown_on_terminal(command, tree / "a.txt", "-o", "out") == b""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "rich.py").write_text("raise ImportError\n")
    assert shown_on_terminal(command, tree, "-o", "out", path=(tmp_path / "without",)) == b""
    assert command(tree, "-o", "out").err == ""
