"""loader/image/closure.py: what the dynamic linker would bring along, against what it does bring."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tree import GREETER

from loader.author.sdk import include_dir
from loader.image import read_image
from loader.image.closure import closure_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the dynamic linker of Linux")

#: Each says its file's name on the pipe whose number is in WORD when it is loaded.
LIBRARY = """
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void began(void)
{
    const char *pipe = getenv("WORD");
    if (pipe != NULL && write(atoi(pipe), ID " ", sizeof ID) < 0)
        abort();
}
"""
PLUGIN = (
    LIBRARY
    + """
#include "greeter.h"
int greet(loader_call *call, const loader_text *name) { return loader_write_text(call, name); }
"""
)
#: Loads a plugin in one of three ways, after it has said what the resolver finds, in a process of its own.
PROGRAM = """
import ctypes, json, os, sys, loader
from loader.image.closure import closure_of
path, how, header = sys.argv[1:]
members = closure_of(loader.read_image(path)).members
inside = os.path.dirname(os.path.dirname(path)) + "/"
found = [os.path.realpath(m.path) for m in members if m.path and os.path.realpath(m.path).startswith(inside)]
missing = any(m.path is None or m.error for m in members)
reader, writer = os.pipe()
os.environ["WORD"] = str(writer)
if how == "linker":
    import _ctypes
ctypes.CDLL(None).setenv(b"WORD", str(writer).encode(), 1)
error = None
try:
    if how == "linker":
        ctypes.CDLL(path)
    else:
        contract = loader.Contract.from_header(header)
        policy = loader.Policy(permissions=True) if how == "policy" else None
        loader.load(path, contract=contract, policy=policy)
except (OSError, loader.LoaderError) as failure:
    error = f"{type(failure).__name__}: {failure}"
os.close(writer)
words = os.read(reader, 65536).decode().replace(chr(0), "").split()
print(json.dumps({"found": found, "missing": missing, "words": words, "error": error}))
"""


class Graph:
    """Random libraries in random folders that need each other, cycles included, and a plugin that needs some."""

    def __init__(self, seed: int, folder: Path, compiler: str) -> None:
        self.random = random.Random(seed)
        self.top, self.compiler = folder, compiler
        self.folders = [folder / name for name in ("a", "b", "c")]
        for each in (*self.folders, folder / "stubs"):
            each.mkdir(mode=0o755)
        self.names = [f"lib{number}.so" for number in range(self.random.randint(2, 5))]
        for name in self.names:
            self._compile(folder / "stubs" / name, "", "-Wl,-soname," + name)
        for name in self.names:
            for place in self.random.sample(self.folders, self.random.choice((1, 1, 2, 3))):
                self._make(place / name, LIBRARY, name)
        self.plugin = self.folders[0] / "plugin.so"
        self._make(self.plugin, PLUGIN, None)
        chosen = self.random.sample(self.folders, self.random.choice((0, 0, 1)))
        self.library_path = ":".join(map(str, chosen))

    def _make(self, target: Path, source: str, soname: str | None) -> None:
        pick = self.random
        flags = [f'-DID="{target.parent.name}/{target.name}"', "-Wl,--no-as-needed", f"-L{self.top}/stubs"]
        flags += [f"-l:{name}" for name in pick.sample(self.names, pick.randint(0, 2) if soname else 2)]
        if soname is not None:
            flags.append("-Wl,-soname," + soname)
        kind = pick.choice(("--enable-new-dtags", "--disable-new-dtags", "--disable-new-dtags", ""))
        if kind or soname is None:
            places = pick.sample(self.folders, pick.randint(1, 2))
            way = [str(each) if pick.random() < 0.3 else "$ORIGIN/../" + each.name for each in places]
            flags += [f"-Wl,{kind or '--enable-new-dtags'},-rpath,{':'.join(way)}"]
        self._compile(target, source, *flags)

    def _compile(self, target: Path, source: str, *flags: str) -> None:
        headers = [f"-I{include_dir()}", f"-I{GREETER.parent}"]
        command = [
            self.compiler,
            "-shared",
            "-fPIC",
            "-x",
            "c",
            "-",
            "-x",
            "none",
            *headers,
            "-o",
            str(target),
            *flags,
        ]
        subprocess.run([*command, "-Wl,--unresolved-symbols=ignore-all"], input=source.encode(), check=True)


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed: int, tmp_path: Path, tool: Callable[..., str], run_python: Callable[..., Any]) -> None:
    """The resolver finds what dlopen then maps; loading runs the same code in the same order, with a policy too."""
    for each in (tmp_path, *tmp_path.parents[:2]):
        each.chmod(0o755)
    graph = Graph(seed, tmp_path, tool("cc", "gcc", "clang"))
    told = {}
    for how in ("linker", "named", "policy"):
        variables = {"LD_LIBRARY_PATH": graph.library_path} if graph.library_path else {}
        done = run_python(PROGRAM, graph.plugin, how, GREETER, **variables)
        told[how] = json.loads(done.stdout)
    linker = told["linker"]
    assert linker["missing"] is (linker["error"] is not None), linker
    for how in ("named", "policy"):
        assert (told[how]["error"] is None) is (linker["error"] is None), told
        assert told[how]["words"] == linker["words"], told
    if linker["error"] is None:
        names = ["/".join(path.split("/")[-2:]) for path in linker["found"]]
        assert sorted([*names, "a/plugin.so"]) == sorted(linker["words"])


@pytest.mark.parametrize(
    ("flag", "field", "value"),
    [
        ("-f,libone.so", "auxiliaries", ("libone.so",)),
        ("-F,$ORIGIN/libtwo.so", "filters", ("$ORIGIN/libtwo.so",)),
        ("-z,nodefaultlib", "no_default_folders", True),
    ],
)
def test_what_the_linker_goes_by_is_read(
    flag: str, field: str, value: object, tmp_path: Path, tool: Callable[..., str]
) -> None:
    """By both readers, to the same end."""
    path = tmp_path / "x.so"
    command = [tool("cc", "gcc", "clang"), "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), f"-Wl,{flag}"]
    subprocess.run(command, input=b"int x;", check=True)
    image = read_image(path)
    assert getattr(image, field) == value
    assert read_image(path, quick=True) == image


def test_needs_that_are_met_once(tmp_path: Path, tool: Callable[..., str]) -> None:
    """Two names of one file are one library, as for the linker."""
    start = [tool("cc", "gcc", "clang"), "-shared", "-fPIC", "-x", "c", "-"]
    subprocess.run([*start, "-o", str(tmp_path / "one.so")], input=b"", check=True)
    (tmp_path / "two.so").symlink_to("one.so")
    plugin = tmp_path / "x.so"
    flags = ["-Wl,--no-as-needed", "-nostdlib", str(tmp_path / "one.so"), str(tmp_path / "two.so")]
    command = [*start, "-x", "none", "-o", str(plugin), *flags]
    subprocess.run(command, input=b"", check=True)
    image = read_image(plugin)
    assert len(image.needed) == 2
    assert [member.path for member in closure_of(image).members if member.path and "one.so" in member.path] == [
        str(tmp_path / "one.so")
    ]
