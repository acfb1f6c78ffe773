"""Plugins on Windows: DLLs read here, and the whole library in a Python for Windows under Wine (tests/windows.sh)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import ROOT

from loader.image import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

MARKERS = {"loader_abi_1", "htmlize_abi_1_0", "htmlize_abi_1_0_is_0x289833ee10589802"}
FUNCTIONS = {
    "tt/tt.c": {"hooks", "process_role"},
    "posts/posts.c": {"hooks", "process_role"},
    "narcissist/narcissist.cpp": {"hooks", "process_contents"},
}
PROMISING = ("tt/tt.c", "narcissist/narcissist.cpp")  # never to block


@pytest.mark.parametrize("source", FUNCTIONS)
def test_dll_is_read_here(source: str, tmp_path: Path, mingw: Callable[..., None]) -> None:
    """The shipped plugins, built by MinGW, export the contract's names and nothing else, and need only Windows."""
    target = tmp_path / "plugin.dll"
    mingw(ROOT / "native_plugins" / source, target)
    image = read_image(target)
    assert str(image.machine) == "PE for x86_64 windows, 64-bit"
    promises = {f"{name}_never_blocks" for name in FUNCTIONS[source] if source in PROMISING}
    assert image.exports == MARKERS | promises | FUNCTIONS[source]
    assert image.data_exports == MARKERS | promises
    assert image.needed == ("KERNEL32.dll", "msvcrt.dll")


def test_printf_format_of_mingw(tmp_path: Path, mingw: Callable[..., None]) -> None:
    """loader_fail takes what C99's printf takes, %zu included, and MinGW's compiler does not warn of it."""
    source = tmp_path / "format.c"
    source.write_text(
        '#include "htmlize/htmlize.h"\n'
        'int hooks(loader_call *call) { return loader_fail(call, "%zu %lld", sizeof call, 1LL); }\n'
    )
    mingw(source, tmp_path / "format.dll")


@pytest.fixture
def mingw() -> Callable[..., None]:
    """Compiles a source to a DLL, warnings being errors. Skips where there is no MinGW, in CI too: it is installed
    for the step that runs tests/windows.sh.
    """

    def compile_(source: Path, target: Path) -> None:
        language = ("g++", "c++17") if source.suffix == ".cpp" else ("gcc", "c11")
        command = [f"x86_64-w64-mingw32-{language[0]}-win32", f"-std={language[1]}", "-O2", "-shared", "-static"]
        command += ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
        command += [f"-I{ROOT / 'include'}", str(source), "-o", str(target)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip(f"{command[0]} is not installed: apt-get install g++-mingw-w64-x86-64")
        assert done.returncode == 0, done.stderr

    return compile_


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_under_wine() -> None:
    """The library works in a Python for Windows."""
    if os.environ.get("CI"):
        pytest.skip("a step of its own, with what it needs: bash tests/windows.sh")
    done = subprocess.run(["bash", "tests/windows.sh"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
