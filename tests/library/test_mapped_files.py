"""loader/library/sealed.py: files that are mapped themselves, so that profilers name functions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER

import loader

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory files are Linux's")

LOAD = """
import os, sys, loader
contract = loader.Contract.from_header(sys.argv[2])
"""


def test_mapping_the_file(run_python: Run, hello: Path, tmp_path: Path) -> None:
    """With the variable the file itself is mapped; a rebuilt one, by rename or in place, is what is called then."""
    path = Path(shutil.copy(hello, tmp_path / "dev.so"))
    done = run_python(
        f"""{LOAD}
def load():
    return loader.load(sys.argv[1], contract=contract)
def mapped(what):
    return sum(what in line for line in open("/proc/self/maps", errors="replace"))
first = load()
assert first.greet("a") == "Hello, a!" and mapped("/dev.so") and not mapped("memfd:dev.so")
(mapping, *_) = __import__("loader.library").library.mappings()
assert mapping.path == sys.argv[1]
data = open(sys.argv[1], "rb").read()
open(sys.argv[1] + ".new", "wb").write(data + b"renamed")
os.rename(sys.argv[1] + ".new", sys.argv[1])
second = load()
assert second.greet.__self__.address != first.greet.__self__.address and not mapped("memfd:dev.so")
with open(sys.argv[1], "ab") as file:
    file.write(b"in place")
third = load()
assert third.greet.__self__.address not in (first.greet.__self__.address, second.greet.__self__.address)
assert mapped("memfd:dev.so")
print(third.greet("c"))
""",
        path,
        GREETER,
        NATIVE_PLUGIN_LOADER_MAP_FILES="1",
    )
    assert done.stdout == "Hello, c!\n"


@pytest.mark.parametrize(
    "ask",
    [
        "policy = loader.Policy(permissions=True)",
        "from loader import trust; trust.require(loader.Policy(permissions=True)); policy = None",
        "policy = loader.Policy.for_folders({'/nowhere': loader.Policy(permissions=True)})",
        "policy = loader.Policy(quarantine=['/nowhere'])",
    ],
)
def test_no_file_is_mapped_under_a_policy(run_python: Run, hello: Path, tmp_path: Path, ask: str) -> None:
    """As soon as anything is asked of files, the copy is mapped, whatever the variable says."""
    path = shutil.copy(hello, tmp_path / "dev.so")
    (tmp_path / "dev.so").chmod(0o755)
    done = run_python(
        f"""{LOAD}
{ask}
plugin = loader.load(sys.argv[1], contract=contract, policy=policy)
print(sum("memfd:dev.so" in line for line in open("/proc/self/maps", errors="replace")) > 0)
print(sum(sys.argv[1] in line for line in open("/proc/self/maps", errors="replace")))
""",
        path,
        GREETER,
        NATIVE_PLUGIN_LOADER_MAP_FILES="1",
    )
    assert done.stdout == "True\n0\n"


WORK = f"""{LOAD}
plugin = loader.load(sys.argv[1], contract=contract)
for _ in range(int(sys.argv[3])):
    plugin.greet("you")
"""


def busy(build: Build, tmp_path: Path) -> Path:
    """A plugin whose time goes to a function of its own name."""
    source = tmp_path / "busy.c"
    source.write_text("""
#include "greeter.h"
__attribute__((noinline)) static unsigned counts_slowly(unsigned n)
{
    unsigned sum = 0;
    for (volatile unsigned i = 0; i < n; i++)
        sum += i;
    return sum;
}
int greet(loader_call *call, const loader_text *name)
{
    return loader_printf(call, "%u", counts_slowly(200000 + (unsigned)name->size));
}
""")
    return build(source, flags=["-g"])


@pytest.mark.slow
def test_valgrind_names_functions(tool: Callable[..., str], build: Build, tmp_path: Path) -> None:
    """Callgrind says which function of the plugin took the time."""
    if os.environ.get("LOADER_SANITIZE"):
        pytest.skip("valgrind does not run code with AddressSanitizer")
    script = tmp_path / "work.py"
    script.write_text(WORK)
    command = [tool("valgrind"), "--tool=callgrind", f"--callgrind-out-file={tmp_path}/out", sys.executable]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(loader.__file__).parent.parent),
        "NATIVE_PLUGIN_LOADER_MAP_FILES": "1",
    }
    words = [*command, str(script), str(busy(build, tmp_path)), str(GREETER), "3"]
    subprocess.run(words, env=environment, capture_output=True, check=True, timeout=250)
    assert "counts_slowly" in (tmp_path / "out").read_text()


@pytest.mark.slow
def test_perf_names_functions(tool: Callable[..., str], build: Build, tmp_path: Path) -> None:
    """Perf report says which function of the plugin took the time."""
    if os.environ.get("LOADER_SANITIZE"):
        pytest.skip("the functions are the sanitizer's then")
    perf = tool("perf")
    script = tmp_path / "work.py"
    script.write_text(WORK)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(loader.__file__).parent.parent),
        "NATIVE_PLUGIN_LOADER_MAP_FILES": "1",
    }
    words = [sys.executable, str(script), str(busy(build, tmp_path)), str(GREETER), "300"]
    record = [perf, "record", "-e", "cpu-clock", "-o", str(tmp_path / "data"), "--", *words]
    done = subprocess.run(record, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"perf cannot record here: {done.stderr[:200]}")
    report = [perf, "report", "-i", str(tmp_path / "data"), "--stdio", "--sort", "symbol"]
    shown = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    assert "counts_slowly" in shown


def test_the_variable_says_what(hello: Path, greeter: loader.Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only "1" turns it on."""
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_MAP_FILES", "0")
    assert loader.load(hello, contract=greeter).greet("you") == "Hello, you!"
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        assert str(hello) not in file.read()
