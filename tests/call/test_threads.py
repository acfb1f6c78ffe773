"""Threads: calls and documents from 64 threads while others load plugins."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import loader
from loader.htmlize import Htmlizer, Post

pytestmark = pytest.mark.usefixtures("placement")

Build = Callable[..., Path]

THREADS = 64
TIMES = {"in-process": 10_000, "worker": 2_000}


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Python passes the GIL on a hundred times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[int], object], loads: Callable[[int], object]) -> list[BaseException]:
    """Runs work(0) … work(63) at once, and `loads` again and again until they are done; what they raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(THREADS + 2)
    done = threading.Event()

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to say it
            errors.append(error)

    def load(first: int) -> None:
        start.wait()
        number = first
        try:
            while not done.is_set():
                loads(number)
                number += 2
        except BaseException as error:  # noqa: BLE001 - as above
            errors.append(error)

    workers = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    others = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in (*workers, *others):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    return errors


@pytest.fixture
def copies(tmp_path: Path) -> Callable[[Path, int], Path]:
    """Makes copies of a plugin that are libraries of their own, 40 for a thread: bytes behind the end differ."""

    def copy(path: Path, number: int) -> Path:
        target = tmp_path / f"{path.stem}_{number % 40}_{threading.get_ident()}.so"
        if not target.exists():
            shutil.copy(path, target)
            with target.open("ab") as file:
                file.write(str(number % 40).encode())
        return target

    return copy


@pytest.mark.usefixtures("quick_switches")
def test_calls_while_others_load(
    probe: loader.Plugin, probe_path: Path, copies: Callable[[Path, int], Path], placement: str
) -> None:
    """64 threads call, with short and long arguments and failures among them, while two load: 0 errors."""
    loaded: list[loader.Plugin] = []
    long = "é" * 9000

    def work(number: int) -> None:
        text = f"thread {number}"
        for i in range(TIMES[placement]):
            assert probe.echo(text) == text
            if i % 50 == 0:
                assert probe.echo(long) == long
                with pytest.raises(loader.PluginError, match=text):
                    probe.fail(1, text.encode())
            if i % 100 == 0 and loaded:
                assert loaded[-1].one(number - 32) == str(number - 32)

    def load(number: int) -> None:
        loaded.append(loader.load(copies(probe_path, number), contract=probe.contract))

    assert together(work, load) == []
    assert loaded


@pytest.mark.in_process("the engine of htmlize")
@pytest.mark.usefixtures("quick_switches")
def test_documents_while_others_load(
    build: Build, copies: Callable[[Path, int], Path], caplog: pytest.LogCaptureFixture, placement: str
) -> None:
    """64 threads render documents while two add plugins to the same Htmlizer: 0 errors, each its own HTML."""
    caplog.set_level("ERROR")  # plugins of one role take each other's place, which is warned of
    roles = build("fatal.c", "HTMLIZE", name="fatal", flags=["-Wno-infinite-recursion"])
    app = Htmlizer([roles])
    more = threading.Semaphore(30)  # each load makes a new engine of all that there are

    def work(number: int) -> None:
        post = Post(id=number, author=f"a{number}")
        text, html = f"x :fatal:`{number}` y", app.htmlize(f"x {number} y")
        for i in range(TIMES[placement]):
            assert app.htmlize(text, post) == html
            if i % 100 == 0:
                assert app.htmlize(text * 2000) == app.htmlize(f"x {number} y" * 2000)
                assert app.process_role("fatal", str(number), post) == str(number)

    def load(number: int) -> None:
        if more.acquire(timeout=0.01):
            app.load(copies(roles, number))

    assert together(work, load) == []
    assert len(app.plugins) > 1
