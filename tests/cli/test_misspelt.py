"""What is misspelt on a command line is named, with what comes near."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import Command, one_line
from tree import GREETER, PLUGINS

TOOL = str(PLUGINS / "cli_tool.h")

CASES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "command": (("lst",), 2, "there is no command lst; expected one of: list, "),
    "command, asked": (("inspct", "tool.so"), 2, "Did you mean inspect?"),
    "a file for a command": (("tool.so",), 2, "A command comes first: loader inspect tool.so"),
    "option before the command": (("--strict", "list"), 2, "Options come after the command: loader list --strict"),
    "--version": (("--verson",), 2, "there is no option --verson before a command. Did you mean --version?"),
    "required option": (
        ("call", "tool.so", "echo", "x", "--contrct", TOOL),
        2,
        "there is no option --contrct. Did you mean --contract? See loader call --help",
    ),
    "required option, one dash": (("call", "tool.so", "echo", "x", "-contract", TOOL), 2, "Did you mean --contract?"),
    "required option, =": (("call", "tool.so", "echo", "x", f"--contract_={TOOL}"), 2, "Did you mean --contract?"),
    "required option, capital": (("call", "tool.so", "echo", "x", "--Contract", TOOL), 2, "Did you mean --contract?"),
    "other option beside it": (
        ("call", "tool.so", "echo", "x", "--contract", TOOL, "--deadlin", "3"),
        2,
        "there is no option --deadlin. Did you mean --deadline?",
    ),
    "option of sign": (("sign", "tool.so", "--versoin", "1"), 2, "Did you mean --version?"),
    "option of lock": (("lock", "tool.so", "--nwer", "signed"), 2, "Did you mean --newer?"),
    "what is no option": (("call", "tool.so", "echo", "-qqq", "--contract", TOOL), 2, "comes after --"),
    "contract": (("contract", "htmlise"), 2, "there is no contract htmlise; expected the path of a C header, or one"),
    "contract, asked": (("contract", "htmlise"), 2, "Did you mean htmlize?"),
    "contract of a call": (("call", "tool.so", "echo", "--contract", "htmlise"), 2, "Did you mean htmlize?"),
    "header": (("contract", "greter.h"), 3, "Did you mean greeter.h?"),
    "header without .h": (("contract", "greeter"), 2, "Did you mean greeter.h?"),
    "file": (("call", "tol.so", "echo", "x", "--contract", TOOL), 3, "Did you mean tool.so?"),
    "file without .so": (("inspect", "tool"), 3, "Did you mean tool.so?"),
    "file with lib": (("inspect", "libtool.so"), 3, "Did you mean tool.so?"),
    "file, doctor": (("doctor", "tol.so"), 3, "Did you mean tool.so?"),
    "file, list": (("list", "tol.so"), 1, "Did you mean tool.so?"),
    "folder, list": (("list", "plugns"), 1, "Did you mean plugins?"),
    "folder of a file": (("inspect", "plugns/inner.so"), 3, "plugins/inner.so?"),
    "function": (("call", "tool.so", "ehco", "x", "--contract", TOOL), 2, "Did you mean echo?"),
    "lock file": (("verify", "tool.so", "--lock", "loder.lock"), 5, "Did you mean loader.lock?"),
    "policy": (("verify", "tool.so", "--policy", "policy.tml"), 5, "Did you mean policy.toml?"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_comes_near_is_named(command: Command, tool_so: Path, case: str) -> None:
    """With the exit code that a misspelt word always had, in one line, and in JSON as the cure."""
    words, code, said = CASES[case]
    shutil.copy(tool_so, command.folder / "tool.so")
    shutil.copy(GREETER, command.folder / "greeter.h")
    (command.folder / "plugins").mkdir()
    shutil.copy(tool_so, command.folder / "plugins" / "inner.so")
    (command.folder / "policy.toml").write_text("[policy]\npermissions = true\n")
    assert command("lock", "tool.so").code == 0
    done = command(*words)
    assert done.code == code
    assert said in done.text + done.err
    if done.err:
        one_line(done.err)


def test_a_required_option_that_is_not_there_is_still_told(command: Command) -> None:
    """Where nothing is misspelt."""
    done = command("call", "tool.so", "echo", "x")
    assert done.code == 2
    assert "the following arguments are required: --contract" in done.err


def test_nothing_near_is_not_guessed(command: Command) -> None:
    """Other words get no question."""
    for words in (("frobnicate",), ("inspect", "nowhere.so"), ("contract", "nothing_of_the_kind")):
        assert "Did you mean" not in command(*words).err


def test_htmlize_too(tmp_path: Path) -> None:
    """The applications' commands share it."""
    done = Command("loader.htmlize.cli", tmp_path)("--pluggins", "x")
    assert done.code == 2
    assert "there is no option --pluggins. Did you mean --plugins?" in done.err


def test_fields_of_a_struct(command: Command, plugins: Path) -> None:
    """A field's name, as a word and in JSON."""
    words = ("call", plugins / "role.so", "process_role", "r", "t")
    assert "did you mean author?" in command(*words, "autor=Joe", "--contract", "htmlize").err
    assert "Did you mean author?" in command(*words, '{"autor": "Joe"}', "--contract", "htmlize").err
