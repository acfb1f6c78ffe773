"""loader/cli/trust.py: the commands keygen, sign, lock, verify and load-report, as processes."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Command
from tree import GREETER

if TYPE_CHECKING:
    from collections.abc import Callable


if not os.environ.get("CI"):
    pytest.importorskip("cryptography", reason="signatures need the extra [sign]")


@pytest.fixture
def command(tmp_path: Path, hello: Path) -> Command:
    """The command, in a folder with the Greeter's plugin."""
    tmp_path.chmod(0o755)
    shutil.copy(hello, tmp_path / "hello.so")
    (tmp_path / "hello.so").chmod(0o755)
    return Command("loader", tmp_path)


def test_from_key_to_verified_file(command: Command) -> None:
    """The whole way: make keys, sign, lock, verify; then a changed file is refused with exit code 5."""
    made = command("keygen", "--no-password", "--json").json
    assert (command.folder / "minisign.key").stat().st_mode & 0o777 == 0o600
    assert command("sign", "hello.so", "--version", "1.0").code == 0
    assert command("lock", "hello.so", "--version", "1.0", "--contract", GREETER).code == 0
    for key in ("minisign.pub", made["key"]):
        good = command("verify", "hello.so", "--key", key, "--lock", "loader.lock", "--permissions")
        assert (good.code, good.err) == (0, "")
        assert f"signed by {made['id']} as version 1.0" in good.text
    with (command.folder / "hello.so").open("ab") as file:
        file.write(b"x")
    for options in (["--key", "minisign.pub"], ["--lock", "loader.lock"], []):
        bad = command("verify", "hello.so", *options)
        assert bad.code == 5
        assert bad.err.startswith(f"loader: error: {command.folder}/hello.so: ")
        values = command("verify", "hello.so", *options, "--json").json
        assert values["failed"] == 1
        assert values["files"][0]["failure"]["error"] == "TrustError"


def test_password(command: Command) -> None:
    """A key with a password signs with it only."""
    (command.folder / "right").write_text("pass wörd\n")
    (command.folder / "wrong").write_text("password\n")
    assert command("keygen", "--password-file", "right").code == 0
    sign = ("sign", "hello.so", "--version", "1.0")
    assert command(*sign, "--password-file", "right").code == 0
    wrong = command(*sign, "--password-file", "wrong")
    assert wrong.code == 5
    assert "does not open with this password" in wrong.err
    asked = command(*sign)
    assert asked.code == 2
    assert "--password-file" in asked.err


def test_keygen_overwrites_nothing(command: Command) -> None:
    """A key that is there is kept."""
    assert command("keygen", "--no-password").code == 0
    before = (command.folder / "minisign.key").read_bytes()
    again = command("keygen", "--no-password")
    assert again.code == 1
    assert "is there already" in again.err
    assert (command.folder / "minisign.key").read_bytes() == before
    assert command("keygen").code == 1


def test_lock_adds(command: Command, build: Callable[..., Path]) -> None:
    """Locking one more file touches no other; a file that is no plugin of the contract is not locked."""
    command("lock", "hello.so")
    first = (command.folder / "loader.lock").read_text()
    shutil.copy(build("probe.c"), command.folder / "probe.so")
    assert command("lock", "probe.so", "--contract", GREETER).code == 4
    assert (command.folder / "loader.lock").read_text() == first
    assert command("lock", "probe.so", "--newer", "signed", "--version", "2").code == 0
    assert (command.folder / "loader.lock").read_text().startswith(first)
    assert command("lock", "hello.so", "probe.so", "--version", "2", "--json").json["locked"][1]["name"] == "probe"
    assert 'newer = "signed"' in (command.folder / "loader.lock").read_text()
    assert command("lock", "hello.so", "--version", "two").code == 2


def test_damaged_lock_is_not_overwritten(command: Command) -> None:
    """A lock file that is not understood is not replaced by a new one."""
    (command.folder / "loader.lock").write_text("format = 99\n")
    assert command("lock", "hello.so").code == 5
    assert (command.folder / "loader.lock").read_text() == "format = 99\n"


def test_nothing_to_check(command: Command) -> None:
    """Verifying against nothing is no success."""
    bare = command("verify", "hello.so")
    assert bare.code == 2
    assert "--lock, --key, --permissions, --quarantine or --policy" in bare.err


