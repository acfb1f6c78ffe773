"""The command `loader`, as a process: results, messages, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command, terminal
from tree import PLUGINS

from loader import errors
from loader.cli import main, streams
from loader.cli.run import run

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = str(PLUGINS / "cli_tool.h")


@pytest.fixture(scope="session")
def tool_so(build: Callable[..., Path]) -> Path:
    """The plugin for contract cli_tool."""
    return build("cli_tool.c", name="tool")


@pytest.fixture(scope="session")
def plugins(build: Callable[..., Path], tool_so: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin "tool" for contract cli_tool and "role" for contract htmlize."""
    folder = tmp_path_factory.mktemp("cli")
    shutil.copy(build("cli_roles.c"), folder / "role.so")
    shutil.copy(tool_so, folder / "tool.so")
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command, in an empty folder."""
    return Command("loader", tmp_path)


def one_line(text: str) -> str:
    """The line that standard error is to be."""
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return text[:-1]


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


def test_main_with_a_list_runs_in_this_process(
    tool_so: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Programs can call the command; it returns its exit code and writes to their streams."""
    assert main(["call", str(tool_so), "reverse", "abc", "--contract", HEADER]) == 0
    assert capsysbinary.readouterr().out == b"cba"
    assert main(["call", str(tool_so), "misbehave", "fail", "--contract", HEADER]) == 6


def test_the_folders_for_plugin_authors(command: Command) -> None:
    """include-dir, cmake-dir, rust-dir and go-dir print folders that hold what is said."""
    assert (Path(command("include-dir").text.strip()) / "loader" / "plugin.h").is_file()
    assert (Path(command("cmake-dir", "--json").json["path"]) / "loader-config.cmake").is_file()
    assert (Path(command("rust-dir").text.strip()) / "Cargo.toml").is_file()
    assert (Path(command("go-dir").text.strip()) / "go.mod").is_file()


# ---- list --------------------------------------------------------------------------------------------------


def test_list_shows_a_row_each(command: Command, plugins: Path) -> None:
    """Good files are told by name, contract, machine, size, file and "ok", in columns; exit code 0."""
    done = command("list", plugins)
    head, *rows = done.text.splitlines()
    assert done.code == 0
    assert [row.split()[0] for row in rows] == ["role", "tool"]
    assert "cli_tool 1.1" in rows[1]
    assert all(row.endswith("  ok") for row in rows)
    assert {row.index(str(plugins)) for row in rows} == {head.index("FILE")}


def test_list_shows_what_fails_and_why(command: Command, plugins: Path, tmp_path: Path) -> None:
    """A bad file is a row with reason and cure and stops no other; exit code 1, or its own with --strict."""
    shutil.copy(plugins / "tool.so", tmp_path / "z.so")
    shutil.copy(plugins / "role.so", tmp_path / "other.so")
    (tmp_path / "a.so").write_text("no library\n")
    done = command("list", "--contract", HEADER)
    _, bad, other, good = done.text.splitlines()
    assert done.code == 1
    assert bad.split()[:2] == ["a", "-"]
    assert "implements another contract" in other
    assert "Build it against" in other
    assert good.endswith("  ok")
    strict = command("list", "--contract", HEADER, "--strict")
    assert (strict.code, strict.out) == (4, b"")
    assert one_line(strict.err).startswith(f"loader: error: {tmp_path / 'a.so'}: ")


def test_list_as_json(command: Command, plugins: Path, tmp_path: Path) -> None:
    """--json tells the same: name, path, source, size, digest, machine, contracts, status, failure."""
    shutil.copytree(plugins, tmp_path / "p")
    (tmp_path / "p" / "empty.so").touch()
    done = command("list", "p", "--json", "--contract", HEADER)
    assert done.code == 1
    assert done.json["failed"] == 2
    empty, role, good = done.json["plugins"]
    assert (empty["status"], empty["failure"]["error"]) == ("failed", "ImageError")
    assert (role["status"], role["failure"]["error"]) == ("failed", "HandshakeError")
    assert good["contracts"] == {"cli_tool": ["1.1"]}
    assert (good["status"], good["name"], len(good["digest"])) == ("ok", "tool", 64)
    assert good["path"] == str(tmp_path / "p" / "tool.so")


def test_list_without_contract_knows_what_is_no_plugin(
    command: Command, build: Callable[..., Path], tmp_path: Path
) -> None:
    """A shared library without markers is no plugin for any contract."""
    (tmp_path / "plain.c").write_text("int number(void); int number(void) { return 1; }\n")
    shutil.copy(build(tmp_path / "plain.c"), tmp_path)
    done = command("list", "plain.so")
    assert done.code == 1
    assert "is a shared library but not a plugin" in done.text


