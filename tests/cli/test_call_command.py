"""`loader call`: words that become arguments, results, and plugins that fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command, Result, one_line
from tree import PLUGINS

HEADER = str(PLUGINS / "cli_tool.h")


def call(command: Command, tool_so: Path, *words: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, output and messages of `loader call`."""
    done = command("call", tool_so, *words, "--contract", HEADER, stdin=stdin)
    return done.code, done.out, done.err


CHOICES = """#include <stdbool.h>
#include "loader/plugin.h"
LOADER_CONTRACT(paint, 1, 0);
LOADER_BEGIN_C
typedef enum color { RED, GREEN = 5 } color;
typedef struct pen { size_t size; bool on; color c; } pen;
LOADER_EXPORT int fill(loader_call *call, color c, bool solid);
LOADER_EXPORT int draw(loader_call *call, const pen *p);
LOADER_END_C
"""
PAINT = """#include "paint.h"
int fill(loader_call *call, color c, bool solid) { return loader_printf(call, "%d %d", (int)c, (int)solid); }
int draw(loader_call *call, const pen *p) { return loader_printf(call, "%d %d", (int)p->c, (int)p->on); }
"""


@pytest.fixture
def paint(command: Command, build: Callable[..., Path], tmp_path: Path) -> Callable[..., Result]:
    """`loader call` of a plugin whose functions take enums and bools."""
    (tmp_path / "paint.h").write_text(CHOICES)
    (tmp_path / "paint.c").write_text(PAINT)
    plugin = build(tmp_path / "paint.c", flags=[f"-I{tmp_path}"])
    return lambda *words: command("call", plugin, *words, "--contract", tmp_path / "paint.h")


@pytest.mark.parametrize(
    "words",
    [
        ("fill", "5", "1"),
        ("fill", "GREEN", "true"),
        ("draw", "c=GREEN", "on=true"),
        ("draw", '{"c": "GREEN", "on": true}'),
        ("draw", '{"c": 5, "on": 1}'),
    ],
)
def test_call_takes_names_of_enums_and_bools(paint: Callable[..., Result], words: tuple[str, ...]) -> None:
    """An enum's value by its number or its name, a bool's as true or 1, in JSON too."""
    assert paint(*words).out == b"5 1"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("fill", "7", "1"), "fill(): c is RED (0) or GREEN (5), not 7"),
        (("fill", "5", "2"), "fill(): solid is True or False, not 2"),
        (("fill", "BLUE", "1"), "c is RED or GREEN, not 'BLUE'"),
        (("fill", "true", "1"), "c is RED or GREEN, not 'true'; expected fill C:RED|GREEN SOLID:true|false"),
        (("draw", "c=7"), "draw(): c is RED (0) or GREEN (5), not 7"),
        (("draw", '{"c": true}'), "c is RED or GREEN, not true"),
        (("draw", '{"on": "GREEN"}'), 'on is true or false, not "GREEN"'),
    ],
)
def test_call_refuses_other_values(paint: Callable[..., Result], words: tuple[str, ...], reason: str) -> None:
    """What is no value of the enum or bool is wrong usage, told in one line, and not a traceback."""
    done = paint(*words)
    assert (done.code, done.out) == (2, b"")
    assert reason in one_line(done.err)


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
    assert command("call", tool_so, "reverse", "hex:ff", "--contract", HEADER, "--json").json["base64"] == "/w=="
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
