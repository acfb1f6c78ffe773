"""loader/image/sniff.py: a source in place of a plugin; the cure is how to compile it, and it works."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER

import loader
from loader.errors import ImageError

CPP = """
#include "greeter.h"
extern "C" int greet(loader_call *call, const loader_text *name)
{
    return loader_write(call, name->data, name->size);
}
"""


@pytest.mark.parametrize("name", ["hello.c", "of mine.c", "hello.cpp", "hello.cc", "sub/hello.c"])
def test_the_cure_compiles_it(
    tmp_path: Path, tool: Callable[..., str], greeter: loader.Contract, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The command in the message, run as it stands, makes the plugin."""
    tool("cc")
    tool("c++")
    monkeypatch.chdir(tmp_path)
    source = tmp_path / name
    source.parent.mkdir(exist_ok=True)
    source.write_text(GREETER.with_name("hello.c").read_text() if name.endswith(".c") else CPP)
    shutil.copy(GREETER, source.parent)
    with pytest.raises(ImageError) as caught:
        loader.load(name, contract=greeter)
    cure = caught.value.cure
    assert cure is not None
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "loader"
    command.write_text(f"#!/bin/sh\necho {loader.include_dir()}\n")
    command.chmod(0o755)
    line = cure.removeprefix("Compile it: ")
    subprocess.run(["sh", "-c", f'PATH="{folder}:$PATH"; {line}'], check=True)
    assert "you" in loader.load(source.with_suffix(".so"), contract=greeter).greet("you")


@pytest.mark.parametrize(
    ("name", "text", "what", "cure"),
    [
        ("lib.rs", "fn main() {}\n", "is Rust source", "cargo build --release"),
        ("main.go", "package main\n", "is Go source", "go build -buildmode=c-shared"),
        ("hello.zig", "const a = 1;\n", "is Zig source", "zig build-lib -dynamic"),
        ("app.h", "int a;\n", "is a header", "--contract"),
        ("HELLO.C", "int a;\n", "is C source", "cc "),
        ("hello.so", "/* mine */\n#include <stdio.h>\n", "is C source", "cc "),
        ("plugin.py", "import os\n", "is a Python file", "compiled"),
        ("Cargo.toml", "[package]\n", "is a file to build plugins from", "cargo build"),
        ("CMakeLists.txt", "project(x)\n", "is a file to build plugins from", "cmake"),
        ("go.mod", "module x\n", "is a file to build plugins from", "go build"),
    ],
)
def test_what_it_is_and_the_cure(tmp_path: Path, name: str, text: str, what: str, cure: str) -> None:
    """By its name; C also by its text, whatever the file is called."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ImageError) as caught:
        loader.read_image(tmp_path / name)
    assert caught.value.what == what
    assert cure in (caught.value.cure or "")


def test_other_text_is_text(tmp_path: Path) -> None:
    """Nothing is guessed of it."""
    (tmp_path / "notes.txt").write_text("to do: #include the neighbours\n")
    with pytest.raises(ImageError, match="is a text file") as caught:
        loader.read_image(tmp_path / "notes.txt")
    assert caught.value.cure is None