def test_policy_file(command: Command) -> None:
    """With --policy, verify checks what the application would; options can only add to it."""
    (command.folder / "loader.toml").write_text("[policy]\npermissions = true\n[policy.folders.sub]\n")
    assert command("verify", "hello.so", "--policy", "loader.toml").code == 0
    (command.folder / "hello.so").chmod(0o777)
    assert command("verify", "hello.so", "--policy", "loader.toml").code == 5
    (command.folder / "sub").mkdir()
    shutil.copy(command.folder / "hello.so", command.folder / "sub")
    uncovered = command("verify", "sub/hello.so", "--policy", "loader.toml")
    assert uncovered.code == 5
    assert "is not covered by the policy" in uncovered.err


def test_comment_for_minisign(command: Command) -> None:
    """--show-comment prints what minisign is to sign, and needs no key."""
    shown = command("sign", "hello.so", "--version", "1.0", "--show-comment")
    assert shown.code == 0
    assert shown.text.startswith("name:hello\tversion:1.0\tplatform:")
    assert not (command.folder / "hello.so.minisig").exists()


@pytest.mark.parametrize("name", ["sign", "lock", "verify", "load-report"])
def test_too_few_words(command: Command, name: str) -> None:
    """Usage is one line that says which words are wanted."""
    done = command(name)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"usage: loader {name} FILE " in done.err or "are required" in done.err


@pytest.mark.parametrize("words", [("inspect", ""), ("list", ""), ("lock", "hello.so", ""), ("doctor", "--", "")])
def test_empty_paths(command: Command, words: tuple[str, ...]) -> None:
    """What an unset variable of a shell leaves is no path, and not the current folder."""
    done = command(*words)
    assert done.code == 2
    assert "a path is empty" in done.err


def test_load_report(command: Command) -> None:
    """load-report shows each stage with its time, and ends with the exit code of the stage that refused."""
    good = command("load-report", "hello.so", "--contract", GREETER)
    assert good.code == 0
    assert [line.split()[0] for line in good.text.splitlines()[1:]] == [
        "image",
        "handshake",
        "trust",
        "library",
        "plugin",
    ]
    command("keygen", "--no-password")
    refused = command("load-report", "hello.so", "--contract", GREETER, "--key", "minisign.pub", "--json")
    assert refused.code == 5
    assert refused.json["loaded"] is False
    assert refused.json["what"] == "is not signed"
    assert [stage["stage"] for stage in refused.json["stages"]] == ["image", "handshake", "trust"]


def test_several_files(command: Command) -> None:
    """One bad file does not stop the others; the exit code is that of the first failure."""
    command("lock", "hello.so")
    several = command("verify", "missing.so", "hello.so", "--json")
    assert several.code == 3
    assert [each["holds"] for each in several.json["files"]] == [False, True]


@pytest.mark.parametrize("lock", ["loader.lock", "other.lock", "of mine/loader.lock"])
def test_the_cure_of_a_changed_file_works(command: Command, lock: str) -> None:
    """The command in the message, run as it stands, locks the file in the lock file that was asked for."""
    (command.folder / lock).parent.mkdir(exist_ok=True)
    plugin = command.folder / "hello.so"

    def mended(begin: str) -> None:
        refused = command("verify", plugin.name, "--lock", lock, "--json")
        assert refused.code == 5
        cure = refused.json["files"][0]["failure"]["cure"]
        assert cure.startswith(begin)
        program, *words = shlex.split(cure.removeprefix(begin).replace("FILES", plugin.name))
        assert program == "loader"
        assert command(*words).code == 0
        assert command("verify", plugin.name, "--lock", lock).code == 0

    mended("Make it: ")
    plugin.write_bytes(plugin.read_bytes() + b"changed")
    mended("If you changed it on purpose: ")
    plugin = plugin.rename(command.folder / "renamed.so")
    mended("If you know where it is from: ")


def test_a_lock_file_that_is_there_and_cannot_be_read(command: Command) -> None:
    """Nobody is told to make it."""
    (command.folder / "folder").mkdir()
    (command.folder / "circle").symlink_to("circle")
    for name, cure in (("folder", "It is a folder: name a file"), ("circle", "lead in a circle")):
        done = command("verify", "hello.so", "--lock", name)
        assert done.code == 5
        assert cure in done.err
        assert "Make it" not in done.err
