"""The command `loader`, as a process: its command line, signals, streams, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command, one_line, terminal
from tree import PLUGINS

from loader import errors
from loader.cli import main, streams
from loader.cli.run import run

HEADER = str(PLUGINS / "cli_tool.h")


# ---- The command line --------------------------------------------------------------------------------------


def test_help_says_what_there_is_and_needs_no_parser(command: Command) -> None:
    """`--help` names commands, examples and exit codes, and imports neither the C parser nor rich."""
    done = command("--help")
    assert done.code == 0
    assert all(word in done.text for word in ("list", "inspect", "call", "examples:", "exit codes:"))
    slow = {"pycparser", "cffi", "rich"}
    script = f"import sys, loader.cli; loader.cli.main(['--help']); assert not {slow} & {{*sys.modules}}"
    assert command.shell(f'"$1" -c "{script}"').code == 0


def test_version(command: Command) -> None:
    """`--version` is the package's."""
    import loader

    assert command("--version").text == f"loader {loader.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("list", "--nothing"),
        ("inspect",),
        ("inspect", "a", "b"),
        ("include-dir", "a"),
        ("call", "a", "b"),
        ("call", "a", "b", "--contract", HEADER, "--deadline", "nan"),
        ("call", "a", "echo", "--contract", "no_such_contract"),
    ],
)
def test_wrong_usage_is_2_and_one_line(command: Command, arguments: tuple[str, ...]) -> None:
    """What cannot be meant is refused with exit code 2 and one line, and as JSON with --json."""
    done = command(*arguments)
    assert done.code == 2
    assert one_line(done.err).startswith("loader: error: ")
    shown = command(*arguments, "--json")
    assert shown.code == 2
    assert shown.err == ""
    assert shown.json["error"] in ("UsageError", "ContractError")
    assert f"loader: error: {shown.json['message']}" == one_line(done.err)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ContractError, 2),
        (errors.PluginNotFound, 3),
        (errors.ImageError, 4),
        (errors.HandshakeError, 4),
        (errors.LibraryError, 4),
        (errors.RegistryError, 4),
        (errors.TrustError, 5),
        (errors.PluginError, 6),
        (errors.DeadlineExceeded, 6),
        (errors.ForkError, 6),
        (FileNotFoundError, 3),
        (OSError, 1),
        (MemoryError, 1),
        (KeyboardInterrupt, 130),
        (BrokenPipeError, 141),
    ],
)
def test_every_error_has_its_exit_code(
    kind: type[BaseException], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a command raises becomes its exit code, and never a traceback."""

    def fail() -> int:
        raise kind("it went wrong")

    assert run("loader", fail, json=False, own_process=False) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == (0 if code > 100 else 1)


def test_main_with_a_list_runs_in_this_process(tool_so: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Programs can call the command; it returns its exit code and writes to their streams."""
    assert main(["call", str(tool_so), "reverse", "abc", "--contract", HEADER]) == 0
    assert capsysbinary.readouterr().out == b"cba"
    assert main(["call", str(tool_so), "misbehave", "fail", "--contract", HEADER]) == 6


def test_the_folders_for_plugin_authors(command: Command) -> None:
    """include-dir, cmake-dir, rust-dir, go-dir and zig-dir print folders that hold what is said."""
    assert (Path(command("include-dir").text.strip()) / "loader" / "plugin.h").is_file()
    assert (Path(command("cmake-dir", "--json").json["path"]) / "loader-config.cmake").is_file()
    assert (Path(command("rust-dir").text.strip()) / "Cargo.toml").is_file()
    assert (Path(command("go-dir").text.strip()) / "go.mod").is_file()
    assert (Path(command("zig-dir").text.strip()) / "loader.zig").is_file()


# ---- Signals and streams -----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_plugin_that_hangs_can_be_interrupted(command: Command, tool_so: Path, number: int, code: int) -> None:
    """Ctrl-C ends a plugin that never returns and never asks; nothing more is said."""
    with command.start("call", tool_so, "misbehave", "hang", "--contract", HEADER) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"hanging\n"
        process.send_signal(number)
        assert process.stderr.read() == b""
        assert process.wait(60) == code


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_plugin_that_ignores_ctrl_c_is_killed(command: Command, tool_so: Path) -> None:
    """Ctrl-C three times ends it all the same."""
    with command.start("call", tool_so, "misbehave", "stubborn", "--contract", HEADER) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"hanging\n"
        while process.poll() is None:  # two at once may count as one
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert process.stderr.read() == b""
        assert process.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupted_while_it_reads(command: Command, tool_so: Path) -> None:
    """Ctrl-C while standard input is waited for: exit code 130, and nothing is said."""
    words = ("call", tool_so, "echo", "@-", "--contract", HEADER)
    with command.start(*words, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        rest = b"x" * (1 << 20)
        while rest:  # more than a pipe holds: once it is gone, the command is reading
            rest = rest[process.stdin.write(rest) :]
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
        assert process.wait(60) == 130


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of POSIX")
def test_streams_that_do_not_work(command: Command, tool_so: Path) -> None:
    """Closed or full streams: an error or silence, never a traceback."""
    words = ("call", tool_so, "echo", "x" * 100_000, "--contract", HEADER)
    closed = command.shell('"$@" >&-', *words)
    assert closed.code == 1
    assert one_line(closed.err) == "loader: error: standard output is closed"
    assert command.shell('"$@" 2>&-', *words).out == b"x" * 100_000
    no_input = command.shell('"$@" <&-', "call", tool_so, "echo", "@-", "--contract", HEADER)
    assert no_input.code == 1
    assert "standard input is closed" in one_line(no_input.err)
    if Path("/dev/full").exists():
        for more in ((), ("--json",)):
            full = command.shell('"$@" >/dev/full', *words, *more)
            assert full.code == 1
            assert "standard output cannot be written" in one_line(full.err)
        assert command.shell('"$@" >/dev/full', "--help").code == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_has_seen_enough(command: Command, tool_so: Path) -> None:
    """Output into a pipe that nobody reads: no message, and the exit code of SIGPIPE."""
    for words in (
        ("call", tool_so, "echo", "x" * 100_000, "--contract", HEADER),
        ("inspect", tool_so),
        ("--help",),
    ):
        with command.start(*words) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(60) == 141


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
def test_a_result_on_a_terminal_is_escaped(command: Command, tool_so: Path) -> None:
    """On a terminal control characters in text are shown, not obeyed, and the line is ended."""
    with terminal() as (master, slave):
        done = command.start("call", tool_so, "echo", "a\x1b[2Jb\nc", "--contract", HEADER, stdout=slave)
        assert done.wait(60) == 0
        assert done.stderr is not None
        done.stderr.close()
        assert os.read(master, 1000).replace(b"\r\n", b"\n") == b"a\\x1b[2Jb\nc\n"


def test_printable_escapes_what_is_not_seen() -> None:
    """Control characters, marks that turn the direction of writing, lone surrogates."""
    assert streams.printable("plain größe 插件 \\") == "plain größe 插件 \\"
    assert streams.printable("a\x00\x1b\x7f\x9b\u202e\u2028\udcff\n") == (r"a\x00\x1b\x7f\x9b\u202e\u2028\udcff\n")
    assert streams.printable("a\tb\n\r", keep="\t\n") == "a\tb\n\\r"


def test_errors_of_commands_are_like_all_others() -> None:
    """They pickle and have the fields of LoaderError."""
    from loader.cli.parser import UsageError

    error = pickle.loads(pickle.dumps(UsageError("no", cure="yes")))
    assert json.loads(json.dumps(error.to_dict())) == {
        "error": "UsageError",
        "message": "no. yes",
        "what": "no",
        "cure": "yes",
    }
