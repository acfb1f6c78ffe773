"""The end of the interpreter, with threads still inside of plugins; and processes of multiprocessing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from placements import python_path
from tree import GREETER, PLUGINS

import loader

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

HEADER = PLUGINS / "fatal.h"

#: Four threads that never leave the plugin, four that go in and out, and the end of the main thread.
INSIDE = """
import os, sys, threading, loader
header, path = sys.argv[1:]
plugin = loader.load(path, contract=loader.Contract.from_header(header))
ready = threading.Semaphore(0)
def stay():
    ready.release()
    plugin.stay()
def busy():
    ready.release()
    while True:
        plugin.echo("x")
        plugin.echo("y" * 20000)
for work in (stay, busy) * 4:
    threading.Thread(target=work, daemon=True).start()
for _ in range(8):
    ready.acquire()
print("at the end", flush=True)
"""


def ends(placement: str, script: Path, *arguments: str | Path) -> tuple[int, str]:
    """The exit code and all output of a program."""
    path = [*python_path(placement), str(Path(loader.__file__).parent.parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(script), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("end", ["return", "sys.exit", "exception in a thread"])
def test_exit_with_threads_inside(build: Build, tmp_path: Path, end: str, times: int, placement: str) -> None:
    """Each of many ends is clean, though threads are inside of a plugin: nothing is unmapped under them."""
    times = times if placement == "in-process" else times // 5
    more = {
        "return": "",
        "sys.exit": "sys.exit(0)",
        "exception in a thread": "threading.excepthook = print\nthreading.Thread(target=plugin.die).start()",
    }
    script = tmp_path / "inside.py"
    script.write_text(INSIDE + more[end])
    path = build("fatal.c", flags=["-Wno-infinite-recursion"])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: ends(placement, script, HEADER, path), range(times)))
    bad = [each for each in found if each[0] != 0 or not each[1].startswith("at the end\n")]
    assert bad == []
    assert len(found) == times


MULTI = """
import multiprocessing, sys, loader

def work(plugin, name):
    return plugin.greet(name)

def load_and_work(name):
    contract = loader.Contract.from_header(sys.argv[1])
    return loader.load(sys.argv[2], contract=contract).greet(name)

def main():
    method = sys.argv[3]
    contract = loader.Contract.from_header(sys.argv[1])
    plugin = loader.load(sys.argv[2], contract=contract) if sys.argv[4] == "before" else None
    with multiprocessing.get_context(method).Pool(2) as pool:
        if plugin is None:
            print(*pool.map(load_and_work, ["a", "b", "c", "d"]))
        else:
            try:
                print(*pool.starmap(work, [(plugin, name) for name in "abcd"]))
            except loader.LoaderError as error:
                print(type(error).__name__)

if __name__ == "__main__":
    main()
"""
METHODS = ["spawn", "fork", "forkserver"] if hasattr(os, "fork") else ["spawn"]
HELLO = "Hello, a! Hello, b! Hello, c! Hello, d!\n"
HELLO_GO = " ".join(f"half of a greeting for {name}" for name in "abcd") + "\n"


@pytest.mark.parametrize("loaded", ["before", "in the worker"])
@pytest.mark.parametrize("method", METHODS)
def test_multiprocessing(run_python: Run, hello: Path, method: str, loaded: str) -> None:
    """A plugin in C works in pools of each kind, passed on as an argument or loaded in the workers."""
    done = run_python(MULTI, GREETER, hello, method, loaded)
    assert done.stdout == HELLO


@pytest.mark.parametrize("loaded", ["before", "in the worker"])
@pytest.mark.parametrize("method", METHODS)
def test_multiprocessing_with_go(run_python: Run, go_panics: Path, method: str, loaded: str, placement: str) -> None:
    """A plugin with a Go runtime works where the process begins anew; in a forked one it raises at once, unless it
    is in a worker: the child has one of its own.
    """
    done = run_python(MULTI, GREETER, go_panics, method, loaded)
    refused = method == "fork" and loaded == "before" and placement == "in-process"
    assert done.stdout == ("ForkError\n" if refused else HELLO_GO)


# ---- A second Go runtime -----------------------------------------------------------------------------------

TWO = """
import logging, sys, loader
header, first, second, strict = sys.argv[1:]
logging.basicConfig(format="%(name)s %(message)s")
host = loader.Host(loader.Contract.from_header(header), strict=strict == "strict")
print(host.load(first).greet("x"))
host.load(first, name="again")
try:
    print(host.load(second).greet("y"))
except loader.LibraryError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def second_go(go_panics: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another file with a Go runtime: the same library, with some bytes behind its end."""
    path = tmp_path_factory.mktemp("go") / "second.so"
    path.write_bytes(go_panics.read_bytes() + b"another build")
    return path


@pytest.mark.in_process("each worker has one runtime")
def test_second_go_runtime_is_warned_of(run_python: Run, go_panics: Path, second_go: Path) -> None:
    """A second Go runtime gets a warning with what upstream says; the same file once more does not."""
    done = run_python(TWO, GREETER, go_panics, second_go, "lenient")
    assert done.stdout.count("half of a greeting") == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"loader.library {second_go} is the second Go runtime in this process, beside that of")
    assert "golang/go#65050" in line
    assert str(go_panics) in line


@pytest.mark.in_process("each worker has one runtime")
def test_second_go_runtime_is_refused(run_python: Run, go_panics: Path, second_go: Path) -> None:
    """A strict host refuses it before any of its code runs, and says what to do."""
    done = run_python(TWO.replace(', name="again"', ', name="again", claims=lambda _: ()'), GREETER, go_panics,
                      second_go, "strict")  # fmt: skip
    assert done.stdout.count("half of a greeting") == 1
    assert f"{second_go}: would be the second Go runtime here" in done.stdout
    assert "in a process of its own" in done.stdout
    assert done.stderr == ""


SERVING = """
import sys, threading, time, loader
class App:
    def work(self):
        time.sleep(0.0001)
        return ""
host = loader.Host(loader.Contract.from_header(sys.argv[1]), services={"serving.app/1": App()})
plugin = host.load(sys.argv[2])
for _ in range(4):
    threading.Thread(target=plugin.serve, args=(10**9,), daemon=True).start()
time.sleep(0.1)
print("at the end", flush=True)
"""


def test_exit_with_threads_in_services(build: Build, tmp_path: Path, placement: str) -> None:
    """Threads that wait for Python in a service are not unwound through a C++ plugin, whose guard would catch it."""
    script = tmp_path / "serving.py"
    script.write_text(SERVING)
    path = build("serving.cpp")
    for _ in range(5):
        assert ends(placement, script, PLUGINS / "serving.h", path) == (0, "at the end\n")
