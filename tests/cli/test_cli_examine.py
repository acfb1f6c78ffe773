"""`loader doctor` and `loader contract`, as processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import CORPUS, GREETER, ROOT

from loader.author.sdk import include_dir
from loader.htmlize import HTMLIZE

if TYPE_CHECKING:
    from command import Command


@pytest.fixture
def orphan(build: Callable[..., Path], tool: Callable[..., str], tmp_path: Path) -> Path:
    """A plugin that needs libgone.so, which is nowhere."""
    gone = tmp_path / "libgone.so"
    (tmp_path / "gone.c").write_text("int gone(void); int gone(void) { return 1; }\n")
    compiler = tool("cc", "gcc", "clang")
    subprocess.run([compiler, "-shared", "-fPIC", str(tmp_path / "gone.c"), "-o", str(gone)], check=True)
    plugin = build("hostile.c", name="orphan", flags=[f"-L{tmp_path}", "-Wl,--no-as-needed", "-lgone"])
    gone.unlink()
    return plugin


def test_doctor_finds_nothing_wrong_with_a_good_plugin(command: Command, hello: Path) -> None:
    """Exit code 0."""
    done = command("doctor", str(hello), "--contract", str(GREETER))
    assert done.code == 0
    assert "nothing stands in the way" in done.text


def test_doctor_names_a_missing_library_and_the_cure(command: Command, orphan: Path) -> None:
    """Without loading the file; exit code 1."""
    done = command("doctor", str(orphan), "--json")
    assert done.code == 1
    (file,) = json.loads(done.text)["files"]
    (finding,) = [each for each in file["findings"] if "libgone.so" in each["message"]]
    assert finding["fatal"]
    assert finding["cure"]


def test_doctor_goes_on_after_a_bad_file(command: Command, hello: Path, tmp_path: Path) -> None:
    """A text file is a finding; the next file is looked at too."""
    (tmp_path / "notes.so").write_text("not a library\n")
    done = command("doctor", "notes.so", str(hello))
    assert done.code == 1
    assert "fails  is a text file" in done.text
    assert "nothing stands in the way" in done.text


def test_doctor_tells_another_contract(command: Command, hello: Path) -> None:
    """With --contract the handshake is part of it."""
    done = command("doctor", str(hello), "--contract", "htmlize")
    assert done.code == 1
    assert "implements another contract" in done.text


def test_doctor_tells_a_second_go_runtime(command: Command, go_panics: Path, hello: Path) -> None:
    """Of the files that are named together; each alone has nothing in its way."""
    other = command.folder / "other.so"
    other.write_bytes(go_panics.read_bytes() + b"other")
    assert command("doctor", str(go_panics), str(hello)).code == 0
    assert command("doctor", str(other)).code == 0
    done = command("doctor", str(go_panics), str(hello), "other.so", "--json")
    assert done.code == 1
    first, plain, second = (file["findings"] for file in json.loads(done.text)["files"])
    assert first == plain == []
    assert second[0]["what"].startswith("would be the second Go runtime in one process")
    assert str(go_panics) in second[0]["found"]
    assert not second[0]["fatal"]


def test_doctor_lists_what_a_foreign_file_needs(command: Command) -> None:
    """It cannot be looked up here, and is said so."""
    corpus = CORPUS
    done = command("doctor", str(corpus / "pe64"), str(corpus / "macho64"))
    assert done.code == 1
    assert "found libbase.dll. Run loader doctor there" in done.text
    assert "/usr/lib/libSystem.B.dylib" in done.text


def test_doctor_of_nothing(command: Command) -> None:
    """A file that is not there: exit code 3."""
    assert command("doctor", "nowhere.so").code == 3


def test_contract_of_nothing(command: Command) -> None:
    """A header that is not there: exit code 3, whichever command wants it."""
    for words in (("contract", "nowhere.h"), ("call", "a", "echo", "--contract", "no/such/header.h")):
        done = command(*words)
        assert done.code == 3
        assert "this contract header does not exist" in done.err


def test_contract_shows_what_was_understood(command: Command) -> None:
    """Functions with their parameters, structs, services."""
    done = command("contract", "htmlize")
    assert done.code == 0
    assert "process_role(role: text, text: text, post: htmlize_post) -> text  (optional)" in done.text
    assert "service htmlize.posts/1" in done.text


def test_contract_shows_what_plugins_need_of_the_loader(command: Command) -> None:
    """A line, if the header says it; always in JSON."""
    soften = str(ROOT / "native_plugins" / "soften" / "soften.h")
    assert "needs loader ABI 1.3\n" in command("contract", soften).text
    assert command("contract", soften, "--json").json["needs"] == 3
    assert "needs loader" not in command("contract", "htmlize").text


def test_contract_as_json_is_what_the_package_ships(command: Command) -> None:
    """This is how contract.json is made."""
    done = command("contract", str(include_dir() / "htmlize" / "htmlize.h"), "--json")
    assert done.code == 0
    assert json.loads(done.text) == HTMLIZE.to_dict()


def test_contract_that_is_not_supported(command: Command, tmp_path: Path) -> None:
    """Refused with line and reason; exit code 2."""
    lines = ['#include "loader/plugin.h"', "LOADER_CONTRACT(x, 1, 0);", "int f(loader_call *call, double *d);"]
    (tmp_path / "x.h").write_text("\n".join(lines) + "\n")
    done = command("contract", "x.h")
    assert done.code == 2
    assert "line 3" in done.err
