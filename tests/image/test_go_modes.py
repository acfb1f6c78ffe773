"""Go's build modes, as files show them: what only a program in Go can start is refused before any of it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command
from tree import GREETER

import loader
from loader.errors import HandshakeError, LibraryError
from loader.image.read import read_bytes

GoGreeter = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]
HEADER = str(GREETER)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Go's plugins as ELF files")

STRIPPED = "-s -w -buildid="
#: Exports nothing but what the contract asks for.
MAP = "{ global: greet; greeter_abi_*; loader_abi_*; local: *; };"
#: A library that opens Go's plugins itself, and so takes part in their checks. It is a c-shared like others.
OPENS_PLUGINS = """package main

import goplugin "plugin"

var Open = goplugin.Open
"""


@pytest.fixture(scope="module")
def plugins(go_greeter: GoGreeter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The greeter in Go, built as what only a program in Go can start."""
    script = tmp_path_factory.mktemp("map") / "only.map"
    script.write_text(MAP)
    hiding = f"-ldflags={STRIPPED} -extldflags=-Wl,--version-script={script}"
    return {
        "plain": go_greeter("-buildmode=plugin"),
        "stripped": go_greeter("-buildmode=plugin", "-trimpath", f"-ldflags={STRIPPED}"),
        "hides all": go_greeter("-buildmode=plugin", hiding),
    }


@pytest.fixture(scope="module")
def libraries(go_greeter: GoGreeter, go_panics: Path) -> dict[str, Path]:
    """The greeter in Go, built as it should be."""
    return {
        "plain": go_panics,
        "stripped": go_greeter("-buildmode=c-shared", "-trimpath", f"-ldflags={STRIPPED}"),
        "opens plugins": go_greeter("-buildmode=c-shared", source=OPENS_PLUGINS),
    }


def without_settings(path: Path) -> bytes:
    """A file's bytes as another build system than `go build` makes them: they say nothing of how they were made."""
    data = path.read_bytes()
    assert b"\nbuild\t-buildmode=" in data
    return data.replace(b"\nbuild\t-buildmode=", b"\nother\t-buildmode=")


@pytest.mark.parametrize("kind", ["plain", "stripped", "hides all"])
def test_a_go_plugin_is_refused(plugins: dict[str, Path], greeter: loader.Contract, kind: str) -> None:
    """Its first call would hang. Every way to load it refuses it, with or without a policy, and says the cure."""
    path = plugins[kind]
    for policy in (None, loader.Policy(permissions=True)):
        with pytest.raises(HandshakeError, match=r"-buildmode=plugin.* Build it with go build -buildmode=c-shared"):
            loader.load(path, contract=greeter, policy=policy)
    assert HandshakeError.exit_code == 4
    host = loader.Host(greeter)
    assert host.load_all(path) == []
    assert [type(failure) for failure in host.failures] == [HandshakeError]
    lazy = host.load(path, lazy=True)
    with pytest.raises(HandshakeError, match="c-shared"):
        lazy.open()
    (found,) = loader.discover(path, contract=greeter)
    assert str(found.error) == str(host.failures[0])


def test_all_commands_agree(plugins: dict[str, Path], tmp_path: Path) -> None:
    """inspect, list, doctor and call say of a Go plugin that it cannot run, with the cure; call exits with 4."""
    path = plugins["plain"]
    command = Command("loader", tmp_path)
    assert "loads here    no: a Go library built with -buildmode=plugin" in command("inspect", path).text
    cure = "Build it with go build -buildmode=c-shared"
    contract = ("--contract", HEADER)
    for words in (("list", path), ("list", path, *contract), ("doctor", path), ("doctor", path, *contract)):
        done = command(*words)
        assert done.code == 1, words
        assert done.text.count(cure) == 1, words
    for words in (("inspect", path), ("call", path, "greet", "you")):
        done = command(*words, *contract)
        assert done.code == 4, words
        assert cure in done.err, words


@pytest.mark.parametrize("kind", ["plain", "stripped", "opens plugins"])
def test_a_c_shared_library_is_none(libraries: dict[str, Path], run_python: Run, kind: str) -> None:
    """What starts its runtime itself is loaded and answers, also if it takes part in checks of Go's plugins."""
    code = """
import sys, loader
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
print(plugin.greet("you"))
"""
    done = run_python(code, libraries[kind], HEADER)
    assert done.stdout == "half of a greeting for you\n"
    image = loader.read_image(libraries[kind])
    assert image.go_build_mode == "c-shared"
    bare = read_bytes(without_settings(libraries[kind]), path="bare.so")
    assert bare.go_build_mode is None
    assert bare.mismatch() is None


@pytest.mark.parametrize("kind", ["plain", "stripped"])
def test_another_build_system(plugins: dict[str, Path], kind: str) -> None:
    """A Go plugin that does not say how it was built is known by what it exports."""
    bare = read_bytes(without_settings(plugins[kind]), path="bare.so")
    assert bare.go_version is not None
    assert bare.go_build_mode == "plugin"
    # Go 1.19 and earlier wrote a dot where there is a colon now.
    older = without_settings(plugins[kind]).replace(b"\0go:link.pkghash.runtime\0", b"\0go.link.pkghash.runtime\0")
    assert read_bytes(older, path="older.so").go_build_mode == "plugin"


def test_a_damaged_setting(plugins: dict[str, Path]) -> None:
    """Lengths that never end are as if nothing were said, and those that lead out of the file end with it."""
    data = plugins["hides all"].read_bytes()
    at = data.index(b"\xff Go buildinf:") + 32
    for length, mode in ((b"\xff\xff\xff", None), (b"\xff\xff\x7f", None), (b"\x00\xff\xff", "plugin")):
        image = read_bytes(data[:at] + length + data[at + 3 :], path="damaged.so")
        assert image.go
        assert image.go_version is None
        assert image.go_build_mode == mode


def test_a_library_of_a_plugin(
    plugins: dict[str, Path], build: Callable[..., Path], greeter: loader.Contract, tmp_path: Path
) -> None:
    """A plugin in C that needs a Go plugin is refused too: it would hang where it calls that."""
    shutil.copy(plugins["plain"], tmp_path / "libgo.so")
    flags = ["-Wl,--no-as-needed", f"-L{tmp_path}", "-lgo", f"-Wl,-rpath,{tmp_path}"]
    path = build(GREETER.with_name("hello.c"), name="needs_go", flags=flags)
    for policy in (None, loader.Policy(permissions=True)):
        with pytest.raises(LibraryError, match=r"libgo\.so: cannot run here, and .*needs_go\.so needs it.*c-shared"):
            loader.load(path, contract=greeter, policy=policy)
    assert "needs the library libgo.so, which cannot run here" in Command("loader", tmp_path)("doctor", path).text