def test_list_of_what_is_not_there(command: Command) -> None:
    """A path that does not exist is a row, and 3 with --strict; an empty folder is no failure."""
    assert command("list", "nowhere").code == 1
    assert command("list", "nowhere", "--strict").code == 3
    empty = command("list")
    assert (empty.code, empty.out) == (0, b"")
    assert one_line(empty.err).startswith("loader: info: ")


def test_list_from_environment_and_entry_points(command: Command, plugins: Path, tmp_path: Path) -> None:
    """A variable and an entry point group lead to plugins too; a package that fails is a row."""
    package = tmp_path / "packages"
    (package / "good-1.dist-info").mkdir(parents=True)
    (package / "good-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: good\nVersion: 1\n")
    (package / "good-1.dist-info" / "entry_points.txt").write_text(
        "[cli.tools]\nx = good_plugins\ny = no_such_module\nz = good_plugins:where\n"
    )
    shutil.copytree(plugins, package / "good_plugins")
    (package / "good_plugins" / "__init__.py").write_text("raise SystemExit('imported')\n")
    done = command(
        "list",
        *("--environment", "APP_PLUGINS", "--entry-points", "cli.tools", "--json"),
        path=[package],
        environment={"APP_PLUGINS": str(plugins / "tool.so")},
    )
    assert done.code == 1
    sources = [(each["name"], each["source"].split(" ")[0], each["status"]) for each in done.json["plugins"]]
    assert sources == [
        ("tool", "environment", "ok"),
        ("role", "entry", "ok"),
        ("tool", "entry", "ok"),
        ("no_such_module", "entry", "failed"),
        ("good_plugins:where", "entry", "failed"),
    ]


def test_names_cannot_drive_the_terminal(command: Command, tool_so: Path, tmp_path: Path) -> None:
    """Control characters of a file's name are escaped; other characters, wide ones too, stay and align."""
    names = ["\x1b]0;x\x07\n.so", "größe.so", "插件.so"]
    for name in names:
        shutil.copy(tool_so, tmp_path / name)
    done = command("list")
    head, *rows = done.text.splitlines()
    assert done.code == 0
    assert len(rows) == len(names)
    assert "\x1b" not in done.text
    assert rows[0].startswith(r"\x1b]0;x\x07\n ")
    assert rows[1].index("cli_tool") == head.index("CONTRACT")
    assert rows[2].index("cli_tool") == head.index("CONTRACT") - 2  # two characters of two columns each


# ---- inspect -----------------------------------------------------------------------------------------------


def test_inspect_for_people(command: Command, tool_so: Path) -> None:
    """What the file is, exports and needs; with a contract, that the handshake holds and what is missing."""
    done = command("inspect", tool_so, "--contract", HEADER)
    assert done.code == 0
    facts = {line[:14].strip(): line[14:] for line in done.text.splitlines()}
    assert facts["contracts"] == "cli_tool 1.1"
    assert "misbehave" in facts["exports"]
    assert facts["loads here"] == "yes"
    assert len(facts["SHA-256"]) == 64
    assert "The handshake with cli_tool 1.1 holds: version 1.1, without extra." in done.text


def test_inspect_as_json(command: Command, tool_so: Path) -> None:
    """The same as plain values."""
    found = command("inspect", tool_so, "--contract", HEADER, "--json").json
    assert found["path"] == str(tool_so)
    assert found["size"] == tool_so.stat().st_size
    assert found["kind"] == "shared library"
    assert {"echo", "loader_abi_1", "cli_tool_abi_1_1"} <= {*found["exports"]}
    assert found["contracts"] == {"cli_tool": ["1.1"]}
    assert found["handshake"] == {
        "contract": "cli_tool 1.1",
        "holds": True,
        "version": "1.1",
        "missing": ["extra"],
    }
    assert (found["go"], found["rust"], found["mismatch"]) == (False, False, None)
    assert "handshake" not in command("inspect", tool_so, "--json").json


def test_inspect_of_another_contract_is_4(command: Command, tool_so: Path) -> None:
    """The facts are shown all the same, then what does not hold; a shipped contract goes by its name."""
    done = command("inspect", tool_so, "--contract", "htmlize")
    assert done.code == 4
    assert "cli_tool 1.1" in done.text
    assert "implements another contract" in one_line(done.err)
    shown = command("inspect", tool_so, "--contract", "htmlize", "--json")
    assert shown.code == 4
    assert shown.json["handshake"] == {"contract": "htmlize 1.0", "holds": False}
    assert shown.json["error"] == "HandshakeError"
    assert shown.json["exports"]


