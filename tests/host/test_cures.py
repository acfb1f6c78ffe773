"""loader/cures.py: what several stages say about misspelt words and files that cannot be read."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from loader.cures import did_you_mean, file_cure, from_here, near_file

if TYPE_CHECKING:
    import pytest

PLUGIN = (".so",)


def test_a_word_that_comes_near() -> None:
    """Capitals or not; nothing is no question."""
    assert did_you_mean("gret", ["greet", "leave"]) == "Did you mean greet?"
    assert did_you_mean("GREET", ["greet", "leave"]) == "Did you mean greet?"
    assert did_you_mean("frobnicate", ["greet"]) is None
    assert did_you_mean("greet", []) is None


def test_a_file_that_ends_alike_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before one whose name is nearer; of one name, that with the nearest ending."""
    monkeypatch.chdir(tmp_path)
    for name in ("gauge.h", "gauge.hpp", "gauge.c", "gauges.so", "gauge.txt"):
        (tmp_path / name).touch()
    assert near_file("gauge.so") == "gauges.so"
    assert near_file("gaug.h") == "gauge.h"
    assert near_file("gauge.hp") == "gauge.hpp"
    assert near_file("gauge.hp", endings=(".h", ".hpp")) == "gauge.hpp"
    assert near_file("gaug", endings=(".h", ".hpp")) == "gauge.h"


def test_a_file_that_comes_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same folder, or in a folder whose name is misspelt; endings are not what makes names alike."""
    (tmp_path / "plugins" / "deep").mkdir(parents=True)
    for name in ("hello.so", "hello.c", "plugins/other.so", "plugins/deep/x.so"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert near_file(f"{tmp_path}/helo.so", endings=PLUGIN) == "hello.so"
    assert near_file("helo.so", endings=PLUGIN) == "hello.so"
    assert near_file("hello", endings=PLUGIN) == "hello.so"
    assert near_file("helo.c", endings=PLUGIN) == "hello.c"
    assert near_file("nix.so", endings=PLUGIN) is None
    assert near_file(f"{tmp_path}/plugns/other.so") == f"{tmp_path}/plugins/other.so"
    assert near_file(f"{tmp_path}/plugns/deep/x.so") == f"{tmp_path}/plugins/deep/x.so"
    assert near_file(f"{tmp_path}/plugns/nothing.so") is None
    assert near_file("plugns") is None
    assert near_file("plugns", folders=True) == "plugins"
    assert near_file("") is None
    (tmp_path / "gone.so").symlink_to("nowhere")
    assert near_file("gone.so") is None
    assert near_file("gonne.so") is None


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The cure is that of the reason; only where nothing is there, what makes it."""

    def cure(number: int) -> str | None:
        return file_cure(f"{tmp_path}/x", OSError(number, os.strerror(number)), "Make it")

    assert cure(errno.ENOENT) == "Make it"
    assert cure(errno.EACCES) == "Let this user read it"
    assert cure(errno.EISDIR) == "It is a folder: name a file"
    assert cure(errno.EIO) is None


def test_without_a_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be gone: what is shown is the whole path, and no error comes of it."""
    monkeypatch.chdir(tmp_path)
    assert from_here(f"{tmp_path}/a") == "a"
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert from_here("/a/b") == "/a/b"
    assert near_file("x.so") is None
