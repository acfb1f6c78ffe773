"""Bad input of every kind, from the file's name to what its code does: typed errors with a helpful text."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER

import loader
from loader.errors import ImageError, PluginError, PluginNotFound

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]


# ---- What is not a plugin file -----------------------------------------------------------------------------


def refused(path: Path | str, greeter: loader.Contract) -> loader.LoaderError:
    """The error of loading a file; it names the file and what was expected or found."""
    with pytest.raises(loader.LoaderError) as caught:
        loader.load(path, contract=greeter)
    error = caught.value
    assert error.path is not None
    assert str(error).startswith(f"{error.path}: ")
    assert error.expected or error.found
    return error


def test_missing_file(greeter: loader.Contract, tmp_path: Path) -> None:
    """A file that is not there."""
    error = refused(tmp_path / "typo.so", greeter)
    assert type(error) is PluginNotFound
    assert isinstance(error, FileNotFoundError)
    assert error.exit_code == 3
    assert "does not exist" in str(error)
    assert error.cure is not None


def test_missing_folder(greeter: loader.Contract, tmp_path: Path) -> None:
    """A file in a folder that is not there, and one below a file."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "typo.so", tmp_path / "file" / "typo.so", tmp_path / ("x" * 300)):
        assert type(refused(path, greeter)) is PluginNotFound


def test_impossible_path(greeter: loader.Contract) -> None:
    """A path with a NUL character."""
    assert type(refused("a\0b.so", greeter)) is PluginNotFound


def test_dangling_link(greeter: loader.Contract, tmp_path: Path) -> None:
    """A symbolic link that leads nowhere, and one that leads to itself."""
    (tmp_path / "dangling.so").symlink_to(tmp_path / "nowhere.so")
    (tmp_path / "loop.so").symlink_to(tmp_path / "loop.so")
    for name in ("dangling.so", "loop.so"):
        error = refused(tmp_path / name, greeter)
        assert type(error) is PluginNotFound
        assert "leads nowhere" in str(error)


def test_folder(greeter: loader.Contract, tmp_path: Path) -> None:
    """A folder: the cure names what takes one."""
    error = refused(tmp_path, greeter)
    assert type(error) is PluginNotFound
    assert "is a folder" in str(error)
    assert "loader.discover" in str(error)


def test_pipe(greeter: loader.Contract, tmp_path: Path) -> None:
    """A named pipe without a writer: refused at once, not waited for."""
    os.mkfifo(tmp_path / "pipe.so")
    error = refused(tmp_path / "pipe.so", greeter)
    assert type(error) is PluginNotFound
    assert "is a pipe" in str(error)


