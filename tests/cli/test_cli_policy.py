"""The options that say what must hold of a plugin before its code runs: loader call, loader list, htmlize."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import Command, Result
from tree import TESTS

import loader

ROOT = TESTS.parent
GREETER = ROOT / "native_plugins" / "greeter" / "greeter.h"
FATAL = TESTS / "plugins" / "fatal.h"
DOCUMENT = b"I like :fatal:`pie`\n"

dies = pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="sanitizers handle these signals")


@pytest.fixture
def call(tmp_path: Path, build: Callable[..., Path]) -> Command:
    """The command `loader`, in a folder with the plugins die.so (of contract fatal) and plugins/role.so."""
    tmp_path.chmod(0o755)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins").chmod(0o755)
    flags = ["-Wno-infinite-recursion"]
    shutil.copy(build("fatal.c", name="die", flags=flags), tmp_path / "die.so")
    shutil.copy(build("fatal.c", "HTMLIZE", name="role", flags=flags), tmp_path / "plugins" / "role.so")
    for path in (tmp_path / "die.so", tmp_path / "plugins" / "role.so"):
        path.chmod(0o755)
    return Command("loader", tmp_path)


@pytest.fixture
def htmlize(call: Command) -> Command:
    """The command `htmlize`, in the same folder."""
    return Command("loader.htmlize.cli", call.folder)


@pytest.fixture
def both(call: Command, htmlize: Command) -> Callable[..., list[Result]]:
    """Has one plugin called by each of the two commands, under these options."""

    def run(*options: str) -> list[Result]:
        return [
            call("call", "die.so", "echo", "x", "--contract", FATAL, *options),
            htmlize("--plugins", "plugins/role.so", *options, stdin=b":fatal:`x`\n"),
        ]

    return run


def refused(done: Result, *words: str) -> None:
    """Asserts exit code 5 and one line that has these words, with nothing on standard output."""
    assert done.code == 5, done.err
    assert done.out == b""
    assert re.fullmatch(r"(loader|htmlize): error: [^\n]*\n", done.err), done.err
    assert all(word in done.err for word in words), done.err


def group(text: str) -> str:
    """The policy options in a --help."""
    found = re.search(r"^what must hold of a plugin.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[0]


def test_both_commands_have_the_same_options(call: Command, htmlize: Command) -> None:
    """Word for word."""
    shown = group(call("call", "--help").text)
    assert shown == group(htmlize("--help").text)
    for option in ("--policy", "--permissions", "--lock", "--key", "--quarantine"):
        assert f"{option} " in shown


# ---- Each rule ---------------------------------------------------------------------------------------------


def test_lock(both: Callable[..., list[Result]], call: Command) -> None:
    """What the lock file names runs; changed, it does not, and the line says what to do."""
    assert call("lock", "die.so", "plugins/role.so").code == 0
    assert [done.code for done in both("--lock", "loader.lock")] == [0, 0]
    for path in ("die.so", "plugins/role.so"):
        with (call.folder / path).open("ab") as file:
            file.write(b"x")
    for done in both("--lock", "loader.lock"):
        refused(done, "loader.lock", "SHA-256", "loader lock")


def test_a_missing_lock_file_refuses(both: Callable[..., list[Result]]) -> None:
    """A typing error in its name is no way around it."""
    for done in both("--lock", "no.lock"):
        refused(done, "no.lock: cannot be read as a lock file")


def test_permissions(both: Callable[..., list[Result]], call: Command) -> None:
    """A file that others may write to is refused, with the command that mends it."""
    for path in ("die.so", "plugins/role.so"):
        (call.folder / path).chmod(0o777)
    for done in both("--permissions"):
        refused(done, "can be changed by others", "chmod go-w")


def test_keys(both: Callable[..., list[Result]], call: Command) -> None:
    """One of several keys is enough, as a file or as text; without a signature nothing runs."""
    if not os.environ.get("CI"):
        pytest.importorskip("cryptography", reason="signatures need the extra [sign]")
    made = call("keygen", "--no-password", "--json").json
    other = ("--secret-key", "other.key", "--public-key", "other.pub")
    call("keygen", "--no-password", *other)
    for done in both("--key", "minisign.pub"):
        refused(done, "is not signed", "loader sign")
    assert call("sign", "die.so", "plugins/role.so", "--version", "1.0").code == 0
    for key in ("minisign.pub", made["key"]):
        assert [done.code for done in both("--key", "other.pub", "--key", key)] == [0, 0]
    for done in both("--key", "other.pub"):
        refused(done, "signed by a key that is not trusted")
    for done in both("--key", "none.pub"):
        refused(done, "none.pub")


@pytest.mark.parametrize("option", ["--policy", "--lock", "--key", "--quarantine"])
def test_an_option_without_a_value(both: Callable[..., list[Result]], option: str) -> None:
    """An empty value, as of a variable that is not set, is wrong usage: it does not let everything run."""
    for done in both(option, ""):
        assert done.code == 2
        assert "the path is empty" in done.err
        assert done.out == b""


def test_policy_file(both: Callable[..., list[Result]], call: Command) -> None:
    """The application's own policy, from either kind of file; options add to it and take nothing away."""
    call("lock", "die.so", "plugins/role.so")
    (call.folder / "loader.toml").write_text('[policy]\nlock = "loader.lock"\n')
    (call.folder / "pyproject.toml").write_text("[tool.loader.policy]\npermissions = true\n")
    for path in ("loader.toml", "pyproject.toml"):
        assert [done.code for done in both("--policy", path)] == [0, 0]
    for path in ("die.so", "plugins/role.so"):
        (call.folder / path).chmod(0o777)
    assert [done.code for done in both("--policy", "loader.toml")] == [0, 0]
    for done in both("--policy", "loader.toml", "--permissions"):
        refused(done, "can be changed by others")
    for done in both("--policy", "pyproject.toml"):
        refused(done, "can be changed by others")
    for done in both("--policy", "loader.toml", "--lock", "other.lock"):
        refused(done, "can be tightened, not loosened")
    for done in both("--policy", "no.toml"):
        refused(done, "no.toml: cannot be read as a policy")