def test_inspect_refuses_with_the_right_code(command: Command, tool_so: Path, tmp_path: Path) -> None:
    """Missing file and folder: 3; empty, text, cut off: 4. One line each, the same as JSON."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("#!/bin/sh\n")
    (tmp_path / "cut").write_bytes(tool_so.read_bytes()[:1000])
    for name, code in {"missing": 3, "folder": 3, "empty": 4, "text": 4, "cut": 4}.items():
        done = command("inspect", name)
        assert done.code == code, name
        assert one_line(done.err).startswith(f"loader: error: {tmp_path / name}: ")
        shown = command("inspect", name, "--json")
        assert (shown.code, shown.err) == (code, "")
        assert shown.json["path"] == str(tmp_path / name)


def test_a_file_that_may_not_be_read(unprivileged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an error that says so, not a traceback."""
    secret = unprivileged / "secret"
    secret.touch()
    secret.chmod(0)
    assert main(["inspect", str(secret)]) == 4
    assert "Permission denied" in one_line(capsys.readouterr().err)
    assert main(["call", str(secret), "echo", "x", "--contract", HEADER]) == 4


# ---- call --------------------------------------------------------------------------------------------------


def call(command: Command, tool_so: Path, *words: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, output and messages of `loader call`."""
    done = command("call", tool_so, *words, "--contract", HEADER, stdin=stdin)
    return done.code, done.out, done.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("echo", "World"), b"World"),
        (("echo", ""), b""),
        (("echo", "größe 插件"), "größe 插件".encode()),
        (("echo", "@file"), b"@file"),
        (("echo", "@-"), b"from stdin"),
        (("numbers", "-5", "0xff"), b"-5 255"),
        (("numbers", "2147483647", "18446744073709551615"), b"2147483647 18446744073709551615"),
        (("reverse", "abc"), b"cba"),
        (("reverse", "hex:00 ff"), b"\xff\x00"),
        (("reverse", "@file"), b"\xfe\nelif"),
        (("reverse", "@-"), b"nidts morf"),
        (("describe", "a", "b"), b"a|0||0|0|b"),
        (("describe", "a", "number=-7", "name=x=y", "data=hex:0000", "weight=2.5", "b"), b"a|-7|x=y|2|2.5|b"),
        (
            ("describe", "a", '{"number": 3, "name": "@-", "data": "@file", "weight": 1}', "b"),
            b"a|3|@-|6|1|b",
        ),
        (("describe", "a", "name=@-", "b"), b"a|0|from stdin|0|0|b"),
        (("misbehave", "log"), b"logged"),
    ],
)
def test_call_turns_words_into_arguments(
    command: Command, tool_so: Path, tmp_path: Path, words: tuple[str, ...], expected: bytes
) -> None:
    """Each kind of parameter in each of its forms; the result is exactly what the plugin wrote."""
    (tmp_path / "file").write_bytes(b"file\n\xfe")
    code, out, _ = call(command, tool_so, *words, stdin=b"from stdin")
    assert (code, out) == (0, expected)


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("echo",),
        ("echo", "a", "b"),
        ("numbers", "1"),
        ("numbers", "one", "2"),
        ("numbers", "2147483648", "2"),
        ("numbers", "1", "-1"),
        ("reverse", "hex:0"),
        ("reverse", "@no-such-file"),
        ("describe", "a", "nothing=1", "b"),
        ("describe", "a", "number=1", "number=2", "b"),
        ("describe", "a", "number=x", "b"),
        ("describe", "a", "{", "b"),
        ("describe", "a", '{"number": "1"}', "b"),
        ("describe", "a", '{"number": true}', "b"),
        ("describe", "a", '{"name": "\\ud800"}', "b"),
        ("describe", "a", '{"other": 1}', "b"),
        ("describe", "a", "[" * 100_000, "b"),
        ("describe", "a", '{"a":' * 20_000, "b"),
        ("describe", "@-", "data=@-", "b"),
    ],
)
def test_call_refuses_words_that_do_not_fit(command: Command, tool_so: Path, words: tuple[str, ...]) -> None:
    """Exit code 2, one line, and the plugin is not loaded for what can be seen before."""
    code, out, err = call(command, tool_so, *words)
    assert (code, out) == (2, b"")
    assert one_line(err).startswith("loader: error: ")


def test_call_names_a_misspelt_field(command: Command, tool_so: Path) -> None:
    """A word that looks like a struct's field, and is none, is not only one word too many."""
    _, _, err = call(command, tool_so, "describe", "a", "numbr=1", "b")
    assert "has no field 'numbr'" in one_line(err)
    _, _, err = call(command, tool_so, "echo", "a", "b=1")
    assert "field" not in one_line(err)


def test_call_takes_options_between_arguments(command: Command, tool_so: Path) -> None:
    """Words and options may stand in any order; what begins with - comes after --."""
    done = command("call", tool_so, "numbers", "--contract", HEADER, "1", "2")
    assert (done.code, done.out) == (0, b"1 2")
    done = command("call", "--contract", HEADER, tool_so, "numbers", "1", "--deadline", "60", "2")
    assert (done.code, done.out) == (0, b"1 2")
    done = command("call", tool_so, "--contract", HEADER, "--", "echo", "--json")
    assert (done.code, done.out) == (0, b"--json")
    done = command("call", tool_so, "numbers", "--contract", HEADER, "-1", "2")
    assert (done.code, done.out) == (0, b"-1 2")


def test_call_refuses_text_that_is_not_utf8(command: Command, tool_so: Path) -> None:
    """Bytes of a command line or of standard input that are not UTF-8 are no text."""
    code, _, err = call(command, tool_so, "echo", "@-", stdin=b"ab\xff")
    assert code == 2
    assert "byte 2" in one_line(err)
    if sys.platform == "linux":
        assert call(command, tool_so, "echo", os.fsdecode(b"\xff"))[0] == 2
        assert call(command, tool_so, "reverse", os.fsdecode(b"a\xff"))[:2] == (0, b"\xffa")


def test_call_as_json(command: Command, tool_so: Path) -> None:
    """Text under "result", bytes as "base64"; an error is the object of its fields."""
    found = command("call", tool_so, "echo", "a\n", "--contract", HEADER, "--json").json
    assert (found["plugin"], found["contract"], found["function"]) == ("tool", "cli_tool", "echo")
    assert (found["result"], found["version"]) == ("a\n", "1.1")
    assert (
        command("call", tool_so, "reverse", "hex:ff", "--contract", HEADER, "--json").json["base64"] == "/w=="
    )
    failed = command("call", tool_so, "misbehave", "fail", "--contract", HEADER, "--json")
    assert (failed.code, failed.err) == (6, "")
    assert failed.json["error"] == "PluginError"
    assert (failed.json["message"].startswith(str(tool_so)), failed.json["function"]) == (True, "misbehave")


def test_call_shows_logs_with_their_level(command: Command, tool_so: Path) -> None:
    """What a plugin logs goes to standard error, escaped, a line each."""
    _, _, err = call(command, tool_so, "misbehave", "log")
    assert err.splitlines() == [
        "loader: debug: plugin tool: a detail",
        r"loader: warning: plugin tool: a \x1b[31mred\x1b[0m warning",
    ]


@pytest.mark.parametrize("how", ["fail", "controls", "status", "not-utf8", "unheard-of", "abort", "exit"])
def test_a_plugin_that_fails_is_6(command: Command, tool_so: Path, how: str) -> None:
    """Errors, unknown status, wrong UTF-8, a crash and an exit(): one line that names the plugin; code 6."""
    code, out, err = call(command, tool_so, "misbehave", how)
    assert (code, out) == (6, b"")
    line = one_line(err)
    assert line.startswith(f"loader: error: {tool_so}: ")
    assert "plugin tool" in line
    assert "\x1b" not in line
    assert ("SIGABRT" in line) == (how == "abort")


def test_a_crash_as_json(command: Command, tool_so: Path) -> None:
    """The fields say which plugin and function."""
    done = command("call", tool_so, "misbehave", "abort", "--contract", HEADER, "--json")
    assert (done.code, done.err) == (6, "")
    assert (done.json["plugin"], done.json["function"]) == ("tool", "misbehave")


def test_call_stops_at_its_deadline(command: Command, tool_so: Path) -> None:
    """A plugin that asks is stopped by --deadline: exit code 6."""
    done = command("call", tool_so, "misbehave", "wait", "--contract", HEADER, "--deadline", "0.05", "--json")
    assert done.code == 6
    assert done.json["error"] == "DeadlineExceeded"


def test_a_missing_optional_function_is_4(command: Command, tool_so: Path) -> None:
    """The contract has it, the plugin does not."""
    code, _, err = call(command, tool_so, "extra")
    assert code == 4
    assert "extra" in one_line(err)


def test_call_of_a_file_that_is_no_plugin(command: Command, plugins: Path, tmp_path: Path) -> None:
    """Not there: 3. Another contract: 4."""
    assert call(command, tmp_path / "missing.so", "echo", "x")[0] == 3
    assert call(command, plugins / "role.so", "echo", "x")[0] == 4


# ---- Signals and streams -----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_plugin_that_hangs_can_be_interrupted(
    command: Command, tool_so: Path, number: int, code: int
) -> None:
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
    assert streams.printable("a\x00\x1b\x7f\x9b\u202e\u2028\udcff\n") == (
        r"a\x00\x1b\x7f\x9b\u202e\u2028\udcff\n"
    )
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
