"""Bindings that were written before their header changed: no plugin comes of them that the host takes for a new one.

C++ includes the header, whose names for the handshake would be the new ones: it does not compile. All languages
export the fingerprint that they were written from, also where the header has none, and the host refuses it.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from command import Command

import loader
from loader.author.bindings import bindings
from loader.author.sdk import go_dir, include_dir
from loader.errors import HandshakeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = """\
#include "loader/plugin.h"
LOADER_CONTRACT(gap, 1, 0);
LOADER_BEGIN_C
/* How far it is. */
LOADER_EXPORT int gap(loader_call *call, int64_t first, int64_t last, LOADER_OUT int64_t *wide);
LOADER_END_C
"""
SWAPPED = HEADER.replace("first", "@").replace("last", "first").replace("@", "last")  # C's types are what they were
MORE = "LOADER_OPTIONAL int more(loader_call *call);\nLOADER_END_C"
NEWER = HEADER.replace("1, 0", "1, 1").replace("LOADER_END_C", MORE)
NUMBERS = """\
#include "loader/plugin.h"
#include <stdbool.h>
LOADER_CONTRACT(gap, 1, 0);
LOADER_BEGIN_C
typedef enum gap_mode { GAP_A = 0, GAP_B = 1 } gap_mode;
LOADER_EXPORT int gap(loader_call *call, int64_t first, long long last, bool on, float by, gap_mode mode,
                      LOADER_OUT int64_t *wide);
LOADER_END_C
"""
CPP = """\
#include "gap.hpp"
struct Gap final : gap_::Plugin {
    std::int64_t gap(loader::Call &, std::int64_t first, std::int64_t last) override { return last - first; }
};
GAP_EXPORT(Gap);
"""
GO = """\
package main

import (
	"made/gap"

	"native-plugin.example/plugin"
)

type made struct{}

func (made) Gap(call *plugin.Call, first int64, last int64) (int64, error) { return last - first, nil }

func init() { gap.Register(made{}) }

func main() {}
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command, in the folder of the header."""
    return Command("loader", tmp_path)


def write(command: Command, folder: Path, text: str, *stamp: str) -> loader.Contract:
    """The header, stamped if that is asked for, and what it says."""
    (folder / "gap.h").write_text(text)
    if stamp:
        assert command("contract", *stamp, "gap.h").code == 0
    return loader.Contract.from_header(folder / "gap.h")


def compile_cpp(folder: Path, tool: Callable[..., str], source: str = CPP) -> subprocess.CompletedProcess[str]:
    """As an author does it by hand, who has no CMake that would write the bindings anew."""
    (folder / "gap.cpp").write_text(source)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{include_dir()}"]
    command = [tool("c++", "g++"), *flags, "-o", "gap.so", "gap.cpp"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


CHANGES = {
    "types": HEADER.replace("int64_t first", "int32_t first"),
    "names": SWAPPED,
    "new version": NEWER,
    "new version, which knows the old one": NEWER.replace(";", ";\nLOADER_FINGERPRINT(gap, 1, 0, 0xOLD);", 1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_cpp_does_not_compile_with_a_stamped_header_that_changed(
    command: Command, tmp_path: Path, tool: Callable[..., str], change: str
) -> None:
    """Stamped again in its version, or in a newer one: the compiler's message has the command that mends it."""
    contract = write(command, tmp_path, HEADER, "--stamp")
    assert contract.stamped
    write_bindings = ("bindings", "gap.h", "--lang", "cpp", "-o", ".")
    assert command(*write_bindings).code == 0
    done = compile_cpp(tmp_path, tool)
    assert done.returncode == 0, done.stderr
    assert loader.load(tmp_path / "gap.so", contract=contract).gap(1, 3) == 2
    write(command, tmp_path, CHANGES[change].replace("OLD", contract.fingerprint), "--stamp")
    done = compile_cpp(tmp_path, tool)
    assert done.returncode != 0
    assert "loader bindings gap.h --lang cpp" in done.stderr
    assert command(*write_bindings).code == 0
    assert compile_cpp(tmp_path, tool).returncode == (1 if change == "types" else 0)  # its author's types are old


def test_a_comment_does_not_make_them_stale(command: Command, tmp_path: Path, tool: Callable[..., str]) -> None:
    """The declarations are what they were."""
    write(command, tmp_path, HEADER, "--stamp")
    command("bindings", "gap.h", "--lang", "cpp", "-o", ".")
    write(command, tmp_path, HEADER.replace("How far it is.", "The width."), "--stamp")
    assert compile_cpp(tmp_path, tool).returncode == 0


