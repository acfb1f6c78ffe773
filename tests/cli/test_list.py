"""`loader list`: what there is, of which contract, and what fails."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from command import Command, one_line
from tree import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = str(PLUGINS / "cli_tool.h")


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
