"""Whatever ends the host, its workers end too; while it lives, none becomes a zombie."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from falling import HEADER, runs, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")

# A host with two workers. It says which, and ends as it is told; "wait" is until it is killed.
BEGIN = """
import gc, os, signal, subprocess, sys, threading, time
import loader
contract = loader.Contract.from_header(sys.argv[1])
def load(**options):
    return loader.load(sys.argv[2], contract=contract, isolation=loader.Isolation(**options))
def tell(plugin):
    print(*plugin.worker.pids, flush=True)
def wait():
    time.sleep(600)
"""
HOST = f"""{BEGIN}
plugin = load(workers=2)
assert plugin.add(1, 2) == 3
"""
ENDS = {
    "killed": "tell(plugin); wait()",
    "asked to end": "tell(plugin); wait()",
    "interrupted": "tell(plugin); wait()",
    "aborts": "tell(plugin); os.abort()",
    "crashes": "import ctypes; tell(plugin); ctypes.string_at(0)",
    "leaves at once": "tell(plugin); os._exit(0)",
    "returns": "tell(plugin)",
    "raises": "tell(plugin); raise SystemExit(3)",
    "runs another program": "tell(plugin); os.execv('/bin/sleep', ['sleep', '600'])",
    "closes all descriptors and leaves": "tell(plugin); os.closerange(3, 1000); os._exit(0)",
    "in a call": "tell(plugin); plugin.fall('hang')",
    "in a call, killed by a thread": "tell(plugin); threading.Timer(0.1, os.abort).start(); plugin.fall('hang')",
    "its child lives": "tell(plugin)\nif os.fork() == 0: wait()\nos._exit(0)",
    "its child lives, it is killed": "pid = os.fork()\nif pid == 0: wait()\ntell(plugin); wait()",
    "its child lives, it runs another program": "pid = os.fork()\nif pid == 0: wait()\ntell(plugin)\n"
    "os.execv('/bin/sleep', ['sleep', '600'])",
    "loaded by a thread that ended": "thread = threading.Thread(target=lambda: globals().update(second=load()))\n"
    "thread.start(); thread.join(); time.sleep(0.1)\nassert second.add(1, 2) == 3\ntell(second); wait()",
    "while a worker starts": "threading.Timer(0.002, os._exit, (0,)).start(); tell(plugin)\nwhile True: load()",
    "deaf": "plugin.deaf(); tell(plugin); wait()",
}
BY_ITSELF = {
    "aborts",
    "crashes",
    "leaves at once",
    "returns",
    "raises",
    "runs another program",
    "closes all descriptors and leaves",
    "in a call, killed by a thread",
    "its child lives",
    "its child lives, it runs another program",
    "while a worker starts",
}
KILLED_BY = {"asked to end": signal.SIGTERM, "interrupted": signal.SIGINT}


@pytest.fixture
def path(build: Callable[..., Path]) -> Path:
    """The plugin falling, a file."""
    return build("falling.c", flags=["-Wno-infinite-recursion"])


@pytest.fixture
def start(path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a host with some code, in a session of its own, all of which is killed in the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(code: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(HEADER), str(path)]
        null = subprocess.DEVNULL
        host = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=null, stdin=null, text=True, start_new_session=True
        )
        started.append(host)
        return host

    yield begin
    for host in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(host.pid, signal.SIGKILL)
        host.wait(10)
        assert host.stdout is not None
        host.stdout.close()


def workers_of(host: subprocess.Popen[str]) -> list[int]:
    """What a host says of its workers."""
    assert host.stdout is not None
    return [int(each) for each in host.stdout.readline().split()]


@pytest.mark.parametrize("how", ENDS)
def test_no_orphans(start: Callable[..., subprocess.Popen[str]], how: str) -> None:
    """A host's workers end with it, however it ends."""
    host = start(HOST + ENDS[how])
    workers = workers_of(host)
    assert workers
    if how not in BY_ITSELF:
        host.send_signal(KILLED_BY.get(how, signal.SIGKILL))
    assert wait_until(lambda: not any(map(runs, workers)))


NO_ZOMBIES = {
    "it waits for none": "",
    "it ignores SIGCHLD": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n",
    "a handler waits for all children": "def reap(*_):\n"
    "    try:\n"
    "        while os.waitpid(-1, os.WNOHANG)[0]: pass\n"
    "    except ChildProcessError: pass\n"
    "signal.signal(signal.SIGCHLD, reap)\n",
    "a thread waits for all children": "def reap():\n"
    "    while True:\n"
    "        try: os.waitpid(-1, 0)\n"
    "        except ChildProcessError: time.sleep(0.001)\n"
    "threading.Thread(target=reap, daemon=True).start()\n",
}


@pytest.mark.parametrize("application", NO_ZOMBIES)
def test_no_zombies(start: Callable[..., subprocess.Popen[str]], application: str) -> None:
    """Workers that die are waited for, whatever the application does with its children; calls go on."""
    code = f"""{BEGIN}{NO_ZOMBIES[application]}
dead = []
plugin = load(crashes=100)
for number in range(5):
    dead += plugin.worker.pids
    try:
        plugin.fall("abort")
    except loader.PluginCrashed as error:
        assert error.function == "fall"
    else:
        raise SystemExit("it lived on")
    assert plugin.add(number, 1) == number + 1
dead += plugin.worker.pids
del plugin
gc.collect()
def there(pid):
    return os.path.exists(f"/proc/{{pid}}")
for _ in range(1000):
    if not any(map(there, dead)): break
    time.sleep(0.01)
print(*[pid for pid in dead if there(pid)], len(set(dead)))
"""
    host = start(code)
    assert host.stdout is not None
    assert host.stdout.read().split() == ["6"]
    assert host.wait(10) == 0


def test_children_have_workers_of_their_own(start: Callable[..., subprocess.Popen[str]]) -> None:
    """A forked child's calls are answered by workers of its own, which end with it; the parent's are not touched."""
    code = f"""{HOST}
for _ in range(2):
    parents = set(plugin.worker.pids)
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        assert plugin.add(20, 22) == 42
        own = set(plugin.worker.pids)
        assert own and not own & parents
        os.write(into, " ".join(map(str, own)).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    own = [int(pid) for pid in os.read(out, 100).split()]
    assert own
    for _ in range(1000):
        if not any(os.path.exists(f"/proc/{{pid}}/exe") for pid in own): break
        time.sleep(0.01)
    else:
        raise SystemExit("the child's worker lives")
    assert plugin.add(1, 2) == 3
    assert set(plugin.worker.pids) == parents
print("right")
"""
    host = start(code)
    assert host.stdout is not None
    assert host.stdout.read().split() == ["right"]


def test_interrupt_is_for_the_host(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Ctrl-C goes to the host's group: its workers are not in it, and serve on when it goes on."""
    code = f"""{HOST}
before = plugin.worker.pids
try:
    os.killpg(0, signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    pass
assert plugin.add(1, 2) == 3
assert plugin.worker.pids == before
print("right")
"""
    host = start(code)
    assert host.stdout is not None
    assert host.stdout.read().split() == ["right"]