def test_no_policy_is_picked_up_by_itself(both: Callable[..., list[Result]], call: Command) -> None:
    """What holds is what the command line says, in whichever folder the command is started."""
    (call.folder / "loader.toml").write_text('[policy]\nlock = "no.lock"\n')
    (call.folder / "pyproject.toml").write_text('[tool.loader.policy]\nlock = "no.lock"\n')
    (call.folder / "loader.lock").write_text("format = 99\n")
    assert [done.code for done in both()] == [0, 0]


def test_a_refusal_as_json(call: Command, htmlize: Command) -> None:
    """With --json the same error is an object, with its cure."""
    (call.folder / "loader.lock").write_text("format = 1\n")
    given = ("--lock", "loader.lock", "--json")
    for done in (
        call("call", "die.so", "echo", "x", "--contract", FATAL, *given),
        htmlize("--plugins", "plugins/role.so", "-o", "out.html", *given, stdin=DOCUMENT),
    ):
        assert (done.code, done.err) == (5, "")
        assert done.json["error"] == "TrustError"
        assert "loader lock" in done.json["cure"]


def test_nothing_of_a_refused_file_runs(call: Command, build: Callable[..., Path], sentinel: Path) -> None:
    """Not even its constructor."""
    shutil.copy(build("hostile.c"), call.folder / "hostile.so")
    run = ("call", "hostile.so", "greet", "x", "--contract", str(GREETER))
    refused(call(*run, "--lock", "no.lock"))
    assert not sentinel.exists()
    assert call(*run).code == 0
    assert sentinel.exists()


# ---- Several plugins ---------------------------------------------------------------------------------------


def test_list_tells_what_would_be_refused(call: Command) -> None:
    """As the status of its row, without running any; with --strict by exit code 5."""
    call("lock", "die.so")
    rows = call("list", ".", "plugins", "--lock", "loader.lock")
    assert rows.code == 1
    assert [line.split()[0] for line in rows.text.splitlines()] == ["NAME", "die", "role"]
    assert rows.text.splitlines()[1].endswith(" ok")
    assert "is not in the lock file" in rows.text.splitlines()[2]
    values = call("list", "plugins", "--lock", "loader.lock", "--json").json
    assert values["plugins"][0]["failure"]["error"] == "TrustError"
    refused(call("list", "plugins", "--lock", "loader.lock", "--strict"), "is not in the lock file")


def test_a_folder_with_a_plugin_that_is_not_trusted(
    call: Command, htmlize: Command, build: Callable[..., Path]
) -> None:
    """It ends the run; with --keep-going it is left out with a line that --quiet does not silence, exit code 1."""
    shutil.copy(build(ROOT / "native_plugins" / "tt" / "tt.c"), call.folder / "plugins" / "tt.so")
    call("lock", "plugins/tt.so")
    text = b":tt:`a` :fatal:`b`\n"
    given = ("--plugins", "plugins", "--lock", "loader.lock")
    refused(htmlize(*given, stdin=text), "role.so: is not in the lock file")
    kept = htmlize(*given, "--keep-going", "--quiet", stdin=text)
    assert kept.code == 1
    assert kept.text == "<p><tt>a</tt> :fatal:`b`</p>\n\n"
    assert kept.err.startswith("htmlize: error: left out: ")
    shown = htmlize(*given, "--keep-going", "--json", "-o", "out.html", stdin=text)
    assert shown.code == 1
    assert [each["error"] for each in shown.json["left_out"]] == ["TrustError"]


# ---- Quarantine --------------------------------------------------------------------------------------------