def test_cpp_of_a_header_without_a_stamp(command: Command, tmp_path: Path, tool: Callable[..., str]) -> None:
    """It says which declarations it was written from, and is refused by a host of others; a new version, and a stamp
    of what it says itself, do not compile.
    """
    contract = write(command, tmp_path, HEADER)
    assert not contract.stamped
    command("bindings", "gap.h", "--lang", "cpp", "-o", ".")
    assert compile_cpp(tmp_path, tool).returncode == 0
    assert loader.load(tmp_path / "gap.so", contract=contract).gap(1, 3) == 2
    for stamp in ((), ("--stamp",)):  # two fingerprints are none
        swapped = write(command, tmp_path, SWAPPED, *stamp)
        assert compile_cpp(tmp_path, tool).returncode == 0
        with pytest.raises(HandshakeError, match=r"against (other|several) declarations of gap 1\.0"):
            loader.load(tmp_path / "gap.so", contract=swapped)
    for text, *again in ((NEWER,), (HEADER, "--stamp")):
        write(command, tmp_path, text, *again)
        done = compile_cpp(tmp_path, tool)
        assert done.returncode != 0
        assert "loader bindings gap.h --lang cpp" in done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int64_t first", "int32_t first"),
        ("int64_t first", "uint64_t first"),
        ("int64_t first", "double first"),
        ("int64_t first", "gap_mode first"),
        ("int64_t *wide", "int32_t *wide"),
        ("bool on", "uint8_t on"),
        ("float by", "double by"),
    ],
)
def test_cpp_does_not_compile_with_other_numbers(
    command: Command, tmp_path: Path, tool: Callable[..., str], old: str, new: str
) -> None:
    """Of a header without a stamp: C++ would turn each of these into the other without a word."""
    header = NUMBERS.replace("long long last", "int64_t last")
    write(command, tmp_path, header)
    command("bindings", "gap.h", "--lang", "cpp", "-o", ".")
    source = CPP.replace("last) override", "last, bool, float, gap_mode) override")
    assert compile_cpp(tmp_path, tool, source).returncode == 0
    write(command, tmp_path, NUMBERS)  # the same numbers by another name
    assert compile_cpp(tmp_path, tool, source).returncode == 0
    assert old in header
    write(command, tmp_path, header.replace(old, new))
    done = compile_cpp(tmp_path, tool, source)
    assert done.returncode != 0
    assert f"{new.split()[1].strip('*')} is another number now: loader bindings gap.h --lang cpp" in done.stderr


def test_go_of_a_header_without_a_stamp(command: Command, tmp_path: Path, tool: Callable[..., str]) -> None:
    """It includes no header, and says which declarations it was written from."""
    contract = write(command, tmp_path, HEADER)
    command("bindings", "gap.h", "--lang", "go", "-o", "gap")
    module = "module made\n\ngo 1.21\n\nrequire native-plugin.example v0.0.0\n\nreplace native-plugin.example =>"
    (tmp_path / "go.mod").write_text(f"{module} {go_dir()}\n")
    (tmp_path / "main.go").write_text(GO)
    made = [tool("go"), "build", "-buildmode=c-shared", "-buildvcs=false", "-o", "gap.so", "."]
    subprocess.run(made, cwd=tmp_path, check=True)
    image = loader.read_image(tmp_path / "gap.so")
    assert f"gap_abi_1_0_is_0x{contract.fingerprint}" in image.exports
    swapped = write(command, tmp_path, SWAPPED)
    with pytest.raises(HandshakeError, match=r"against other declarations of gap 1\.0"):
        loader.load(tmp_path / "gap.so", contract=swapped)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("rust", "kit::markers!(gap_abi_1_0, 0x{});"),
        ("go", "//export gap_abi_1_0_is_0x{}\n"),
        ("zig", 'loader.exportMarker("gap_abi_1_0_is_0x{}");'),
        ("cpp", "LOADER_FINGERPRINT(gap, 1, 0, 0x{});"),
    ],
)
@pytest.mark.parametrize("stamp", [(), ("--stamp",)])
def test_every_language_says_the_fingerprint(
    command: Command, tmp_path: Path, language: str, line: str, stamp: tuple[str, ...]
) -> None:
    """Whether or not the header does; in C++ the header itself, if it does."""
    contract = write(command, tmp_path, HEADER, *stamp)
    text = "".join(bindings(contract, language, tmp_path / "gap.h").values())
    assert (line.format(contract.fingerprint) in text) == (language != "cpp" or not stamp)
