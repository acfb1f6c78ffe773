"""loader/observe/blame.py: what the application's own threads do is no plugin's doing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from forking import IN_CHILD
from tree import GREETER, PLUGINS

import loader
from loader.observe.blame import to_blame
from loader.observe.process_state import Change, watch

Together = Callable[[int, Callable[[int], object]], list[object]]
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")

HEADER = PLUGINS / "fatal.h"


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Another thread does the same again and again."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            work()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def one_thread_more() -> None:
    """A thread of Python's begins and ends."""
    thread = threading.Thread(target=time.sleep, args=(0.001,))
    thread.start()
    thread.join()


@pytest.mark.parametrize("strict", [False, True], ids=["warning", "strict"])
def test_calls_on_many_threads(probe: loader.Plugin, together: Together, strict: bool) -> None:
    """Looks of one thread are not seen by those of another, whose files they are."""
    with watch(probe, strict=strict) as state:
        together(8, lambda n: [probe.one(n) for _ in range(40)])
    assert state.seen == []


def test_threads_of_the_application(probe: loader.Plugin) -> None:
    """Threads that Python starts and ends while a plugin is called are not the plugin's."""
    with watch(probe, strict=True) as state, meanwhile(one_thread_more), meanwhile(one_thread_more):
        for number in range(120):
            probe.one(number)
    assert state.seen == []


def test_loads_on_another_thread(probe: loader.Plugin, hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """The copies of plugins that are loaded meanwhile stay open, and are not those of a plugin that is called."""
    count = iter(range(1_000_000))

    def load_one() -> None:
        path = tmp_path / f"copy{next(count)}.so"
        path.write_bytes(hello.read_bytes() + os.urandom(8))  # other bytes: another library
        loader.load(path, contract=greeter)
        time.sleep(0.01)

    with watch(probe) as state, meanwhile(load_one):
        until = time.monotonic() + 1
        while time.monotonic() < until:
            probe.one(1)
    # What the other thread had open when a call began, and has closed since, is a limit that docs/security.md tells.
    blamed = [change for _, _, change in state.seen if change.after is not None]
    assert next(count) > 10
    assert blamed == []


def test_a_plugin_beside_such_threads(run_python: Run, build: Callable[..., Path]) -> None:
    """A thread and a descriptor that a plugin leaves behind are told all the same, and once each."""
    fatal = build("fatal.c", flags=["-Wno-infinite-recursion"])
    code = """
import sys, threading, time, loader, loader.process_state
plugin = loader.load(sys.argv[2], contract=loader.Contract.from_header(sys.argv[1]))
over = threading.Event()
def churn():
    while not over.is_set():
        thread = threading.Thread(target=time.sleep, args=(0.001,))
        thread.start()
        thread.join()
churning = threading.Thread(target=churn)
with loader.process_state.watch(plugin) as state:
    churning.start()
    plugin.change("nothing")
    plugin.change("thread")
    plugin.change("descriptor")
    plugin.change("nothing")
    over.set()
print([(change.what, change.before) for _, _, change in state.seen])
"""
    done = run_python(code, HEADER, fatal)
    assert done.stdout == "[('threads', None), ('descriptors', None)]\n"


def test_a_strict_error_says_what_changed(build: Callable[..., Path]) -> None:
    """What was changed is in the call's own error, not only in its cause."""
    plugin = loader.load(
        build("fatal.c", flags=["-Wno-infinite-recursion"]), contract=loader.Contract.from_header(HEADER)
    )
    old = os.umask(0o022)
    try:
        with watch(plugin, strict=True), pytest.raises(loader.PluginError, match=r"umask: 022 before, 000 after$"):
            plugin.change("umask")
    finally:
        os.umask(old)


def test_what_is_gone_or_stays() -> None:
    """A descriptor that is closed again is nobody's fault, one that stays is told; so is one that was closed."""
    reading, writing = os.pipe()
    try:
        here, now = os.readlink(f"/proc/self/fd/{reading}"), str(reading)
        stays = Change("descriptors", now, None, here)
        closed = Change("descriptors", "7", "/somewhere", None)
        passed = [Change("descriptors", now, None, "/elsewhere"), Change("descriptors", "999999", None, here)]
        ended = Change("threads", "1", "gone", None)
        assert to_blame([stays, closed, *passed, ended]) == [stays, closed]
    finally:
        os.close(reading)
        os.close(writing)


def test_a_look_inside_of_a_look(run_python: Run, hello: Path) -> None:
    """An audit hook that calls a watched plugin in the middle of a look, on the same thread, does not hang."""
    code = """
import sys, loader, loader.process_state
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
calls = []
def hook(event, arguments):
    if event == "os.listdir" and not calls:
        calls.append(event)
        calls.append(plugin.greet("inside"))
sys.addaudithook(hook)
with loader.process_state.watch(plugin) as state:
    print(plugin.greet("outside"), calls, state.seen)
"""
    done = run_python(code, hello, GREETER)
    assert done.stdout == "Hello, outside! ['os.listdir', 'Hello, inside!'] []\n"


def test_forks_beside_looks(run_python: Run) -> None:
    """A child that is forked while another thread looks can look too."""
    code = f"""{IN_CHILD}
import threading, loader
from loader.process_state import snapshot
over = threading.Event()
def look():
    while not over.is_set():
        snapshot()
thread = threading.Thread(target=look)
thread.start()
for _ in range(20):
    in_child(lambda: snapshot().changes(snapshot()))
over.set()
"""
    done = run_python(code)
    assert done.stdout == "[]\n" * 20


def test_a_look_that_fails(run_python: Run, hello: Path) -> None:
    """An exception in the middle of a look leaves the way free for looks of other threads."""
    code = """
import sys, threading, loader
from loader.process_state import snapshot, watch
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
fails = True
def hook(event, arguments):
    if event == "os.listdir" and fails:
        raise RuntimeError
sys.addaudithook(hook)
with watch(plugin):
    print(plugin.greet("you"))
fails = False
thread = threading.Thread(target=snapshot, daemon=True)
thread.start()
thread.join(10)
print(thread.is_alive())
"""
    done = run_python(code, hello, GREETER)
    assert done.stdout == "Hello, you!\nFalse\n"
