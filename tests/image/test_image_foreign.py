"""Mach-O and PE, and ELF for other CPUs: readable on every machine, checked against LIEF.

Small files of each format lie in fuzz/corpus/image. With ziglang (PyPI) more are made here, for other CPUs
and systems, against a library that is made here too: no C library is needed, so each takes under a second.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import CORPUS

from loader.errors import ImageError
from loader.image import Image, read_bytes, read_image

if TYPE_CHECKING:
    from collections.abc import Callable

EXPORT = """
#if defined(_WIN32)
#  define EXPORT __declspec(dllexport)
#  define IMPORT __declspec(dllimport)
#else
#  define EXPORT __attribute__((visibility("default")))
#  define IMPORT
#endif
"""
BASE = EXPORT + "EXPORT int base(int a) { return a + 1; }\n"
PLUGIN = (
    EXPORT
    + """
IMPORT int base(int a);
EXPORT const unsigned char loader_abi_1 = 1;
EXPORT int counter;
EXPORT int greet(int a) { return base(a) + counter; }
EXPORT int greet_again(int a) { return greet(a) * 2; }
EXPORT int gre(int a) { return a; }
"""
)
FUNCTIONS = {"greet", "greet_again", "gre"}
DATA = {"loader_abi_1", "counter"}
#: Target of zig, ending of libraries, machine as Image says it.
TARGETS = [
    ("x86_64-windows-gnu", "dll", "PE for x86_64 windows, 64-bit"),
    ("aarch64-windows-gnu", "dll", "PE for aarch64 windows, 64-bit"),
    ("x86-windows-gnu", "dll", "PE for i386 windows, 32-bit"),
    ("x86_64-macos", "dylib", "Mach-O for x86_64 macos, 64-bit"),
    ("aarch64-macos", "dylib", "Mach-O for aarch64 macos, 64-bit"),
    ("x86_64-linux-gnu", "so", "ELF for x86_64 linux, 64-bit"),
    ("aarch64-linux-musl", "so", "ELF for aarch64 linux, 64-bit"),
    ("arm-linux-musleabihf", "so", "ELF for arm linux, 32-bit"),
    ("x86-linux-gnu", "so", "ELF for i386 linux, 32-bit"),
    ("riscv64-linux-musl", "so", "ELF for riscv64 linux, 64-bit"),
    ("powerpc64-linux-musl", "so", "ELF for ppc64 linux, 64-bit, big-endian"),
    ("powerpc64le-linux-musl", "so", "ELF for ppc64le linux, 64-bit"),
    ("s390x-linux-gnu", "so", "ELF for s390x linux, 64-bit, big-endian"),
    ("mipsel-linux-musleabi", "so", "ELF for mips linux, 32-bit"),
    ("mips64-linux-gnuabi64", "so", "ELF for mips64 linux, 64-bit, big-endian"),
    ("loongarch64-linux-gnu", "so", "ELF for loongarch64 linux, 64-bit"),
]


@pytest.fixture(scope="session")
def zig(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles BASE and PLUGIN for a target of zig, once; returns PLUGIN's file."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed: pip install ziglang")
    top = tmp_path_factory.mktemp("zig")
    variables = {"ZIG_GLOBAL_CACHE_DIR": str(top / "cache"), "ZIG_LOCAL_CACHE_DIR": str(top / "cache")}

    def compile_(target: str, ending: str) -> Path:
        folder = top / target
        plugin = folder / f"plugin.{ending}"
        if plugin.exists():
            return plugin
        folder.mkdir()
        (folder / "base.c").write_text(BASE)
        (folder / "plugin.c").write_text(PLUGIN)
        zig_cc = [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-target",
            target,
            "-shared",
            "-nostdlib",
            "-O1",
            "-g0",
        ]
        windows = ending == "dll"
        extra = ["-Wl,--no-entry"] if windows else []
        link = ["-L.", "-lbase"] if windows else [f"./libbase.{ending}", "-Wl,-rpath,/opt/base"]
        for command in (["-o", f"libbase.{ending}", "base.c"], ["-o", plugin.name, "plugin.c", *link]):
            done = subprocess.run(
                [*zig_cc, *extra, *command],
                cwd=folder,
                env=os.environ | variables,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        return plugin

    return compile_


def seen_by_lief(image: Image) -> dict[str, object]:
    """Exports, imports and needs from LIEF, by the rules of dlsym and GetProcAddress."""
    lief = pytest.importorskip("lief")
    lief.logging.disable()
    binary: Any = lief.parse(list(image.data))
    if image.machine.format == "pe":
        table = binary.get_export()
        return {
            "exports": {entry.name for entry in table.entries if entry.name} if table else set(),
            "imports": {entry.name for dll in binary.imports for entry in dll.entries if not entry.is_ordinal},
            "needed": tuple(dll.name for dll in binary.imports),
        }
    if image.machine.format == "mach-o":
        own = lief.MachO.LoadCommand.TYPE.ID_DYLIB
        exports = {symbol.name[1:] for symbol in binary.exported_symbols if symbol.name.startswith("_")}
        imports = {symbol.name[1:] for symbol in binary.imported_symbols if symbol.name.startswith("_")}
        return {
            "exports": exports,
            "imports": imports - exports,  # weak definitions are bound to themselves, and listed twice
            "needed": tuple(library.name for library in binary.libraries if library.command != own),
        }
    return {
        "exports": {symbol.name for symbol in binary.dynamic_symbols if symbol.shndx and symbol.exported},
        "imports": {symbol.name for symbol in binary.dynamic_symbols if symbol.name and not symbol.shndx},
        "needed": tuple(binary.libraries),
    }


def agrees_with_lief(image: Image) -> bool:
    """Whether both readers see the same; pytest shows the difference."""
    ours = {"exports": set(image.exports), "imports": set(image.imports), "needed": image.needed}
    assert ours == seen_by_lief(image)
    return True


@pytest.mark.parametrize(("target", "ending", "machine"), TARGETS)
def test_a_plugin_for_another_machine_is_read(
    zig: Callable[..., Path], target: str, ending: str, machine: str
) -> None:
    """CPU, system, exports, data among them, imports and needs, for each target of the cross compiler."""
    image = read_image(zig(target, ending))
    assert str(image.machine) == machine
    assert image.kind == "shared library"
    assert image.exports >= FUNCTIONS | DATA
    assert image.data_exports >= DATA
    assert not image.data_exports & FUNCTIONS
    assert "base" in image.imports
    assert any("libbase" in name or "base.dll" in name for name in image.needed)
    assert not image.go
    assert not image.rust
    assert image.sanitizer is None
    assert agrees_with_lief(image)


@pytest.mark.parametrize("name", ["pe64", "pe32", "macho64", "elf64", "elf32be"])
def test_the_corpus_agrees_with_lief(name: str) -> None:
    """The same, without a cross compiler."""
    image = read_image(CORPUS / name)
    assert "greet" in image.exports - image.data_exports
    assert {"loader_abi_1", "greeter_abi_1_0"} <= image.data_exports
    assert agrees_with_lief(image)


def test_a_mach_o_library_names_itself_and_its_search_path() -> None:
    """LC_ID_DYLIB, LC_RPATH, LC_BUILD_VERSION and LC_UUID."""
    image = read_image(CORPUS / "macho64")
    assert image.soname is not None
    assert image.rpath == ("/opt/base",)
    assert image.minimum_system is not None
    assert int(image.minimum_system.partition(".")[0]) >= 11
    assert image.build_id is not None
    assert len(image.build_id) == 32


def test_the_symbol_table_serves_where_there_is_no_export_trie() -> None:
    """Old linkers wrote none; the same names are found."""
    whole = read_image(CORPUS / "macho64")
    data = bytearray(whole.data)
    removed = 0
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        command, size = struct.unpack_from("<II", data, at)
        if command in (0x22, 0x8000_0022):  # LC_DYLD_INFO, LC_DYLD_INFO_ONLY
            struct.pack_into("<II", data, at + 40, 0, 0)
            removed += 1
        elif command == 0x8000_0033:  # LC_DYLD_EXPORTS_TRIE
            struct.pack_into("<II", data, at + 8, 0, 0)
            removed += 1
        at += size
    assert removed
    bare = read_bytes(bytes(data), path="bare.dylib")
    names = FUNCTIONS | DATA | {"greeter_abi_1_0"}
    assert bare.exports & names == whole.exports & names == names
    assert bare.data_exports & names == whole.data_exports & names


def test_a_universal_file_gives_the_slice_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slice that would be loaded is the one that is looked at; the first, where none fits."""
    data = (CORPUS / "macho64").read_bytes()
    other = bytearray(data)
    struct.pack_into("<I", other, 4, 0x0100_000C)  # the same file, said to be for arm64
    head = struct.pack(">II", 0xCAFE_BABE, 2)
    head += struct.pack(">5I", 0x0100_0007, 3, 4096, len(data), 12)
    head += struct.pack(">5I", 0x0100_000C, 0, 4096 + len(data), len(other), 0)
    both = head.ljust(4096, b"\0") + data + bytes(other)
    for cpu, seen in (("x86_64", "x86_64"), ("aarch64", "aarch64"), ("riscv64", "x86_64")):
        here = type(read_image(CORPUS / "macho64").machine)("mach-o", "macos", cpu, 64, "little")
        monkeypatch.setattr("loader.image.macho.this_machine", lambda here=here: here)
        image = read_bytes(both, path="both.dylib")
        assert image.machine.machine == seen
        assert image.slices == ("x86_64", "aarch64")
        assert image.exports >= FUNCTIONS
    assert read_image(CORPUS / "universal").slices == ("x86_64", "aarch64")


