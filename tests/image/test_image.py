"""loader.image: a file's bytes are read once; what is no shared library is refused by its name."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import pickle
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree import CORPUS

from loader.errors import ImageError, PluginNotFound
from loader.image import Machine, read_bytes, read_image, this_machine
from loader.image import read as reading

if TYPE_CHECKING:
    from collections.abc import Callable

ELF = (CORPUS / "elf64").read_bytes()
HERE = Machine(format="elf", system="linux", machine="x86_64", bits=64, endian="little")


def refused(path: Path | str) -> ImageError | PluginNotFound:
    """The error with which a file is refused."""
    with pytest.raises((ImageError, PluginNotFound)) as caught:
        read_image(path)
    return caught.value


# ---- what is read -----------------------------------------------------------------------------------------


def test_an_image_keeps_the_bytes_that_it_was_read_from(tmp_path: Path) -> None:
    """Digest and bytes are those of one reading; what happens to the file afterwards changes nothing."""
    path = tmp_path / "plugin.so"
    path.write_bytes(ELF)
    image = read_image(path)
    path.write_bytes(b"something else")
    assert image.data == ELF
    assert image.digest == hashlib.sha256(ELF).hexdigest()
    assert image.size == len(ELF)


def test_fstat_is_of_the_file_that_was_read(tmp_path: Path) -> None:
    """Later stages compare owner and mode of the very file, not of what its path leads to by then."""
    path = tmp_path / "plugin.so"
    path.write_bytes(ELF)
    image = read_image(path)
    path.rename(tmp_path / "other.so")
    path.write_bytes(ELF)
    assert image.file.steps[-1].stat.st_ino == (tmp_path / "other.so").stat().st_ino != path.stat().st_ino


def test_a_path_becomes_absolute_and_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Image.path stays right when the current folder changes."""
    (tmp_path / "plugin.so").write_bytes(ELF)
    (tmp_path / "link.so").symlink_to("plugin.so")
    monkeypatch.chdir(tmp_path)
    assert read_image("link.so").path == str(tmp_path / "link.so")


def test_an_image_is_a_frozen_value_that_pickles() -> None:
    """Images are compared, hashed, sent to other processes and never changed."""
    image = read_bytes(ELF, path="plugin.so")
    again = pickle.loads(pickle.dumps(image))
    assert again == image
    assert hash(again) == hash(image)
    assert again.data == image.data
    with pytest.raises(dataclasses.FrozenInstanceError):
        image.kind = "executable"  # type: ignore[misc]


def test_descriptors_are_closed_in_every_case(tmp_path: Path) -> None:
    """Reading leaves no descriptor open, whether it worked or not."""
    (tmp_path / "plugin.so").write_bytes(ELF)
    (tmp_path / "text.so").write_text("text")
    before = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []
    read_image(tmp_path / "plugin.so")
    for name in ("text.so", "absent.so", "."):
        refused(tmp_path / name)
    assert (sorted(os.listdir("/proc/self/fd")) if before else []) == before


def test_bytes_paths_are_a_type_error() -> None:
    """A path is text; bytes are a mistake of the caller, not of the file."""
    with pytest.raises(TypeError, match="fsdecode"):
        read_image(b"plugin.so")  # type: ignore[arg-type]


# ---- files that are none ----------------------------------------------------------------------------------


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    """It is a FileNotFoundError too, and names the path."""
    error = refused(tmp_path / "absent.so")
    assert isinstance(error, FileNotFoundError)
    assert str(tmp_path / "absent.so") in str(error)
    assert "does not exist" in str(error)


def test_a_link_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    """The link exists, so "does not exist" would send people the wrong way."""
    (tmp_path / "link.so").symlink_to("gone.so")
    error = refused(tmp_path / "link.so")
    assert isinstance(error, PluginNotFound)
    assert "leads nowhere" in str(error)


def test_a_folder_is_not_found_and_says_folder(tmp_path: Path) -> None:
    """A folder is no plugin; the cure is to look into it."""
    error = refused(tmp_path)
    assert isinstance(error, PluginNotFound)
    assert "is a folder" in str(error)
    assert "loader.discover" in str(error)


