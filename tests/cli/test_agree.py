"""`loader list`, `inspect`, `doctor`, `call` and loader.discover say the same of a file that would not load."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import GREETER, PLUGINS

import loader
from loader.cli.commands import COMMANDS

if TYPE_CHECKING:
    from command import Command

Build = Callable[..., Path]
HEADER = str(GREETER)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the search of ELF systems")


@pytest.fixture
def library(tool: Callable[..., str], tmp_path: Path) -> Callable[..., Path]:
    """Makes lib/libNAME.so with a function NAME; the linker's options follow."""
    folder = tmp_path / "lib"
    folder.mkdir()

    def make(name: str, *options: str) -> Path:
        target = folder / f"lib{name}.so"
        source = tmp_path / f"{name}.c"
        source.write_text(f"int {name}(int a); int {name}(int a) {{ return a; }}\n")
        command = [tool("cc", "gcc", "clang"), "-shared", "-fPIC", str(source), f"-Wl,-soname,{target.name}"]
        subprocess.run([*command, "-o", str(target), *options], check=True)
        return target

    return make


def fragile(case: str, build: Build, library: Callable[..., Path], folder: Path) -> Path:
    """A plugin that does not load for the reason that `case` says."""
    plugin = folder / "plugin.so"
    if case == "a program":
        return Path(shutil.copy("/bin/ls", plugin))
    if case == "a library":
        return Path(shutil.copy(library("alone"), plugin))
    if case == "no marker of a contract":
        return Path(shutil.copy(build("hostile.c", "MARKS=MARK(loader_abi_1)"), plugin))
    if case == "no marker of the loader":
        return Path(shutil.copy(build("hostile.c", "MARKS=MARK(greeter_abi_1_0)"), plugin))
    if case == "a symbol that nobody has":
        return Path(shutil.copy(build("hostile.c", "NEEDS=nobody_has_this", "GREET=asks_neighbour"), plugin))
    if case == "a newer C library":
        data = build("hostile.c", "BUILD=43").read_bytes()
        oldest = next(each for each in (b"GLIBC_2.2.5\0", b"GLIBC_2.17\0") if each in data)
        plugin.write_bytes(data.replace(oldest, oldest[:-3] + b"99\0"))
        return plugin
    needed = library("first")
    flags = [f"-L{needed.parent}", "-Wl,--no-as-needed", "-lfirst", f"-Wl,-rpath,{needed.parent}"]
    if case == "through a library":
        second = library("second")
        library("first", f"-L{needed.parent}", "-Wl,--no-as-needed", "-lsecond", f"-Wl,-rpath,{needed.parent}")
        needed = second
    shutil.copy(build("hostile.c", f"BUILD={len(case)}", flags=flags), plugin)
    needed.unlink()
    if case == "no library but text":
        needed.write_text("not a library\n")
    elif case == "a link that leads nowhere":
        needed.symlink_to("nowhere.so")
    return plugin


CASES = {
    "a library that is missing": "Install libfirst.so",
    "through a library": "Install libsecond.so",
    "no library but text": "",
    "a link that leads nowhere": "Install libfirst.so",
    "a symbol that nobody has": "Link it with the library",
    "a newer C library": "Build it on an older system",
    "a program": "Name the plugin",
    "a library": "include the contract's header",
    "no marker of a contract": "include the contract's header",
    "no marker of the loader": "include the contract's header",
}


@pytest.mark.parametrize("case", CASES)
def test_all_ways_agree(
    command: Command, build: Build, library: Callable[..., Path], tmp_path: Path, sentinel: Path, case: str
) -> None:
    """Nobody calls it good, and all name the cure that loading names; no code of it runs."""
    path = fragile(case, build, library, tmp_path)
    called = command("call", path, "greet", "x", "--contract", HEADER, "--json")
    assert called.code == 4
    cure = called.json.get("cure", "")
    assert CASES[case] in cure
    for more in ((), ("--contract", HEADER)):
        listed = command("list", path, *more, "--json")
        assert listed.code == 1
        (row,) = listed.json["plugins"]
        assert row["status"] == "failed"
        assert cure in row["failure"].get("cure", "")
        told = command("doctor", path, *more, "--json").json["files"][0]["findings"]
        if more or case not in ("a library", "no marker of a contract", "no marker of the loader"):
            assert any(finding["fatal"] and cure in (finding["cure"] or "") for finding in told)
        (found,) = loader.discover(path, contract=loader.Contract.from_header(HEADER) if more else None)
        if case in ("a symbol that nobody has", "a newer C library"):
            continue  # it would have to read all libraries
        if more or case not in ("a program", "a library", "no marker of a contract", "no marker of the loader"):
            assert found.error is not None
            assert cure in (found.error.cure or "")
    if "marker" not in case and case != "a library":  # a library that is no plugin loads as a library
        shown = dict(line.split("  ", 1) for line in command("inspect", path).text.splitlines())
        assert shown["loads here"].strip().startswith("no: ")
        assert cure in shown["loads here"]
        assert not command("inspect", path, "--json").json["loads_here"]
    assert not sentinel.exists()


def test_all_ways_agree_on_a_good_plugin(command: Command, hello: Path) -> None:
    """What loads is called good by all."""
    assert command("call", hello, "greet", "x", "--contract", HEADER).code == 0
    assert command("list", hello, "--contract", HEADER).code == 0
    assert command("doctor", hello, "--contract", HEADER).code == 0
    assert "loads here    yes" in command("inspect", hello).text
    assert command("inspect", hello, "--json").json["loads_here"] is True


