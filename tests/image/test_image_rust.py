"""Rust in files of every format: plugins that rustc has built for Windows, macOS and Linux, stripped too.

Foreign targets come with `rustup target add`; without one its tests are skipped. The .dll is linked by MinGW;
the .dylib by the LLD that rustc brings, against a stub of the system's library that is written here.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import CORPUS

from loader.errors import ImageError
from loader.image import Image, read_bytes, read_image, traces
from loader.image.cursor import Cursor

SOURCE = """
#[no_mangle]
pub static greeter_abi_1_0: u8 = 1;

#[no_mangle]
pub extern "C" fn greet(count: usize) -> usize {
    format!("{:?}", vec![1u8; count]).len()
}
"""
STUB = """--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/libSystem.B.dylib'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ dyld_stub_binder ]
...
"""
APPLE = ["linker=rust-lld", "linker-flavor=ld64.lld", "link-arg=-undefined", "link-arg=dynamic_lookup"]
#: Target of rustc, ending of libraries, machine as Image says it.
TARGETS = [
    ("x86_64-pc-windows-gnu", "dll", "PE for x86_64 windows, 64-bit"),
    ("x86_64-apple-darwin", "dylib", "Mach-O for x86_64 macos, 64-bit"),
    ("aarch64-apple-darwin", "dylib", "Mach-O for aarch64 macos, 64-bit"),
    ("x86_64-unknown-linux-gnu", "so", "ELF for x86_64 linux, 64-bit"),
]
#: How release builds are made, from the plainest to one that leaves as little as it can.
BUILDS = {
    "plain": [],
    "stripped": ["strip=symbols"],
    "least": ["strip=symbols", "panic=abort", "lto=fat"],
}


@functools.cache
def printed(*arguments: str) -> str:
    """What rustc prints."""
    return subprocess.run(
        ["rustc", *arguments], capture_output=True, text=True, check=False, timeout=60
    ).stdout.strip()


@pytest.fixture
def rust(tool: Callable[..., str], tmp_path: Path) -> Callable[..., Image]:
    """Compiles SOURCE for a target and reads the file."""

    def compile_(target: str, ending: str, options: list[str]) -> Image:
        tool("rustc")
        if not Path(printed("--print", "target-libdir", "--target", target) or "-").is_dir():
            pytest.skip(f"rustc has no library for it: rustup target add {target}")
        if ending == "dll" and shutil.which("x86_64-w64-mingw32-gcc") is None:
            pytest.skip("x86_64-w64-mingw32-gcc is not installed")
        libraries = tmp_path / "usr" / "lib"
        libraries.mkdir(parents=True)
        for name in ("System", "c", "m"):
            (libraries / f"lib{name}.tbd").write_text(STUB)
        (tmp_path / "plugin.rs").write_text(SOURCE)
        codegen = [*(APPLE if ending == "dylib" else []), *options]
        command = ["rustc", "--crate-type=cdylib", "-O", "--target", target, "-o", f"plugin.{ending}"]
        command += [*(f"-C{each}" for each in codegen), "plugin.rs"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"SDKROOT": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return read_image(tmp_path / f"plugin.{ending}")

    return compile_


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(("target", "ending", "machine"), TARGETS)
def test_rust_is_seen_in_every_format(
    rust: Callable[..., Image], target: str, ending: str, machine: str, build: str
) -> None:
    """With the commit of the compiler where the file has no version, by which `rustc --version` knows itself."""
    image = rust(target, ending, BUILDS[build])
    assert str(image.machine) == machine
    assert {"greet", "greeter_abi_1_0"} <= image.exports
    assert "greet" not in image.data_exports
    assert image.rust
    assert not image.go
    version = printed("--version")  # rustc 1.95.0 (59807616e 2026-04-14)
    [name] = [each for each in image.compilers if each.startswith("rustc")]
    if ending == "so":
        assert version.removeprefix("rustc ") in name
    elif "(" in version:
        assert name == f"rustc ({version.partition('(')[2].partition(' ')[0]})"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/rustc/" + b"0123456789" * 4 + b"/library/core", ("rustc (012345678)",)),
        (b"/rustc/1.63.0/library/std", ("rustc version 1.63.0",)),
        (b"/rustc/not a commit/library", ("rustc",)),
        (b"/rustc/", ("rustc",)),
        (b"/rustc", ()),
        (b"", ()),
    ],
)
def test_the_path_of_rusts_sources_names_the_compiler(path: bytes, name: tuple[str, ...]) -> None:
    """Also at the very end of the file, and not where nothing readable follows."""
    cursor = Cursor("x", b"\0" * 8 + path)
    assert traces.rustc(cursor, [(0, cursor.size)]) == name


def test_a_c_library_is_not_taken_for_rust() -> None:
    """Nor is any file of the corpus."""
    corpus = CORPUS
    seen = 0
    for path in corpus.iterdir():
        try:
            image = read_bytes(path.read_bytes(), path=str(path))
        except ImageError:
            continue
        assert not image.rust
        seen += 1
    assert seen >= 5
