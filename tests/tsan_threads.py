"""Threads that do all that the C code does, at once, for tests/tsan.sh: every worker repeats one kind of work until
the time is over, and the counts are printed.

    python tests/tsan_threads.py FOLDER --seconds 40

FOLDER has the plugins: probe.so, lend.so, stateful.so, and count.so and contents.so of plugins/counter.c.
ThreadSanitizer, not this program, says whether two threads touched one thing unordered; but an exception, or a worker
that did nothing, ends it with 1.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loader
import loader.crash
import loader.process_state
from loader.htmlize import Htmlizer, Post

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
from lending import Clock, Database  # noqa: E402

#: Long enough for calls to lie side by side, and for output to grow.
LONG = "é" * 9000
DOCUMENT = "x :count:`a` y & z :count:`b` "
#: Plugins that are loaded during the run: each stays, as nothing is unmapped.
MOST_LOADS, MOST_FIRST_USES = 60, 40
Worker = Callable[[int], str]


class Threads:
    """The workers: each method does one piece of work, told which number it is, and says what it was."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.work = work
        self.report = work / "report"
        contract = loader.Contract.from_header(TESTS / "plugins" / "probe.h")
        self.probes = loader.Host(contract, quarantine=self.report)
        self.probe_path = folder / "probe.so"
        self.probe = self.probes.load(self.probe_path)
        self.lends = loader.Host(
            loader.Contract.from_header(TESTS / "plugins" / "lend.h"), services={"lend.db/1": Database()}
        )
        self.lend = self.lends.load(folder / "lend.so")
        stateful = loader.Contract.from_header(TESTS / "plugins" / "stateful.h")
        self.stateful: Any = loader.load(folder / "stateful.so", contract=stateful)
        self.counter, self.hub = self.stateful.counter(1, 0), self.stateful.hub()
        self.count_path = folder / "count.so"
        self.app = Htmlizer([self.count_path, folder / "contents.so"])
        self.token = loader.CancelToken()

    # ---- Calls ----

    def short_call(self, number: int) -> str:
        """Short calls."""
        for i in range(50):
            assert self.probe.echo(f"{number} {i}") == f"{number} {i}"
        return "50 calls"

    def long_call(self, _number: int) -> str:
        """Long calls, and failures, whose texts are kept in the call; and lines of log, which wait in it."""
        for _ in range(20):
            assert self.probe.echo(LONG) == LONG
            with suppress(loader.PluginError):
                self.probe.fail(1, b"as it was told")
            self.probe.spin(1)
        return "60 calls"

    def struct_call(self, number: int) -> str:
        """Structs and integers, from a plugin that was loaded during the run if there is one."""
        plugins = self.probes.plugins
        plugin: Any = plugins[number % len(plugins)]
        for i in range(20):
            assert plugin.one(i) == str(i)
            plugin.between("from", {"x": 1.0, "y": 2.0}, {"x": 3.0, "y": float(i)})
        return "40 calls"

    def service_call(self, number: int) -> str:
        """Calls that come back into Python, one of them from a thread that the plugin starts, which is refused."""
        for _ in range(10):
            assert self.lend.title(2) == "Twö"
            assert "TEXT" in self.lend.note("text")
            with suppress(loader.PluginError):
                self.lend.title(99)
            self.lend.from_thread(number % 3)
        return "40 calls"

    def instance_call(self, number: int) -> str:
        """Instances of this thread and of all, which wait for each other, are merged in both orders and closed while
        others use them; an interface comes back into Python.
        """
        for i in range(10):
            mine, shared = self.stateful.counter(i, 0), self.counter
            with suppress(loader.InstanceError):  # closed
                shared.add(1)
                self.stateful.merge(mine, shared)
                self.stateful.merge(shared, mine)
            assert list(mine) == [*range(i, 0, -1)]
            with suppress(loader.InstanceError):
                self.hub.during(lambda _done: None)
        if number % 7 == 0:
            self.counter.close()
            self.counter = self.stateful.counter(1, 0)
            self.hub.close()
            self.hub = self.stateful.hub()
        return "40 calls"

    # ---- Documents ----

    def short_document(self, number: int) -> str:
        """Short documents and single roles."""
        for _ in range(20):
            assert "<b>" in self.app.htmlize(DOCUMENT, Post(id=number))
            assert "<b>" in self.app.process_role("count", "x", Post(id=number))
        return "20 documents"

    def long_document(self, _number: int) -> str:
        """Long documents, side by side through one engine and its plugins; failures are kept."""
        problems: list[object] = []
        text = DOCUMENT * 600 + ":count:`fail`"
        html = self.app.htmlize(text, escape=True, plugin_errors="keep", report=problems.append)
        assert html.count("<b>") == 1200
        assert len(problems) == 1
        assert self.app.htmlize(text[:-7].encode()).count(b"<b>") == 1200
        return "2 documents"

    # ---- What others do meanwhile ----

    def load(self, number: int) -> str:
        """Plugins are loaded, into a host that is in use and into an Htmlizer that gets a new engine; a service is
        added to a host whose plugins look for theirs.
        """
        if number >= MOST_LOADS:
            time.sleep(0.01)
            return "0 loads"
        self.probes.load(self._copy(self.probe_path, number))
        added = self.app.load(self._copy(self.count_path, number)) if number % 6 == 0 else None
        if number == MOST_LOADS // 2:
            self.lends.provide("lend.clock/2", Clock())
        return "2 loads" if added else "1 loads"

    def first_use(self, number: int) -> str:
        """Three threads at once are the first to use a plugin, which is opened then."""
        if number >= MOST_FIRST_USES:
            time.sleep(0.01)
            return "0 documents"
        app = Htmlizer([self.count_path], lazy=True)
        with ThreadPoolExecutor(3) as pool:
            for html in pool.map(app.htmlize, [DOCUMENT, DOCUMENT * 600, DOCUMENT]):
                assert "<b>" in html
        return "3 documents"

    def _copy(self, path: Path, number: int) -> Path:
        """A library of its own: bytes behind the end differ."""
        target = self.work / f"{path.stem}_{number}.so"
        shutil.copy(path, target)
        with target.open("ab") as file:
            file.write(str(number).encode())
        return target

    def limit(self, _number: int) -> str:
        """Deadlines and tokens are set, pass, and are cancelled from another thread while calls run under them."""
        token = self.token
        with suppress(loader.DeadlineExceeded, loader.CallCancelled), loader.deadline(0.002), token:
            self.probe.spin(50)
        with suppress(loader.DeadlineExceeded, loader.CallCancelled), token, loader.deadline(10):
            self.probe.spin(5)
            self.app.htmlize(DOCUMENT * 100)
        return "3 limits"

    def cancel(self, _number: int) -> str:
        """Raises the flag that the calls of `limit` are under."""
        time.sleep(0.003)
        before, self.token = self.token, loader.CancelToken()
        before.cancel()
        return "1 cancels"

    def crash(self, number: int) -> str:
        """A plugin of a document raises a signal that is ignored: the handler writes the thread's breadcrumb, asks
        who was there before, and takes the line back.
        """
        self.app.htmlize(f"a document :count:`trap` {number}")
        self.app.htmlize(DOCUMENT * 600 + ":count:`trap`")
        return "2 breadcrumbs"

    def passing_thread(self, _number: int) -> str:
        """A thread that calls once gets a stack for handlers, and gives it back when it ends."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.app.htmlize, ":count:`trap`").result()
        return "1 breadcrumbs"

    def switch(self, _number: int) -> str:
        """Crash reports are turned off and on; traps that come meanwhile are told, or ignored."""
        loader.crash.disable()
        time.sleep(0.001)
        loader.crash.enable(self.report, traceback=False)
        time.sleep(0.02)
        return "1 switches"

    def watch(self, _number: int) -> str:
        """The state of the process is compared around the calls of a plugin that others are in."""
        with loader.process_state.watch(self.app.roles["count"]):
            self.app.htmlize(DOCUMENT)
        time.sleep(0.05)
        return "1 watches"


@contextmanager
def _often() -> Iterator[None]:
    """Python passes the GIL on a hundred times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def run(threads: Threads, seconds: float) -> tuple[Counter[str], list[BaseException]]:
    """All workers, each several times over; what they did, and what they raised."""
    workers: dict[Worker, int] = {
        threads.short_call: 2,
        threads.long_call: 3,
        threads.struct_call: 2,
        threads.service_call: 2,
        threads.instance_call: 3,
        threads.short_document: 2,
        threads.long_document: 3,
        threads.load: 1,
        threads.first_use: 1,
        threads.limit: 2,
        threads.cancel: 1,
        threads.crash: 2,
        threads.passing_thread: 1,
        threads.switch: 1,
        threads.watch: 1,
    }
    counts: list[Counter[str]] = []
    errors: list[BaseException] = []
    end = time.monotonic() + seconds

    def repeat(worker: Worker) -> None:
        done: Counter[str] = Counter()
        counts.append(done)
        try:
            for number in itertools.count():
                amount, what = worker(number).split(" ")
                done[what] += int(amount)
                if time.monotonic() >= end or errors:
                    break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            errors.append(error)

    all_ = [
        threading.Thread(target=repeat, args=(worker,)) for worker, times in workers.items() for _ in range(times)
    ]
    for each in all_:
        each.start()
    for each in all_:
        each.join()
    return sum(counts, Counter()), errors


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=40)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # several plugins have one role; several threads change the process's state
    signal.signal(signal.SIGTRAP, signal.SIG_IGN)
    with ExitStack() as stack:
        stack.enter_context(_often())
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        threads = Threads(arguments.folder, work)
        loader.crash.enable(threads.report, traceback=False)
        done, errors = run(threads, arguments.seconds)
        loader.crash.disable()
        alive = [crash for crash in loader.crash.read_report(threads.report) if crash.function != "process_role"]
    for error in errors:
        traceback.print_exception(error)
    print(", ".join(f"{number:,} {what}" for what, number in done.items()))
    return 1 if errors or alive else 0


if __name__ == "__main__":
    sys.exit(main())