def test_a_slice_beyond_the_file_is_refused() -> None:
    """Also one that is not chosen: its machine would not get it."""
    head = struct.pack(">II", 0xCAFE_BABE, 1) + struct.pack(">5I", 0x0100_000C, 0, 4096, 1 << 20, 14)
    with pytest.raises(ImageError, match="slice for aarch64"):
        read_bytes(head.ljust(8192, b"\0"), path="cut.dylib")


def test_an_export_trie_that_turns_back_is_refused() -> None:
    """A child that is its own parent would make the walk endless."""
    trie = b"\x00\x01_\x00\x00"  # the root, with one child "_" at offset 0: the root again
    data = bytearray((CORPUS / "macho64").read_bytes())
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        command, size = struct.unpack_from("<II", data, at)
        place = {0x22: 40, 0x8000_0022: 40, 0x8000_0033: 8}.get(command)
        if place is not None and struct.unpack_from("<I", data, at + place)[0]:
            (offset,) = struct.unpack_from("<I", data, at + place)
            data[offset : offset + len(trie)] = trie
        at += size
    with pytest.raises(ImageError, match="a tree"):
        read_bytes(bytes(data), path="turning.dylib")


def test_a_dll_names_itself_and_its_debug_information() -> None:
    """The name in the export table, and the id by which symbol servers know it."""
    image = read_image(CORPUS / "pe64")
    assert image.soname == "plugin.dll"
    assert image.needed == ("libbase.dll",)
    assert image.minimum_system == "6.0"
    assert image.build_id is not None


