"""loader/cli/supervise.py: no plugin outlives the command, and none runs past its time; `python -m loader`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command
from tree import PLUGINS

Build = Callable[..., Path]
HEADER = str(PLUGINS / "cli_tool.h")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_there(process: int) -> bool:
    """Whether a process runs; one that is dead and not yet asked for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the system's word for it is Linux's")
@pytest.mark.parametrize("way", ["hang", "stubborn"])
def test_no_orphan(command: Command, tool_so: Path, way: str) -> None:
    """Kill -9 of the command ends the child too, whatever the plugin does with other signals."""
    with command.start("call", tool_so, "misbehave", way, "--contract", HEADER) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"hanging\n"
        (child,) = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        end = time.monotonic() + 30
        while is_there(child) and time.monotonic() < end:
            time.sleep(0.01)
        assert not is_there(child)


@pytest.mark.parametrize("way", ["hang", "stubborn"])
def test_deadline_of_a_plugin_that_never_asks(command: Command, tool_so: Path, way: str) -> None:
    """A second after its deadline it is ended: exit code 6, with the cure."""
    begin = time.monotonic()
    done = command("call", tool_so, "misbehave", way, "--contract", HEADER, "--deadline", "0.3")
    assert done.code == 6
    assert time.monotonic() - begin < 30
    said = "plugin tool did not stop in misbehave at its deadline of 0.3 s and was ended"
    assert said in done.err
    assert "loader_cancelled" in done.err


def test_deadline_as_json(command: Command, tool_so: Path) -> None:
    """The error is the same as that of a plugin that stopped itself."""
    done = command("call", tool_so, "misbehave", "hang", "--contract", HEADER, "--deadline", "0.1", "--json")
    assert (done.code, done.json["error"], done.json["function"]) == (6, "DeadlineExceeded", "misbehave")


def test_deadline_of_a_constructor(command: Command, build: Build, tmp_path: Path) -> None:
    """Loading counts too: a constructor that never ends is ended."""
    source = tmp_path / "slow.c"
    source.write_text(
        '__attribute__((constructor)) static void waits(void) { for (;;) __asm__ volatile(""); }\n'
        f'#include "{PLUGINS}/cli_tool.c"\n'
    )
    slow = build(source, name="slow")
    done = command("call", slow, "echo", "x", "--contract", HEADER, "--deadline", "0.2")
    assert done.code == 6
    assert "did not stop in echo" in done.err


def test_deadline_does_not_count_standard_input(command: Command, tool_so: Path) -> None:
    """The time that arguments take to come is the user's."""
    words = ("call", tool_so, "echo", "@-", "--contract", HEADER, "--deadline", "0.1")
    with command.start(*words, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        time.sleep(1.6)
        process.stdin.write(b"late")
        process.stdin.close()
        assert process.stdout.read() == b"late"
        assert process.wait(60) == 0


def test_enough_time(command: Command, tool_so: Path) -> None:
    """A call that ends in time is not touched, and gives what it gives without a deadline."""
    done = command("call", tool_so, "echo", "x", "--contract", HEADER, "--deadline", "30")
    assert (done.code, done.out, done.err) == (0, b"x", "")
    done = command("call", tool_so, "misbehave", "abort", "--contract", HEADER, "--deadline", "30")
    assert done.code == 6
    assert "crashed" in done.err


def test_python_m_loader(tmp_path: Path) -> None:
    """`python -m loader` is the command `loader`."""
    script = shutil.which("loader", path=str(Path(sys.executable).parent))
    environment = Command("loader", tmp_path).environment()
    given = [sys.executable, "-m", "loader", "--version"]
    module = subprocess.run(given, env=environment, capture_output=True, check=True)
    assert module.stdout.startswith(b"loader ")
    if script is not None:
        assert subprocess.run([script, "--version"], env=environment, capture_output=True, check=True).stdout == (
            module.stdout
        )
    failed = subprocess.run([*given[:3], "nothing"], env=environment, capture_output=True, check=False)
    assert failed.returncode == 2


def test_a_misspelt_function(command: Command, tool_so: Path) -> None:
    """What comes near is said."""
    done = command("call", tool_so, "ecoh", "x", "--contract", HEADER)
    assert done.code == 2
    assert "has no function ecoh" in done.err
    assert "Did you mean echo?" in done.err
    assert "Did you mean" not in command("call", tool_so, "zzzzzz", "x", "--contract", HEADER).err
