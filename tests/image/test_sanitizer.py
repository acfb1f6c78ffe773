"""loader/image/sanitizer.py: code built with a sanitizer is refused before it ends the process."""

from __future__ import annotations

import os
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

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]
HEADER = str(GREETER)
FOLDER = GREETER.parent

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="sanitizers of GCC and clang on Linux"),
    pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="the run time is in this process"),
]

#: By name: compiler and options. Each ends the process, or is refused by the dynamic linker, when it comes late.
KINDS = {
    "address": ("gcc", "-fsanitize=address"),
    "address, clang": ("clang", "-fsanitize=address"),
    "address, in the file": ("gcc", "-fsanitize=address", "-static-libasan"),
    "thread": ("gcc", "-fsanitize=thread"),
    "leak": ("gcc", "-fsanitize=leak"),
    "memory": ("clang", "-fsanitize=memory"),
    "undefined, clang": ("clang", "-fsanitize=undefined"),
}


#: What is said of each: its own run time, by the compiler that has it.
WITH = "Build it without, or start Python with "
CURES = {
    "address": f"{WITH}ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=$(cc -print-file-name=libasan.so)",
    "address, clang": f"{WITH}ASAN_OPTIONS=detect_leaks=0 "
    f"LD_PRELOAD=$(clang -print-file-name=libclang_rt.asan-{os.uname().machine}.so)",
    "address, in the file": f"{WITH}ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=$(cc -print-file-name=libasan.so)",
    "thread": f"{WITH}LD_PRELOAD=$(cc -print-file-name=libtsan.so)",
    "leak": f"{WITH}LSAN_OPTIONS=exitcode=0 LD_PRELOAD=$(cc -print-file-name=liblsan.so)",
    "memory": "Build it without",
    "undefined, clang": f"{WITH}LD_PRELOAD=$(clang -print-file-name=libclang_rt.ubsan_standalone-"
    f"{os.uname().machine}.so)",
}


def sanitized(tool: Callable[..., str], target: Path, kind: str) -> Path:
    """The greeter's plugin, built with a sanitizer."""
    compiler, *options = KINDS[kind]
    command = [tool(compiler), "-shared", "-fPIC", "-O1", *options, f"-I{loader.include_dir()}", f"-I{FOLDER}"]
    done = subprocess.run([*command, str(FOLDER / "hello.c"), "-o", str(target)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{compiler} does not build {kind}: {done.stderr.decode()[:200]}")
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_with_a_sanitized_plugin(
    tool: Callable[..., str], run_python: Run, hello: Path, tmp_path: Path, kind: str
) -> None:
    """The host notes a typed failure with the cure, by load and discover too, and the others load."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    shutil.copy(hello, folder / "good.so")
    sanitized(tool, folder / "bad.so", kind)
    done = run_python(
        """
import sys, loader
contract = loader.Contract.from_header(sys.argv[2])
host = loader.Host(contract)
host.load_all(sys.argv[1])
assert [plugin.name for plugin in host.plugins] == ["good"]
assert host.plugins[0].greet("you") == "Hello, you!"
(failure,) = host.failures
bad, good = loader.discover(sys.argv[1], contract=contract)
assert good.error is None
for policy in (None, loader.Policy(permissions=True)):
    try:
        loader.load(sys.argv[1] + "/bad.so", contract=contract, policy=policy)
    except loader.HandshakeError as error:
        assert str(error) == str(failure) == str(bad.error)
lazy = loader.Host(contract).load(sys.argv[1] + "/bad.so", lazy=True)
try:
    lazy.greet
except loader.HandshakeError as error:
    print(error)
""",
        folder,
        HEADER,
    )
    assert "was built with a sanitizer, whose run time must be loaded first or ends the process" in done.stdout
    assert f"-fsanitize={kind.split(',', maxsplit=1)[0]}" in done.stdout
    assert f". {CURES[kind]}\n" in done.stdout


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "memory"])
def test_the_cure_works(tool: Callable[..., str], tmp_path: Path, kind: str) -> None:
    """Python, started as the cure says, loads the plugin and ends well; doctor has nothing else to say of it."""
    path = sanitized(tool, tmp_path / "bad.so", kind)
    command = Command("loader", tmp_path)
    (finding,) = command("doctor", path, "--json").json["files"][0]["findings"]
    settings = finding["cure"].removeprefix("Build it without, or start Python with ")
    done = command.shell(f'{settings} "$@"', "call", path, "greet", "you", "--contract", HEADER)
    assert (done.code, done.text) == (0, "Hello, you!"), done.err
    assert kind == "leak" or done.err == ""  # it tells of Python's leaks too
    for words in (("list", path, "--contract", HEADER), ("doctor", path)):
        done = command.shell(f'{settings} "$@"', *words)
        assert done.code == 0, done.text


def test_list_and_doctor_say_the_same(tool: Callable[..., str], tmp_path: Path) -> None:
    """`loader list`, with a contract and without, and `loader doctor` say it once each."""
    sanitized(tool, tmp_path / "bad.so", "address")
    command = Command("loader", tmp_path)
    for words in (("list", "."), ("list", ".", "--contract", HEADER), ("doctor", "bad.so", "--contract", HEADER)):
        done = command(*words)
        assert done.code == 1
        assert done.text.count("was built with a sanitizer") == 1, words


def test_a_library_that_a_plugin_needs(
    tool: Callable[..., str], build: Build, greeter: loader.Contract, tmp_path: Path
) -> None:
    """One level down it is the same: the library is named."""
    source = tmp_path / "below.c"
    source.write_text("int nobody_has_this(int a); int nobody_has_this(int a) { return a; }\n")
    command = [tool("gcc"), "-shared", "-fPIC", "-fsanitize=address", "-Wl,-soname,libbelow.so", str(source)]
    subprocess.run([*command, "-o", str(tmp_path / "libbelow.so")], check=True)
    flags = [f"-L{tmp_path}", "-lbelow", "-Wl,-rpath,$ORIGIN"]
    built = build("hostile.c", "NEEDS=nobody_has_this", "GREET=asks_neighbour", "BUILD=7301", flags=flags)
    plugin = shutil.copy(built, tmp_path / "top.so")
    with pytest.raises((LibraryError, HandshakeError), match="built with a sanitizer") as caught:
        loader.load(plugin, contract=greeter)
    assert caught.value.path == str(tmp_path / "libbelow.so")
    command = Command("loader", tmp_path)
    for words in (("doctor", "top.so"), ("list", "top.so", "--contract", HEADER), ("inspect", "top.so")):
        assert "needs libbelow.so, which was built with a sanitizer" in command(*words).text


def test_the_run_time_is_there(tool: Callable[..., str], run_python: Run, tmp_path: Path) -> None:
    """With the run time preloaded it loads; UBSan's own library may come late, and does not count."""
    path = sanitized(tool, tmp_path / "bad.so", "address")
    asan = subprocess.run([tool("gcc"), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    code = """
import sys, loader
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
print(plugin.greet("you"))
"""
    quiet = "detect_leaks=0"
    done = run_python(code, path, HEADER, LD_PRELOAD=asan.stdout.strip(), ASAN_OPTIONS=quiet)
    assert done.stdout == "Hello, you!\n"
    command = [tool("gcc"), "-shared", "-fPIC", "-fsanitize=undefined", f"-I{loader.include_dir()}", f"-I{FOLDER}"]
    late = tmp_path / "ubsan.so"
    subprocess.run([*command, str(FOLDER / "hello.c"), "-o", str(late)], check=True)
    assert run_python(code, late, HEADER).stdout == "Hello, you!\n"