@dies
@pytest.mark.parametrize("where", ["child", "in process"])
def test_a_crash_is_remembered_and_forgiven(call: Command, htmlize: Command, where: str) -> None:
    """With --quarantine, what crashes is told in the report, refused from then on, and runs once released."""
    more = () if where == "child" else ("--in-process",)
    runs: list[tuple[Callable[..., Result], str]] = [
        (lambda kind: call(*_call(kind), *more), "die.so"),
        (lambda kind: htmlize(*_htmlize(), *more, stdin=f":fatal:`{kind}`\n".encode()), "plugins/role.so"),
    ]
    for run, path in runs:
        assert run("fine").code == 0
        assert run("abort").code == (6 if where == "child" else -signal.SIGABRT)
        for _ in range(2):
            refused(run("fine"), "in quarantine", "SIGABRT", "crashes.log --release")
        listed = call("crashes", "crashes.log", "--json").json["crashes"]
        assert [each["quarantined"] for each in listed if each["path"].endswith(path)] == [True]
        assert call("crashes", "crashes.log", "--release", path).code == 0
        assert run("fine").code == 0
    assert (call.folder / "crashes.log").stat().st_mode & 0o777 == 0o600


def _call(kind: str) -> tuple[Any, ...]:
    return ("call", "die.so", "die", kind, "--contract", FATAL, "--quarantine", "crashes.log")


def _htmlize() -> tuple[str, ...]:
    return ("--plugins", "plugins/role.so", "--quarantine", "crashes.log")


@dies
def test_an_applications_report_keeps_the_culprit_out(call: Command, htmlize: Command) -> None:
    """A process of its own with crash.enable dies; both commands refuse the file by digest, also as a copy."""
    code = (
        "import sys, loader, loader.crash\nloader.crash.enable('app.crashes')\n"
        "loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2])).die('read')\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, "die.so", str(FATAL)],
        cwd=call.folder,
        env=call.environment(),
        capture_output=True,
        check=False,
    )
    assert died.returncode == -signal.SIGSEGV, died.stderr
    shutil.copy(call.folder / "die.so", call.folder / "twin.so")
    (call.folder / "loader.toml").write_text('[policy]\nquarantine = "app.crashes"\n')
    for options in (("--quarantine", "app.crashes"), ("--policy", "loader.toml")):
        for path in ("die.so", "twin.so"):
            done = call("call", path, "echo", "x", "--contract", FATAL, *options)
            refused(done, f"{call.folder}/{path}: is in quarantine", "SIGSEGV in die", "app.crashes")
        assert htmlize("--plugins", "plugins/role.so", *options, stdin=DOCUMENT).code == 0
    assert call("verify", "die.so", "--quarantine", "app.crashes").code == 5
    shown = call("crashes", "app.crashes")
    assert "quarantined" in shown.text
    assert loader.read_image(call.folder / "die.so").digest in shown.text
    released = call("crashes", "app.crashes", "--release", loader.read_image(call.folder / "die.so").digest)
    assert "released" in released.text
    assert call("call", "die.so", "echo", "x", "--contract", FATAL, *options).text == "x"


def test_crashes_of_what_is_not_there(call: Command) -> None:
    """A report that is not there, a file that is not in it, a mistyped name: each says so."""
    missing = call("crashes", "none.log")
    assert (missing.code, missing.text) == (3, "")
    assert "there is no such report" in missing.err
    assert not (call.folder / "none.log").exists()
    (call.folder / "none.log").touch()
    none = call("crashes", "none.log")
    assert (none.code, none.text) == (0, "")
    assert "no crashes" in none.err
    wrong = call("crashes", "none.log", "--release", "die.so")
    assert wrong.code == 2
    assert "has no crash of die.so" in wrong.err
    assert (call.folder / "none.log").read_text() == ""
    gone = call("crashes", "none.log", "--release", "gone.so")
    assert gone.code == 3
    assert "SHA-256" in gone.err


@dies
def test_load_report_outlives_the_plugin(call: Command, build: Callable[..., Path]) -> None:
    """A constructor's crash is an error of the command, and in the report that --quarantine names."""
    path = build("fatal.c", "LOADING=illegal", name="loading", flags=["-Wno-infinite-recursion"])
    done = call("load-report", path, "--contract", FATAL, "--quarantine", "app.crashes")
    assert (done.code, done.text) == (6, "")
    assert "plugin loading crashed in dlopen (SIGILL" in done.err
    again = call("load-report", path, "--contract", FATAL, "--quarantine", "app.crashes")
    assert again.code == 5


@dies
def test_a_report_that_cannot_be_written(call: Command) -> None:
    """It is said before anything runs."""
    done = call("call", "die.so", "echo", "x", "--contract", FATAL, "--quarantine", "no/such/folder/log")
    assert done.code == 3
    assert "no/such/folder/log" in done.err
    assert done.out == b""
