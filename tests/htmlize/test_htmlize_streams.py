"""The command `htmlize`: crashes, signals, streams that do not work, progress on a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command, one_line, terminal
from document_tree import TREE, written

import loader


@pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork plugins run in the command's own process")
@pytest.mark.parametrize(("role", "said"), [("crash", "SIGABRT"), ("exit", "ended the process with exit status 0")])
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
def test_interrupted(command: Command, roles: Path, tree: Path, tmp_path: Path, number: int, code: int) -> None:
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
