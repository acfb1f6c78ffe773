"""--isolated of `loader call` and `htmlize`, and `loader doctor --isolation`: what they do, refuse, and exit with."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command
from falling import runs, wait_until
from tree import GREETER, PLUGINS

from loader.cli import commands
from loader.isolation import settings as isolation_settings
from loader.isolation.settings import PARTS, Confinement, Isolation

if TYPE_CHECKING:
    from collections.abc import Callable

    from command import Result

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")

FALLING = PLUGINS / "falling.h"
NO_TRACEBACK = "Traceback"


@pytest.fixture(scope="session")
def falling(build: Callable[..., Path]) -> Path:
    """The plugin falling, a file."""
    return build("falling.c", flags=["-Wno-infinite-recursion"])


@pytest.fixture
def fall(command: Command, falling: Path) -> Callable[..., Result]:
    """Runs `loader call falling.so fall HOW`."""

    def run(how: str, *options: str | Path) -> Result:
        return command("call", falling, "fall", how, "--contract", FALLING, *options)

    return run


@pytest.fixture
def htmlize(tmp_path: Path) -> Command:
    """The command htmlize, in an empty folder."""
    return Command("loader.htmlize.cli", tmp_path)


# ---- loader call ----


def test_call(command: Command, hello: Path) -> None:
    """It answers as in this process; as JSON too."""
    words = ("call", hello, "greet", "World", "--contract", GREETER)
    here, apart = command(*words), command(*words, "--isolated")
    assert (apart.code, apart.out, apart.err) == (here.code, here.out, here.err) == (0, b"Hello, World!", "")
    assert command(*words, "--isolated", "--json").json == command(*words, "--json").json


@pytest.mark.parametrize(
    ("how", "words"), [("abort", "SIGABRT"), ("exit", "exited with status 7"), ("read", "SIGSEGV")]
)
def test_crash(fall: Callable[..., Result], how: str, words: str) -> None:
    """A plugin that ends its process is one line and exit code 6; as JSON it is PluginCrashed."""
    result = fall(how, "--isolated")
    assert result.code == 6
    assert words in result.err
    assert result.err.count("\n") == 1
    assert NO_TRACEBACK not in result.err
    found = fall(how, "--isolated", "--json")
    assert (found.code, found.json["error"], found.json["plugin"]) == (6, "PluginCrashed", "falling")


def test_deadline(fall: Callable[..., Result]) -> None:
    """--deadline ends a plugin that never asks, in its process: the command tells of it, and nothing is left."""
    begin = time.monotonic()
    result = fall("hang", "--isolated", "--deadline", "0.3")
    assert result.code == 6
    assert "did not stop" in result.err
    assert time.monotonic() - begin < 10


def test_sandbox(command: Command, falling: Path, tmp_path: Path) -> None:
    """A worker writes nowhere but where --write says, and everywhere with --sandbox off."""
    log = tmp_path / "log"
    words = ("call", falling, "note", log, "7", "--contract", FALLING, "--isolated")
    refused = command(*words)
    assert (refused.code, log.exists()) == (6, False)
    assert "cannot be written" in refused.err
    assert command(*words, "--write", tmp_path).out == b"14\n"
    log.unlink()
    assert command(*words, "--sandbox", "off").out == b"14\n"


def test_memory(fall: Callable[..., Result]) -> None:
    """--memory is the most that it may have."""
    result = fall("memory", "--isolated", "--memory", "64M")
    assert result.code == 6
    assert "no more memory" in result.err or "SIG" in result.err


@pytest.mark.parametrize("option", ["--sandbox=off", "--memory=64M", "--read=x", "--write=x"])
def test_what_needs_isolated(fall: Callable[..., Result], option: str) -> None:
    """Options about the process are refused without it: they would do nothing."""
    result = fall("x", option)
    assert result.code == 2
    assert "Say --isolated too" in result.err


@pytest.mark.parametrize(
    "options",
    [
        ("--isolated", "--in-process"),
        ("--isolated", "--memory", "1"),
        ("--isolated", "--memory", "lots"),
        ("--isolated", "--memory", "-5M"),
        ("--isolated", "--memory", "64m"),
        ("--isolated", "--sandbox", "some"),
        ("--isolated", "--read", ""),
    ],
)
def test_wrong_usage(fall: Callable[..., Result], options: tuple[str, ...]) -> None:
    """What cannot be meant is one line and exit code 2."""
    result = fall("x", *options)
    assert result.code == 2
    assert NO_TRACEBACK not in result.err


def test_a_policy_file(command: Command, hello: Path, tmp_path: Path) -> None:
    """A policy file with isolate = true is enough, also with --in-process, which is about the command's child."""
    policy = tmp_path / "loader.toml"
    policy.write_text("[policy]\nisolate = true\n")
    words = ("call", hello, "greet", "you", "--contract", GREETER, "--policy", policy)
    for more in ((), ("--in-process",), ("--isolated", "--sandbox", "strict")):
        assert command(*words, *more).out == b"Hello, you!"
    said = command("load-report", hello, "--contract", GREETER, "--policy", policy).text
    assert "a process of its own" in said
    assert "to be opened in a process of its own" in command("verify", hello, "--policy", policy).text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_command_ends(command: Command, falling: Path, number: signal.Signals) -> None:
    """A command that is stopped or killed leaves neither its child nor the plugin's process behind."""
    process = command.start("call", falling, "fall", "hang", "--contract", FALLING, "--isolated")
    found: list[int] = []

    def there() -> bool:
        found[:] = _descendants(process.pid)
        return len(found) == 2

    assert wait_until(there)
    process.send_signal(number)
    process.wait(20)
    assert process.returncode in (128 + number, -number)
    assert wait_until(lambda: not any(map(runs, found)))
    process.communicate()


