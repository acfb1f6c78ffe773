"""Systems on which plugins can have no process of their own: all is importable, and what is tried is told why not."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

import pytest
from tree import GREETER

import loader.isolation

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

MODULES = [each.name for each in pkgutil.iter_modules(loader.isolation.__path__, "loader.isolation.")]
#: What is tried, by name: each must raise IsolationError.
TRIED = {
    "load": "loader.load(path, contract=contract, isolation=loader.Isolation())",
    "policy": "loader.load(path, contract=contract, policy=loader.Policy(isolate=True))",
    "host": "loader.Host(contract, isolation=loader.Isolation())",
    "host's plugin": "loader.Host(contract).load(path, isolated=True)",
    "host's policy": "loader.Host(contract, policy=loader.Policy(isolate=True), together=True).load(path)",
    "htmlizer": "loader.htmlize.Htmlizer([path], isolation=loader.Isolation())",
    "shared": "loader.shared(10)",
    "unpickled": "pickle.loads(pickled)",
    "doctor": "loader.isolation.probe.confinement_here()",
}
# What Windows lacks is taken away before any of ours is imported; the platform's name only afterwards: by that the
# package finds what it is built of.
PROGRAM = """
import os, select, signal, socket, sys
sys.modules["fcntl"] = sys.modules["resource"] = None
for module, names in {
    os: ("memfd_create", "MFD_CLOEXEC", "MFD_ALLOW_SEALING", "pidfd_open", "posix_spawn", "POSIX_SPAWN_DUP2",
         "P_PIDFD", "pipe2", "waitid"),
    select: ("epoll", "poll", "EPOLLIN", "POLLIN"),
    signal: ("SIGKILL", "SIGSTOP", "pidfd_send_signal"),
    socket: ("AF_UNIX", "SOCK_SEQPACKET", "SCM_RIGHTS", "MSG_NOSIGNAL"),
}.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
import importlib, pickle
import loader, loader.htmlize, loader._core._call
for name in ("Remote", "Worker", "shared_add", "shared_remove"):
    delattr(loader._core._call, name)
for name in MODULES:
    importlib.import_module(name)
loader.isolation.settings.sys = type(sys)("sys")
loader.isolation.settings.sys.platform = "win32"
path, header = sys.argv[1:]
contract = loader.Contract.from_header(header)
plugin = loader.load(path, contract=contract)
kind, arguments = importlib.import_module("loader.load").reduced(plugin)
class Away:
    def __reduce__(self):
        return kind, (*arguments, loader.Isolation())
pickled = pickle.dumps(Away())
for name, code in TRIED.items():
    try:
        eval(code)
    except loader.IsolationError as error:
        print(name, "|", error)
    else:
        print(name, "was done")
print(plugin.greet("you"))
"""


def test_without_what_linux_has(run_python: Callable[..., subprocess.CompletedProcess[str]], hello: Path) -> None:
    """Each module can be imported, each way to a process is an IsolationError with the reason, and all else works."""
    program = f"MODULES = {MODULES!r}\nTRIED = {TRIED!r}\n{PROGRAM}"
    *lines, last = run_python(program, hello, GREETER).stdout.splitlines()
    assert last == "Hello, you!"
    assert len(lines) == len(TRIED)
    for name, line in zip(TRIED, lines, strict=True):
        assert line.startswith(f"{name} | "), line
        assert "win32 has no sealed memory files" in line
        assert "Load them without isolation=, or run them on Linux" in line


@pytest.mark.parametrize("platform", ["win32", "darwin", "cygwin"])
def test_each_platform(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """The reason names the system."""
    monkeypatch.setattr("loader.isolation.settings.sys.platform", platform)
    with pytest.raises(loader.IsolationError, match=f"found {platform} has no") as caught:
        loader.isolation.settings.check_available()
    assert caught.value.exit_code == 4


def test_without_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package that was built without the worker's program says so."""
    monkeypatch.setattr("loader.isolation.settings.worker_program", lambda: str(tmp_path / "loader-worker"))
    with pytest.raises(loader.IsolationError, match="loader-worker is not there"):
        loader.isolation.settings.check_available()