def directory(data: bytearray, number: int) -> int:
    """Where the data directory of a PE32+ file stands."""
    (start,) = struct.unpack_from("<I", data, 0x3C)
    return int(start) + 24 + 112 + 8 * number


@pytest.mark.parametrize(
    ("number", "value", "said"),
    [(0, 0x7FFF_0000, "the export table in a section"), (1, 0x7FFF_0000, "the import table in a section")],
)
def test_one_wrong_data_directory_is_named(number: int, value: int, said: str) -> None:
    """RVAs are not believed."""
    data = bytearray((CORPUS / "pe64").read_bytes())
    struct.pack_into("<I", data, directory(data, number), value)
    with pytest.raises(ImageError, match=said):
        read_bytes(bytes(data), path="plugin.dll")


def test_a_dll_without_exports_has_none() -> None:
    """No export directory is no error: there are such libraries."""
    data = bytearray((CORPUS / "pe64").read_bytes())
    struct.pack_into("<II", data, directory(data, 0), 0, 0)
    assert read_bytes(bytes(data), path="plugin.dll").exports == frozenset()


def test_a_missing_section_end_is_cut_off() -> None:
    """A download that stopped early."""
    data = (CORPUS / "pe64").read_bytes()
    with pytest.raises(ImageError, match=r"cut off.*a section at bytes"):
        read_bytes(data[:-100], path="plugin.dll")


@pytest.mark.slow
@pytest.mark.parametrize("system", ["darwin/arm64", "windows/amd64", "freebsd/amd64"])
def test_go_is_seen_in_every_format(tool: Callable[..., str], tmp_path: Path, system: str) -> None:
    """Also stripped; Go's own linker makes executables for other systems without a C compiler."""
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("x") }\n')
    name, _, cpu = system.partition("/")
    variables = {"GOOS": name, "GOARCH": cpu, "CGO_ENABLED": "0"}
    command = [tool("go"), "build", "-ldflags=-s -w", "-o", "main", "main.go"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | variables, check=True)
    image = read_image(tmp_path / "main")
    assert image.go
    assert str(image.go_version).startswith("go1.")
    assert image.kind == "executable"
    assert image.machine.system == {"darwin": "macos"}.get(name, name)