def test_list_tells_what_doctor_finds_beyond_libraries(command: Command, build: Build) -> None:
    """A symbol that nobody has ends a load too."""
    path = build("hostile.c", "NEEDS=nobody_has_this_symbol", "GREET=asks_neighbour")
    assert command("call", path, "greet", "x", "--contract", HEADER).code == 4
    done = command("list", path, "--contract", HEADER)
    assert done.code == 1
    assert "needs a symbol that no library has: nobody_has_this_symbol" in done.text
    assert "needs a symbol that no library has" in command("inspect", path).text


def test_discover_takes_what_is_loaded_already(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
    build: Build,
    library: Callable[..., Path],
) -> None:
    """A library that this process has under the needed name serves, as it does for loading."""
    needed = library("first")
    plugin = build("hostile.c", "BUILD=41", flags=[f"-L{needed.parent}", "-Wl,--no-as-needed", "-lfirst"])
    code = """
import ctypes, sys, loader
contract = loader.Contract.from_header(sys.argv[1])
(before,) = loader.discover(sys.argv[2], contract=contract)
assert isinstance(before.error, loader.LibraryError), before
assert before.candidate is not None
if sys.argv[3]:
    ctypes.CDLL(sys.argv[3])
    (after,) = loader.discover(sys.argv[2], contract=contract)
    assert after.error is None, after.error
    loader.load(sys.argv[2], contract=contract)
try:
    loader.discover(sys.argv[2], contract=contract, strict=True)
except loader.LibraryError as error:
    assert not sys.argv[3] and "libfirst.so" in str(error)
"""
    run_python(code, HEADER, plugin, needed)
    run_python(code, HEADER, plugin, "")


def test_discover_passes_a_folders_libraries_over(build: Build, library: Callable[..., Path], tmp_path: Path) -> None:
    """A library in a folder of plugins that needs what is missing is no plugin that fails; its plugin fails."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    second = library("second")
    first = library("first", f"-L{second.parent}", "-Wl,--no-as-needed", "-lsecond")
    flags = [f"-L{first.parent}", "-Wl,--no-as-needed", "-lfirst", "-Wl,-rpath,$ORIGIN"]
    flags += [f"-Wl,-rpath-link,{first.parent}"]
    shutil.copy(build("hostile.c", "BUILD=42", flags=flags), folder / "a.so")
    shutil.copy(first, folder)
    plugin, beside = loader.discover(folder, contract=loader.Contract.from_header(HEADER))
    assert isinstance(plugin.error, loader.LibraryError)
    assert "libsecond.so, which" in str(plugin.error)
    assert beside.error is None
    assert beside.needed_by == str(folder / "a.so")


def test_doctor_goes_on_after_a_file_that_is_not_there(command: Command, hello: Path, tmp_path: Path) -> None:
    """The others are looked at, whatever the order; the exit code is the worst one."""
    (tmp_path / "notes.so").write_text("not a library\n")
    for words in (("nowhere.so", "notes.so", hello), (hello, "notes.so", "nowhere.so")):
        done = command("doctor", *words)
        assert done.code == 3
        assert "does not exist" in done.text
        assert "is a text file" in done.text
        assert "nothing stands in the way" in done.text
        files = command("doctor", *words, "--json")
        assert files.code == 3
        assert files.json["with findings"] == 2
    assert command("doctor", "notes.so", hello).code == 1


def test_doctor_says_that_a_library_is_no_plugin(command: Command, library: Callable[..., Path]) -> None:
    """Nothing stands in its way, and still it is none."""
    done = command("doctor", library("alone"))
    assert done.code == 0
    assert "nothing stands in the way, but it is a library and not a plugin" in done.text


def test_no_line_ends_with_a_blank(
    command: Command, build: Build, library: Callable[..., Path], tmp_path: Path
) -> None:
    """In no table, report or help of any command."""
    bad = fragile("a library that is missing", build, library, tmp_path)
    tool_so = build("cli_tool.c", name="tool")
    tool_h = str(PLUGINS / "cli_tool.h")
    given = [(name, "--help") for name in COMMANDS] + [
        ("--help",),
        ("list", bad, tool_so, GREETER),
        ("list", bad, tool_so, "--contract", tool_h),
        ("inspect", bad),
        ("inspect", tool_so, "--contract", tool_h),
        ("doctor", bad, tool_so, "nowhere.so", GREETER),
        ("contract", tool_h),
        ("contract", "htmlize"),
        ("load-report", tool_so, "--contract", tool_h),
        ("load-report", bad, "--contract", HEADER),
        ("lock", tool_so),
        ("verify", tool_so),
        ("verify", bad),
        ("call", bad, "greet", "x", "--contract", HEADER),
    ]
    for words in given:
        done = command(*words)
        lines = (done.text + done.err).splitlines()
        assert lines
        assert [line for line in lines if line != line.rstrip()] == [], words


def test_help_of_each_command_has_the_exit_codes(command: Command) -> None:
    """Once, at its end."""
    for name in COMMANDS:
        text = command(name, "--help").text
        assert text.count("exit codes:") == 1, name
        assert text.rstrip().endswith("interrupted (Ctrl-C)"), name