def _descendants(pid: int) -> list[int]:
    """Children of a process, and theirs."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        text = " ".join(Path(f"/proc/{pid}/task/{each}/children").read_text() for each in tasks)
    except OSError:
        return []
    children = list(map(int, text.split()))
    return [*children, *(each for child in children for each in _descendants(child))]


# ---- htmlize ----


def test_documents(htmlize: Command) -> None:
    """Documents are those of this process, also from several threads."""
    (htmlize.folder / "docs").mkdir()
    for number in range(20):
        (htmlize.folder / "docs" / f"{number}.txt").write_text(f"I like :tt:`{number}`\n")
    here = htmlize("docs", "-o", "here", "-q")
    apart = htmlize("docs", "-o", "apart", "-q", "--isolated", "-j", "4")
    assert (here.code, apart.code, apart.err) == (0, 0, "")
    for number in range(20):
        assert (htmlize.folder / "apart" / f"{number}.html").read_bytes() == (
            htmlize.folder / "here" / f"{number}.html"
        ).read_bytes()


def test_a_document_that_crashes(htmlize: Command, build: Callable[..., Path]) -> None:
    """It is told with its place; with --keep-going the others are turned, which a crash in this process prevents."""
    roles = build("cli_roles.c")
    for name, text in (("a", ":who:`x`"), ("b", ":crash:`x`"), ("c", ":who:`y`")):
        (htmlize.folder / f"{name}.txt").write_text(text)
    words = ("a.txt", "b.txt", "c.txt", "-o", "out", "--plugins", str(roles), "-q", "-j", "1")
    result = htmlize(*words, "--isolated")
    assert result.code == 6
    assert "SIGABRT" in result.err
    assert "in role 'crash'" in result.err
    assert NO_TRACEBACK not in result.err
    going = htmlize(*words, "--isolated", "--keep-going")
    assert going.code == 1
    assert sorted(each.name for each in (htmlize.folder / "out").iterdir()) == ["a.html", "c.html"]
    assert htmlize(*words, "--keep-going").code == 6


def test_a_document_that_hangs(htmlize: Command, build: Callable[..., Path]) -> None:
    """--deadline is for each document; in this process there is none, and the option says so."""
    roles = build("cli_roles.c")
    words = ("--plugins", str(roles), "-q")
    result = htmlize(*words, "--isolated", "--deadline", "0.3", stdin=b":hang:`x`")
    assert result.code == 6
    assert "did not stop" in result.err
    assert "Say --isolated too" in htmlize(*words, "--deadline", "1", stdin=b"x").err


def test_htmlize_with_a_policy_for_a_folder(htmlize: Command, build: Callable[..., Path], tmp_path: Path) -> None:
    """A plugin of a folder that the policy isolates crashes without the command: the rest of the work is done."""
    (tmp_path / "vendor").mkdir()
    shutil.copy(build("cli_roles.c"), tmp_path / "vendor" / "roles.so")
    (tmp_path / "loader.toml").write_text("[policy.folders.vendor]\nisolate = true\n")
    for name, text in (("a", ":crash:`x`"), ("b", ":who:`x`")):
        (tmp_path / f"{name}.txt").write_text(text)
    result = htmlize(
        *("a.txt", "b.txt", "-o", "out", "-q", "-j", "1", "--keep-going"),
        *("--plugins", "vendor", "--policy", "loader.toml"),
    )
    assert result.code == 1
    assert (tmp_path / "out" / "b.html").exists()


# ---- loader doctor --isolation ----


def test_doctor(command: Command) -> None:
    """It starts a worker and says each part, the kernel and the verdict; its JSON is the same."""
    said, values = command("doctor", "--isolation"), command("doctor", "--isolation", "--json").json
    assert said.code == (0 if values["strict"] else 1)
    assert os.uname().release in values["kernel"]
    assert values["kernel"] in said.text
    assert {*values["engaged"], *values["missing"]} == set(PARTS)
    for name in PARTS:
        assert f"{'holds  ' if name in values['engaged'] else 'missing'}  {name}" in said.text
    assert 'sandbox="strict"' in said.text.splitlines()[-1]


def test_doctor_where_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What strict asks for and is not there is told with the reason, and is exit code 1; namespaces alone are not."""
    engaged = tuple(name for name in PARTS if name not in ("landlock", "namespaces"))
    for missing, code in (
        ({"landlock": "Function not implemented", "namespaces": "no"}, 1),
        ({"namespaces": "no"}, 0),
    ):
        found = Confinement(engaged, missing, 0, Isolation())
        monkeypatch.setattr("loader.cli.confinement.confinement_here", lambda found=found: found)
        assert commands.main(["doctor", "--isolation"]) == code
        text = capsys.readouterr().out
        assert all(f"missing  {name:<13} {why}" in text for name, why in missing.items())
        assert ("does not start here for want of landlock;" in text) == bool(code)


def test_doctor_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where plugins can have no process it is a typed error with the reason, and exit code 4."""
    monkeypatch.setattr(isolation_settings.sys, "platform", "win32")
    assert commands.main(["doctor", "--isolation", "--json"]) == 4
    text = capsys.readouterr().out
    assert "IsolationError" in text
    assert "win32 has no" in text


def test_doctor_usage(command: Command, hello: Path) -> None:
    """Files or the machine, one of them."""
    assert command("doctor").code == 2
    assert command("doctor", hello, "--isolation").code == 2
