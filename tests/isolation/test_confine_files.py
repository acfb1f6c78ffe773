"""Which files a confined process may read, write and map: those that are named, by whatever other name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from confining import PARTS, Confined, give

#: What is not let through for want of files, and what root alone could do.
NEITHER = PARTS["landlock"] | PARTS["seccomp"] | PARTS["network"]


@pytest.fixture
def plant(confined: Confined) -> Callable[[], Path]:
    """Makes a new tree each time: a folder to read, one to write, one of neither, and links between them."""

    def make() -> Path:
        top = confined.folder / "tree"
        shutil.rmtree(top, ignore_errors=True)
        for folder in ("open/inner", "open2", "out/inner", "secret"):
            (top / folder).mkdir(parents=True)
        for name in ("open/file", "open/inner/deep", "open2/file", "out/old", "out/other", "secret/hidden", "single"):
            (top / name).write_text(f"this is {name}")
        (top / "open/link").symlink_to("../secret/hidden")
        (top / "open/folder").symlink_to("../secret")
        (top / "out/link").symlink_to("../secret/hidden")
        (top / "out/folder").symlink_to("../secret")
        (top / "to_open").symlink_to("open")
        give(top, confined.user)
        return top

    return make


def options(top: Path) -> list[str]:
    """`open` and `single` may be read, `out` may be written."""
    return ["--read", f"{top}/open", "--read", f"{top}/single", "--write", f"{top}/out"]


READABLE = [
    "open/file",
    "open/inner/deep",
    "open/../open/file",
    "open/inner/../file",
    "to_open/file",
    "single",
    "out/old",
    "out/../open/file",
]
HIDDEN = [
    "secret/hidden",
    "open/link",
    "open/folder/hidden",
    "open/../secret/hidden",
    "open2/file",
    "out/link",
    "out/folder/hidden",
    "to_open/../secret/hidden",
]


def test_reading(confined: Confined, plant: Callable[[], Path]) -> None:
    """What is named and all below, and nothing else: not through links, `..`, /proc, or a name that begins alike."""
    top = plant()
    readable = [f"read_file:{top}/{name}" for name in READABLE]
    readable += [f"read_file:/proc/self/root{top}/open/file", f"read_file:/proc/self/cwd{top}/open/file"]
    readable += [f"list_folder:{top}/open", f"list_folder:{top}/open/inner", f"list_folder:{top}/out"]
    hidden = [f"read_file:{top}/{name}" for name in HIDDEN]
    hidden += [f"read_file:/proc/{each}{top}/secret/hidden" for each in ("self/root", "self/cwd", "thread-self/root")]
    hidden += [f"reopen_path:{top}/secret/hidden", f"reopen_path:{top}/open/link", "read_passwd", "through_folder"]
    hidden += [f"list_folder:{top}/secret", f"list_folder:{top}", f"list_folder:{top}/open/folder", "list_folder"]
    outcome = confined.run(*options(top), acts=readable + hidden)
    assert outcome.done() == set(readable)
    assert all(set(places.values()) == {1} for name, places in outcome.acts.items() if name in readable)
    # Each of them can be read where nothing holds: so it is not their modes.
    assert confined.run(*options(top), acts=readable + hidden, without=NEITHER).done() == set(readable + hidden)


def changes(top: Path) -> list[str]:
    """Acts that would change what may only be read, or not even that, or leave a trap for who reads `out` later."""
    return [
        f"write_file:{top}/open/file",
        f"append_file:{top}/open/inner/deep",
        f"write_file:{top}/single",
        f"write_file:{top}/secret/hidden",
        f"write_file:{top}/out/link",
        f"write_file:{top}/out/folder/hidden",
        f"reopen_for_writing:{top}/open/file",
        f"set_mode_open:{top}/open/file",
        f"set_mode:{top}/out/old",
        f"set_owner:{top}/out/old",
        f"set_times:{top}/open/file",
        f"make_file:{top}/open/new",
        f"make_file:{top}/out/folder/new",
        f"make_file:{top}/out/../new",
        f"make_folder:{top}/open/new_folder",
        f"hard_link:{top}/open/file>{top}/out/linked",
        f"hard_link:{top}/secret/hidden>{top}/out/linked2",
        f"hard_link:{top}/out/old>{top}/open/linked",
        f"soft_link:{top}/secret/hidden>{top}/out/linked3",
        f"make_fifo:{top}/out/fifo",
        f"make_setuid:{top}/out/setuid",
        f"rename_file:{top}/secret/hidden>{top}/out/moved",
        f"rename_file:{top}/open/file>{top}/out/moved2",
        f"rename_file:{top}/out/old>{top}/secret/moved",
        f"remove_file:{top}/open/inner/deep",
        f"truncate_file:{top}/single",
        f"empty_file:{top}/single",
    ]


def contents(top: Path) -> dict[str, str]:
    """All files, by name."""
    found = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(top)): path.read_text() for path in found}


def test_writing(confined: Confined, plant: Callable[[], Path]) -> None:
    """Only below what is named; no links, FIFOs or setuid files there, no modes, owners or times anywhere."""
    top = plant()
    before = contents(top)
    refused = changes(top)
    outcome = confined.run(*options(top), load=refused, acts=refused)
    assert not outcome.done()
    assert contents(top) == before
    assert sorted(os.listdir(top / "out")) == ["folder", "inner", "link", "old", "other"]


def test_no_traps_without_seccomp(confined: Confined, plant: Callable[[], Path]) -> None:
    """Landlock alone refuses links, FIFOs and devices in a folder that may be written."""
    top = plant()
    acts = [
        act for act in changes(top) if act.startswith(("soft_link", "make_fifo", "hard_link", "rename", "remove"))
    ]
    outcome = confined.run(*options(top), load=acts, without=PARTS["seccomp"] | PARTS["network"])
    assert not outcome.done()


def test_what_is_refused_could_be_done(confined: Confined, plant: Callable[[], Path]) -> None:
    """Without Landlock and seccomp, all of that succeeds: so the test above can fail."""
    top = plant()
    acts = changes(top)
    outcome = confined.run(*options(top), load=acts, without=NEITHER)
    assert outcome.done() == set(acts)


@pytest.mark.parametrize("abi", range(1, 8))
def test_older_kernels(confined: Confined, plant: Callable[[], Path], abi: int) -> None:
    """With each version of Landlock: what may be done can be, but for what that version cannot tell apart."""
    if confined.run().report["landlock_abi"] < abi:
        pytest.skip("this kernel is older")
    top = plant()
    out = f"{top}/out"
    allowed = [
        f"read_file:{top}/open/file",
        f"make_file:{out}/new",
        f"append_file:{out}/old",
        f"remove_file:{out}/new",
    ]
    allowed += [f"rename_file:{out}/other>{out}/renamed"]
    refused = changes(top)
    across, emptying = (
        f"hard_link:{out}/old>{out}/inner/linked",
        [f"truncate_file:{out}/old", f"empty_file:{out}/old"],
    )
    allowed += [across] if abi >= 2 else []
    allowed += emptying if abi >= 3 else []
    refused += [across] if abi < 2 else []
    refused += emptying if abi < 3 else []
    outcome = confined.run(*options(top), "--abi", str(abi), load=[*refused, *allowed])
    assert outcome.report["landlock_abi"] == abi
    assert not outcome.report["missing"]
    assert outcome.done() == set(allowed)


def test_what_may_be_written(confined: Confined, plant: Callable[[], Path]) -> None:
    """Below a folder that is named: files and folders are made, changed, renamed, linked, emptied and removed."""
    top = plant()
    out = f"{top}/out"
    acts = [
        f"make_file:{out}/new",
        f"make_folder:{out}/new_folder",
        f"append_file:{out}/old",
        f"lock_file:{out}/old",
        f"hard_link:{out}/old>{out}/second",
        f"rename_file:{out}/second>{out}/inner/third",
        f"truncate_file:{out}/old",
        f"empty_file:{out}/other",
        f"remove_file:{out}/other",
        f"remove_folder:{out}/new_folder",
        f"make_file:{out}/../out/inner/again",
    ]
    outcome = confined.run(*options(top), load=acts, acts=[f"write_file:{out}/old"])
    assert outcome.done() == {*acts, f"write_file:{out}/old"}
    assert sorted(os.listdir(out)) == ["folder", "inner", "link", "new", "old"]
    assert sorted(os.listdir(f"{out}/inner")) == ["again", "third"]
    assert (top / "secret" / "hidden").read_text() == "this is secret/hidden"


def test_one_file_to_write(confined: Confined, plant: Callable[[], Path]) -> None:
    """A file that is named may be written, and none beside it made."""
    top = plant()
    allowed = [f"write_file:{top}/out/old", f"empty_file:{top}/out/old"]
    refused = [f"write_file:{top}/out/other", f"make_file:{top}/out/new", f"remove_file:{top}/out/old"]
    outcome = confined.run("--write", f"{top}/out/old", acts=allowed + refused)
    assert outcome.done() == set(allowed)


def test_a_path_that_is_not_there(confined: Confined) -> None:
    """It is told, and all holds: no right is given."""
    outcome = confined.run("--read", "/nowhere/at/all")
    assert outcome.report["why"] == {"landlock": "/nowhere/at/all: No such file or directory"}
    assert not outcome.report["missing"]


def test_libraries(confined: Confined) -> None:
    """Shared libraries open from the folders that are named for it, which are not listed; others do not."""
    library = next(path for path in Path("/usr/lib").rglob("libm.so.6"))
    here = confined.acts.with_name("runtime.so")
    acts = [f"open_library:{library}", "open_library:libm.so.6", f"open_library:{here}", "list_folder:/usr/lib"]
    outcome = confined.run(acts=acts)
    assert outcome.done() == {f"open_library:{library}", "open_library:libm.so.6"}
    assert f"open_library:{here}" in confined.run("--read", str(here), acts=acts).done()


def test_kept_memory_files(confined: Confined) -> None:
    """Shared memory that the host lends cannot be made larger, nor sealed against the host."""
    memory = os.memfd_create("lent", os.MFD_ALLOW_SEALING)
    os.set_inheritable(memory, True)
    acts = [f"grow_kept:{memory}", f"seal_kept:{memory}"]
    try:
        os.ftruncate(memory, 4096)
        outcome = confined.run("--size", str(1 << 20), acts=acts, keep=[memory])
        assert not outcome.done(), outcome.errors
        assert os.fstat(memory).st_size == 4096
        # With some growth allowed, no more than that.
        outcome = confined.run("--size", str(1 << 20), "--file-size", str(1 << 16), acts=acts[:1], keep=[memory])
        assert not outcome.done()
        outcome = confined.run("--size", str(1 << 15), "--file-size", str(1 << 16), acts=acts[:1], keep=[memory])
        assert outcome.done()
    finally:
        os.close(memory)