def test_socket_and_device(greeter: loader.Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket and a device are not read from."""
    monkeypatch.chdir(tmp_path)  # a socket's path may have some hundred characters only
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.so")
        assert "is a socket" in str(refused("socket.so", greeter))
    assert "is a character device" in str(refused("/dev/zero", greeter))


def test_empty_file(greeter: loader.Contract, tmp_path: Path) -> None:
    """An empty file."""
    (tmp_path / "empty.so").write_bytes(b"")
    error = refused(tmp_path / "empty.so", greeter)
    assert type(error) is ImageError
    assert error.exit_code == 4
    assert "is empty" in str(error)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("int main(void) { return 0; }\n", "is a text file"),
        ("#!/bin/sh\necho hello\n", "is a script"),
        ("\u65e5\u672c", "is a text file"),
        ("/* GNU ld script\n*/\nGROUP ( libc.so.6 )", "is a linker script"),
    ],
)
def test_text_file(greeter: loader.Contract, tmp_path: Path, content: str, text: str) -> None:
    """A text file: the message shows how it begins."""
    (tmp_path / "text.so").write_text(content)
    error = refused(tmp_path / "text.so", greeter)
    assert type(error) is ImageError
    assert text in str(error)


@pytest.mark.parametrize(
    "content", [b"\x7fELF", b"\x7fELF" + b"\0" * 60, b"\x7fELF\x02\x01\x01" + b"\xff" * 200, b"\0" * 5000]
)
def test_damaged_file(greeter: loader.Contract, tmp_path: Path, content: bytes) -> None:
    """A file that begins like a library and goes on like none."""
    (tmp_path / "damaged.so").write_bytes(content)
    assert type(refused(tmp_path / "damaged.so", greeter)) is ImageError


def test_unreadable_file(greeter: loader.Contract, unprivileged: Path) -> None:
    """A file that this user may not read."""
    path = unprivileged / "secret.so"
    path.write_bytes(b"\x7fELF")
    path.chmod(0)
    error = refused(path, greeter)
    assert type(error) is ImageError
    assert "Permission denied" in str(error)
    assert error.cure == "Let this user read it"


# ---- What a plugin's code does -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "what", "message", "status"),
    [
        ("fails_with_text", "failed in greet: I do not know Ann", "I do not know Ann", 1),
        ("fails_without_text", "failed in greet", "", 1),
        ("returns_unknown_status", "returned the unknown status 77 in greet", "", 77),
        ("returns_negative_status", "returned the unknown status -1 in greet", "", -1),
        (
            "writes_invalid_utf8",
            "failed in greet: wrote invalid UTF-8 at byte 18 of its answer",
            "wrote invalid UTF-8 at byte 18 of its answer",
            1,
        ),
        ("fails_in_invalid_utf8", "failed in greet: caf\ufffd is shut", "caf\ufffd is shut", 1),
        ("fails_with_null", "failed in greet", "", 1),
        ("fails_with_ok", "failed in greet: all is well", "all is well", 1),
        ("asks_for_everything", None, None, 2),
        ("moves_next_backwards", None, "it moved its output outside of its room", 1),
    ],
)
def test_plugin_that_fails(
    build: Build, greeter: loader.Contract, way: str, what: str | None, message: str | None, status: int
) -> None:
    """Whatever a plugin returns, writes or says, the error is typed and has its words."""
    plugin = loader.load(build("hostile.c", f"GREET={way}"), contract=greeter)
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            plugin.greet("Ann")
        error = caught.value
        assert error.status == status
        assert message is None or error.message == message
        assert what is None or error.what == f"plugin hostile {what}"
        assert (error.path, error.plugin, error.function, error.exit_code) == (
            plugin.path,
            "hostile",
            "greet",
            6,
        )


def test_plugin_that_writes_nothing(build: Build, greeter: loader.Contract) -> None:
    """No output is an empty answer."""
    assert loader.load(build("hostile.c", "GREET=writes_nothing"), contract=greeter).greet("Ann") == ""


def test_error_text_of_a_megabyte(build: Build, greeter: loader.Contract) -> None:
    """A long error text is kept up to 64 KiB, and cut between characters."""
    plugin = loader.load(build("hostile.c", "GREET=fails_at_length"), contract=greeter)
    with pytest.raises(PluginError) as caught:
        plugin.greet("Ann")
    message = caught.value.message
    assert message.strip("\u00e9\ufffd") == ""
    assert 65534 <= len(message.replace("\ufffd", "?").encode()) <= 65536
    assert message.endswith("\u00e9")


@pytest.fixture
def memory() -> None:
    """Skips where there is too little memory for an answer of a gibibyte."""
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    if available < 6 << 20:
        pytest.skip("less than 6 GiB of memory are free")


@pytest.mark.slow
@pytest.mark.usefixtures("memory")
def test_plugin_that_writes_a_gibibyte(build: Build, greeter: loader.Contract) -> None:
    """An answer of 1 GiB arrives whole where nothing limits it."""
    plugin = loader.load(build("hostile.c", "GREET=writes_a_gibibyte"), contract=greeter)
    answer = plugin.greet("Ann")
    assert len(answer) == 1 << 30
    assert answer.count("x") == 1 << 30


def test_plugin_that_writes_more_than_it_may(build: Build, greeter: loader.Contract) -> None:
    """With max_output an answer of 1 GiB is an error, and takes no such memory."""
    plugin = loader.Host(greeter, max_output=1 << 20).load(build("hostile.c", "GREET=writes_a_gibibyte"))
    with pytest.raises(PluginError, match="its output is longer than the host allows") as caught:
        plugin.greet("Ann")
    assert caught.value.status == 2


@pytest.mark.in_process("memory that this process may have")
@pytest.mark.skipif("LOADER_SANITIZE" in os.environ, reason="a sanitizer takes more address space than there is")
@pytest.mark.usefixtures("memory_limit")
def test_plugin_that_uses_up_memory(run_python: Run, build: Build) -> None:
    """Where memory is short, an answer that does not fit is an error, and the process goes on."""
    done = run_python(
        """
import resource, sys, loader
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
size = 400 << 20
resource.setrlimit(resource.RLIMIT_AS, (size, size))
for _ in range(3):
    try:
        plugin.greet("Ann")
    except loader.PluginError as error:
        print(error.status)
print(loader.load(sys.argv[3], contract=plugin.contract).greet("you"))
""",
        build("hostile.c", "GREET=writes_a_gibibyte"),
        GREETER,
        build("hostile.c", "BUILD=600"),
    )
    assert done.stdout == "2\n2\n2\nHello, you!\n"


# ---- What must not cross the edge --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("throw", "status", "message"),
    [
        ('std::runtime_error("lost my head")', 7, "lost my head"),
        ('std::out_of_range("too far")', 7, "too far"),
        ('loader::Error("no such name")', 1, "no such name"),
        ('loader::Error("not acceptable", LOADER_INVALID)', 3, "not acceptable"),
        ("loader::Error(std::string(2000, 'x'))", 1, "x" * 2000),
        ("std::bad_alloc()", 2, "std::bad_alloc"),
        ("Unknown()", 7, "what was thrown is not a std::exception"),
        ("42", 7, "what was thrown is not a std::exception"),
        ("loader::Passed(LOADER_INVALID)", 3, ""),
    ],
)
def test_cpp_exception(build: Build, greeter: loader.Contract, throw: str, status: int, message: str) -> None:
    """An exception of C++ becomes an error with its text; half an answer is thrown away; all goes on."""
    plugin = loader.load(build("hostile.cpp", f"THROW={throw}"), contract=greeter)
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            plugin.greet("Ann")
        assert (caught.value.status, caught.value.message) == (status, message)
        assert (f"threw an exception in greet: {message}" in str(caught.value)) == (status == 7)
        assert "panic" not in str(caught.value)
        assert plugin.greet("") == "half of a greeting for "


def test_rust_panic(
    rust_panics: Path,
    greeter: loader.Contract,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A panic of Rust becomes an error with its text and place, prints nothing, and the plugin goes on."""
    monkeypatch.delenv("RUST_BACKTRACE", raising=False)  # which asks for the printing
    plugin = loader.load(rust_panics, contract=greeter)
    for _ in range(2):
        with pytest.raises(
            PluginError, match=r"panicked in greet: lost my head over panic \(src/lib\.rs:\d+"
        ) as caught:
            plugin.greet("panic")
        assert caught.value.status == 6
        with pytest.raises(PluginError, match="index out of bounds") as caught:
            plugin.greet("index")
        assert caught.value.status == 6
        with pytest.raises(PluginError, match="an ordinary error") as caught:
            plugin.greet("error")
        assert caught.value.status == 1
        assert plugin.greet("Ann") == "half of a greeting for Ann"
    assert capfd.readouterr().err == ""


def test_go_panic(run_python: Run, go_panics: Path) -> None:
    """A panic of Go becomes an error with its text and place, and the plugin goes on."""
    done = run_python(
        """
import sys, loader
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
for name in ("panic", "nil", "error") * 2:
    try:
        plugin.greet(name)
    except loader.PluginError as error:
        print(error.status, error.message)
print(plugin.greet("Ann"))
""",
        go_panics,
        GREETER,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == lines[3]
    assert lines[0].startswith("6 lost my head over panic (main.go:")
    assert lines[1] == lines[4]
    assert lines[1].startswith("6 assignment to entry in nil map (main.go:")
    assert lines[2] == lines[5] == "1 an ordinary error"
    assert lines[6] == "half of a greeting for Ann"
    assert done.stderr == ""