@pytest.mark.timeout(20)
def test_pipes_devices_and_sockets_are_refused_without_waiting(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to must not hang, and a device must not be read."""
    os.mkfifo(tmp_path / "pipe.so")
    assert "is a pipe" in str(refused(tmp_path / "pipe.so"))
    assert "is a character device" in str(refused("/dev/zero"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.so"))
        assert "is a socket" in str(refused(tmp_path / "socket.so"))


@pytest.mark.parametrize("path", ["plugin\0.so", "x" * 5000, "no/such/folder/plugin.so", ""])
def test_impossible_paths_are_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NUL in a path, names too long, folders that are missing, no name at all: never a raw OSError."""
    monkeypatch.chdir(tmp_path)
    assert isinstance(refused(path), PluginNotFound)


def test_a_file_that_may_not_be_read_says_so(unprivileged: Path) -> None:
    """Permissions are not absence."""
    path = unprivileged / "plugin.so"
    path.write_bytes(ELF)
    path.chmod(0)
    error = refused(path)
    assert isinstance(error, ImageError)
    assert "Permission denied" in str(error)
    assert "Let this user read it" in str(error)


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Its size is asked first: no memory is taken for it."""
    path = tmp_path / "plugin.so"
    with path.open("wb") as file:
        file.truncate(reading.MAX_SIZE + 1)
    assert "is too large" in str(refused(path))


@pytest.mark.parametrize(("change", "found"), [(100, "100 bytes"), (1_000_000, "1,000,000 bytes")])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: int, found: str
) -> None:
    """A half-copied plugin must not be taken for a whole one."""
    path = tmp_path / "plugin.so"
    path.write_bytes(ELF)
    real_read = os.read

    def read_and_change(descriptor: int, size: int) -> bytes:
        data = real_read(descriptor, size)
        os.truncate(path, change)
        return data

    monkeypatch.setattr(os, "read", read_and_change)
    error = refused(path)
    assert "changed while it was read" in str(error)
    assert found in str(error)


CONTENTS = {
    "is empty": b"",
    "only zeros": bytes(4096),
    "is a text file": "Grüße an alle\n".encode(),
    "text that begins with '#!/bin/sh'": b"#!/bin/sh\nexit 0\n",
    "is a gzip archive": gzip.compress(b"x"),
    "is a zip archive (or a wheel)": b"PK\x03\x04" + bytes(26),
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
    "is a static library": b"!<arch>\n/               0           0     0     0       4         `\n",
    "is a linker script": b"/* GNU ld script\n   Use the shared library */\nGROUP ( libc.so.6 )\n",
    "is a web page": b"<!DOCTYPE html><html><title>404</title>",
    "is a WebAssembly module": b"\0asm\x01\0\0\0",
    "is a Java class": b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(20),
    "a program for DOS": b"MZ" + bytes(100),
    "begins with the bytes 80 81 82 83": bytes(range(128, 256)) * 40,
}


@pytest.mark.parametrize("said", CONTENTS)
def test_a_file_of_another_kind_is_named(tmp_path: Path, said: str) -> None:
    """The message says what the file is, which is most of the cure."""
    path = tmp_path / "plugin.so"
    path.write_bytes(CONTENTS[said])
    error = refused(path)
    assert isinstance(error, ImageError)
    assert said in str(error)
    assert error.path == str(path)
    assert error.expected
    assert error.found


def test_a_python_file_is_named_as_one(tmp_path: Path) -> None:
    """The likeliest mistake of people who write Python."""
    path = tmp_path / "plugin.py"
    path.write_text("import loader\n")
    assert "is a Python file" in str(refused(path))


def test_an_object_file_says_how_to_link_it() -> None:
    """The compiler's .o is one step short of a plugin."""
    data = ELF[:16] + struct.pack("<H", 1) + ELF[18:]
    with pytest.raises(ImageError, match=r"an object file.*cc -shared"):
        read_bytes(data, path="plugin.o")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No other exception leaves, whatever the bytes, behind each of the magic numbers too."""
    for magic in (b"", b"\x7fELF\x02\x01\x01", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe\0\0\0\x01"):
        with pytest.raises(ImageError) as caught:
            read_bytes(magic + data, path="plugin.so")
        str(caught.value).encode()


# ---- where it runs ----------------------------------------------------------------------------------------


def test_this_machine_is_that_of_a_library_just_compiled(build: Callable[..., Path], tmp_path: Path) -> None:
    """What the compiler makes here can be loaded here."""
    (tmp_path / "empty.c").write_text("int answer(void);\nint answer(void) { return 42; }\n")
    image = read_image(build(tmp_path / "empty.c", flags=["-fvisibility=default"]))
    assert image.machine == this_machine()
    assert image.mismatch() is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"machine": "aarch64"}, "ELF for aarch64 linux, 64-bit"),
        ({"machine": "i386", "bits": 32}, "ELF for i386 linux, 32-bit"),
        ({"machine": "s390x", "endian": "big"}, "ELF for s390x linux, 64-bit, big-endian"),
        ({"format": "pe", "system": "windows"}, "PE for x86_64 windows, 64-bit"),
        ({"format": "mach-o", "system": "macos"}, "Mach-O for x86_64 macos, 64-bit"),
        ({"system": "freebsd"}, "ELF for x86_64 freebsd, 64-bit"),
    ],
)
def test_a_foreign_file_is_a_mismatch_that_says_what_it_is(
    changes: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Format, system, CPU, pointer size and byte order each count."""
    monkeypatch.setattr("loader.image.image.this_machine", lambda: HERE)
    image = read_bytes(ELF, path="plugin.so")
    assert image.mismatch() is None
    foreign = dataclasses.replace(image, machine=dataclasses.replace(image.machine, **changes))
    assert foreign.mismatch() == said


def test_executables_and_nodlopen_libraries_are_mismatches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dynamic linker refuses both, with texts that say less."""
    monkeypatch.setattr("loader.image.image.this_machine", lambda: HERE)
    image = read_bytes(ELF, path="plugin.so")
    assert "an executable" in str(dataclasses.replace(image, kind="executable").mismatch())
    assert "nodlopen" in str(dataclasses.replace(image, no_dlopen=True).mismatch())


@pytest.mark.parametrize(
    ("platform", "machine", "maxsize", "expected"),
    [
        ("linux", "x86_64", 2**63 - 1, "ELF for x86_64 linux, 64-bit"),
        ("linux", "x86_64", 2**31 - 1, "ELF for i386 linux, 32-bit"),
        ("linux", "armv7l", 2**31 - 1, "ELF for arm linux, 32-bit"),
        ("linux", "aarch64", 2**31 - 1, "ELF for arm linux, 32-bit"),
        ("darwin", "arm64", 2**63 - 1, "Mach-O for aarch64 macos, 64-bit"),
        ("freebsd14", "amd64", 2**63 - 1, "ELF for x86_64 freebsd, 64-bit"),
    ],
)
def test_this_machine_knows_the_names_that_systems_give(
    monkeypatch: pytest.MonkeyPatch, platform: str, machine: str, maxsize: int, expected: str
) -> None:
    """The system names its kernel's CPU, in its own spelling; the process may be narrower."""
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("sys.maxsize", maxsize)
    monkeypatch.setattr("sys.byteorder", "little")
    monkeypatch.setattr("os.uname", lambda: os.uname_result((platform, "host", "1", "1", machine)))
    assert str(this_machine.__wrapped__()) == expected


def test_importing_the_reader_stays_cheap(run_python: Callable[..., object]) -> None:
    """Readers of other systems' formats are imported when such a file is met, not before."""
    run_python(
        "import sys, loader.image\n"
        "assert not {'loader.image.pe', 'loader.image.macho', 'argparse'} & set(sys.modules)\n"
    )
