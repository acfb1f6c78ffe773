"""The confined program of tests/confining.py, compiled, as this user and as nobody."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confining import Confined, can_be_nobody, give
from tree import EMULATED, PLUGINS, ROOT

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
WORKER = ROOT / "loader" / "_core" / "worker"


@pytest.fixture(scope="session")
def confined_folder() -> Iterator[Path]:
    """A folder that every user may reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="loader-confined-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def compile_c(tool: Callable[..., str], target: Path, *words: str) -> Path:
    """Compiles as the worker is: no warning is let pass."""
    command = [tool("cc", "gcc", "clang"), "-std=c11", "-O2", *WARNINGS, "-fvisibility=hidden", "-pthread"]
    subprocess.run([*command, *words, "-ldl", "-o", str(target)], check=True)
    target.chmod(0o755)
    return target


@pytest.fixture(scope="session")
def confined_program(tool: Callable[..., str], confined_folder: Path) -> tuple[Path, Path]:
    """The program, and the library of acts."""
    if not sys.platform.startswith("linux"):
        pytest.skip("workers are confined on Linux only")
    if EMULATED:
        pytest.skip("qemu-user has no filters of system calls")
    sources = map(str, sorted(WORKER.glob("confine*.c")))
    program = compile_c(tool, confined_folder / "run", str(PLUGINS / "confine_run.c"), *sources, "-rdynamic")
    compile_c(tool, confined_folder / "runtime.so", str(PLUGINS / "confined" / "runtime.c"), "-fPIC", "-shared")
    return program, compile_c(tool, confined_folder / "acts.so", str(PLUGINS / "acts.c"), "-fPIC", "-shared")


@pytest.fixture(params=["this user", "nobody"])
def confined(request: pytest.FixtureRequest, confined_program: tuple[Path, Path]) -> Iterator[Confined]:
    """Runs the program, as this user and as one without any capability."""
    if request.param == "nobody" and not can_be_nobody():
        pytest.skip("only root can become another user, with setpriv")
    folder = Path(tempfile.mkdtemp(prefix="loader-acts-"))
    folder.chmod(0o755)
    give(folder, request.param)
    yield Confined(*confined_program, folder=folder, user=request.param)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def listeners() -> Iterator[dict[str, str]]:
    """Sockets that a plugin would reach, and the acts that try."""
    abstract, datagrams = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with abstract, datagrams, udp, socket.socket() as port:
        names = [f"loader-test-{os.getpid()}-{kind}" for kind in ("stream", "datagram")]
        abstract.bind("\0" + names[0])
        abstract.listen(100)
        datagrams.bind("\0" + names[1])
        port.bind(("127.0.0.1", 0))
        port.listen(100)
        udp.bind(("127.0.0.1", 0))
        yield {
            "connect_unix": f"@{names[0]}",
            "send_by_pair": f"@{names[1]}",
            "send_udp": str(udp.getsockname()[1]),
            "connect_tcp": str(port.getsockname()[1]),
        }
