"""loader_plugin_path: a plugin learns where it lies, by the way that it was named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import EMULATED

import loader

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """
#include "loader/plugin.h"
LOADER_CONTRACT(place, 1, 0);
LOADER_BEGIN_C
LOADER_GIVES_BYTES LOADER_EXPORT int where(loader_call *call);
LOADER_END_C
"""
C = '#include "place.h"\nint where(loader_call *call) { loader_text p = loader_plugin_path(call); return loader_write_text(call, &p); }\n'  # noqa: E501
CPP = """
#include "place.h"
#include "loader/plugin.hpp"
int where(loader_call *call) { return loader::guard(call, [](loader::Call &out) { out << out.plugin_path(); }); }
"""


@pytest.fixture
def place(tmp_path: Path) -> loader.Contract:
    """A contract whose one function says where the plugin is."""
    (tmp_path / "place.h").write_text(PLUGIN)
    return loader.Contract.from_header(tmp_path / "place.h")


@pytest.fixture
def plugin(build: Build, tmp_path: Path) -> Path:
    """The plugin in C."""
    (tmp_path / "place.h").write_text(PLUGIN)
    (tmp_path / "place.c").write_text(C)
    return Path(shutil.copy(build(tmp_path / "place.c", flags=[f"-I{tmp_path}"]), tmp_path / "place.so"))


@pytest.mark.parametrize(("name", "code"), [("c", C), ("cpp", CPP)])
def test_c_and_cpp(build: Build, place: loader.Contract, tmp_path: Path, name: str, code: str) -> None:
    """Both kits give the absolute path of the file."""
    source = tmp_path / f"place.{name}"
    source.write_text(code)
    path = build(source, flags=[f"-I{tmp_path}"])
    assert loader.load(path, contract=place).where() == os.fsencode(path)


def test_as_it_was_named(
    plugin: Path, place: loader.Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links are not replaced; relative paths begin at the folder of that time; one library, each plugin its own."""
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / "link.so"
    link.symlink_to(plugin)
    monkeypatch.chdir(tmp_path)
    direct, linked = loader.load("place.so", contract=place), loader.load("sub/link.so", contract=place)
    monkeypatch.chdir("/")
    assert (direct.where(), linked.where()) == (os.fsencode(plugin), os.fsencode(link))
    lazy = loader.Host(place).load(link, lazy=True)
    assert lazy.where() == os.fsencode(link)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes")
def test_a_name_that_is_no_utf8(run_python: Run, plugin: Path, tmp_path: Path) -> None:
    """The plugin gets the bytes with which it can open what lies there."""
    code = """
import os, shutil, sys, loader
odd = os.fsdecode(os.fsencode(os.path.dirname(sys.argv[1])) + b"/caf\\xe9.so")
shutil.copy(sys.argv[1], odd)
print(loader.load(odd, contract=loader.Contract.from_header(sys.argv[2])).where() == os.fsencode(odd))
"""
    assert run_python(code, plugin, tmp_path / "place.h").stdout == "True\n"


def test_an_older_host(tool: Callable[..., str], plugin: Path, tmp_path: Path) -> None:
    """A host whose table ends before the entry gives an empty path, and nothing behind its table is read."""
    host = tmp_path / "host.c"
    host.write_text("""
#define LOADER_HOST
#include "loader/plugin.h"
#include <stdlib.h>
static char room[100];
int main(void)
{
    size_t old = offsetof(loader_host, path);
    loader_host *table = malloc(old); /* AddressSanitizer watches its end */
    loader_call call = {sizeof call, room, room + sizeof room, table, {NULL, 0}};
    memset(table, 0, old);
    table->size = old;
    loader_text path = loader_plugin_path(&call);
    free(table);
    return path.size != 0 || path.data != NULL;
}
""")
    command = [tool("gcc"), "-fsanitize=address,undefined", f"-I{loader.include_dir()}", str(host)]
    subprocess.run([*command, "-o", str(tmp_path / "host")], check=True)
    leaks = {"ASAN_OPTIONS": "detect_leaks=0"} if EMULATED else {}  # they are looked for from another process
    done = subprocess.run([str(tmp_path / "host")], env={"PATH": "/usr/bin", **leaks}, check=False)
    assert done.returncode == 0
    assert plugin.exists()
