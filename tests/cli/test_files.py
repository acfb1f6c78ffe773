"""loader/cli/files.py: files are written whole, through links, and never over what is somebody's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from loader.cli.files import WriteError, outdated, write_file
from loader.errors import LoaderError


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(each.name for each in folder.iterdir())


def test_a_link_stays_one_and_a_mode_stays(tmp_path: Path) -> None:
    """What it leads to is written; a new file has the mode that was asked for, one that was there its own."""
    target, link = tmp_path / "real", tmp_path / "link"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    write_file(str(link), "after\n", 0o666)
    assert link.is_symlink()
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("after\n", 0o640)
    mask = os.umask(0o027)
    try:
        write_file(str(tmp_path / "new"), "x", 0o666)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert names(tmp_path) == ["link", "new", "real"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    """A text that cannot be encoded, a folder in the place of the file, no folder, a file that must not be there."""
    target = tmp_path / "file"
    target.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_file(str(target), "\ud800", 0o666)
    with pytest.raises(WriteError, match="cannot be written"):
        write_file(str(target), "x", 0o666, exclusive=True)
    (tmp_path / "folder" / "in it").mkdir(parents=True)
    with pytest.raises(WriteError, match="cannot be written"):
        write_file(str(tmp_path / "folder"), "x", 0o666)
    with pytest.raises(WriteError, match="cannot be written"):
        write_file(str(tmp_path / "none" / "file"), "x", 0o666)
    assert target.read_text() == "before"
    assert names(tmp_path) == ["file", "folder"]


def test_somebodys_own_file(tmp_path: Path) -> None:
    """A file is outdated that is missing or has another text; one that was not generated is refused."""
    path = tmp_path / "made"

    def ours(content: bytes) -> bool:
        return content.startswith(b"made by")

    assert outdated(str(path), "made by us", ours)
    path.write_text("made by us")
    assert not outdated(str(path), "made by us", ours)
    assert outdated(str(path), "made by us, anew", ours)
    path.write_text("mine")
    with pytest.raises(LoaderError, match="was not generated, and is not overwritten"):
        outdated(str(path), "made by us", ours)
    with pytest.raises(WriteError, match="cannot be read"):
        outdated(str(tmp_path), "made by us", ours)
