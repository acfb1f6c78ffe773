"""`loader inspect`: what a file is, and whether it fits a contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from command import Command, one_line
from tree import PLUGINS

from loader.cli import main

if TYPE_CHECKING:
    import pytest

HEADER = str(PLUGINS / "cli_tool.h")


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
        "fingerprint": None,
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
