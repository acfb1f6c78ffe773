"""What a process of its own costs and holds: the figures of isolated plugins that are no job of the side-by-side.

    python tests/benchmarks/isolation.py                       half a minute
    python tests/benchmarks/isolation.py --full                1,000 kills, 200 ends of hosts: some minutes
    python tests/benchmarks/isolation.py --rows idle,hang      only these

A row is printed for each figure, with its goal. The exit status is 1 if what is promised did not hold: an answer lost
or wrong, a call made twice, an orphan. Times are shown and never fail it: they are the machine's as well.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import loader  # noqa: E402 - behind the path
from tests.benchmarks.ratios import quantile  # noqa: E402

SOURCE = ROOT / "tests" / "plugins" / "falling.c"
Row = tuple[str, str, str, "bool | None"]  # figure, goal, reached, whether a promise holds; None: only a figure

#: Kills what it is told, after a while, and says when that was.
KILLER = """
import os, signal, sys, time
for line in sys.stdin:
    pid, pause = line.split()
    time.sleep(float(pause))
    at = time.monotonic_ns()
    os.kill(int(pid), signal.SIGKILL)
    print(at, flush=True)
"""
#: A host with two workers: how it ends comes behind it.
HOST = """
import os, signal, sys, threading, time
import loader
contract = loader.Contract.from_header(sys.argv[1])
plugin = loader.load(sys.argv[2], contract=contract, isolation=loader.Isolation(workers=2))
assert plugin.add(1, 2) == 3
print(*plugin.worker.pids, flush=True)
"""
WAIT = "time.sleep(60)"
ENDS: dict[str, tuple[str, int | None]] = {
    "kill -9": (WAIT, signal.SIGKILL),
    "SIGTERM": (WAIT, signal.SIGTERM),
    "SIGINT": (WAIT, signal.SIGINT),
    "kill -9 in a call": ("plugin.fall('hang')", signal.SIGKILL),
    "abort": ("os.abort()", None),
    "os._exit": ("os._exit(0)", None),
    "exec": ("os.execv('/bin/sleep', ['sleep', '60'])", None),
    "returns": ("", None),
    "its child lives": (f"if os.fork() == 0: {WAIT}\nos._exit(0)", None),
    "kill -9, its child lives": (f"os.fork()\n{WAIT}", signal.SIGKILL),
}


def build(folder: Path, *defines: str) -> Path:
    """The plugin that falls as it is told."""
    target = folder / f"falling{''.join(defines)}.so"
    flags = ["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", f"-I{ROOT / 'include'}"]
    subprocess.run(["cc", *flags, *(f"-D{each}" for each in defines), SOURCE, "-o", target], check=True)
    return target


class Figures:
    """The rows, each a method, in the order of the table."""

    def __init__(self, folder: Path, *, full: bool) -> None:
        self.folder, self.full = folder, full
        self.contract = loader.Contract.from_header(SOURCE.with_suffix(".h"))
        self.path = build(folder)
        self.load().add(1, 1)  # imports, and what is read once

    def load(self, path: Path | None = None, **options: object) -> loader.Plugin:
        """The plugin in a process of its own."""
        isolation = loader.Isolation(**options)  # type: ignore[arg-type]
        return loader.load(path or self.path, contract=self.contract, isolation=isolation)

    def ready(self) -> Iterator[Row]:
        """From the path to a plugin that has answered a call, again and again in one process."""
        for sandbox in ("default", "off"):
            taken = []
            for _ in range(200 if self.full else 20):
                start = time.perf_counter()
                plugin = self.load(sandbox=sandbox)
                plugin.add(1, 1)
                taken.append((time.perf_counter() - start) * 1e3)
                del plugin
            yield f"worker ready, C plugin, sandbox {sandbox}", "≤ 3 ms", spread(taken, "ms"), None

    def memory(self) -> Iterator[Row]:
        """Bytes that a worker alone has, after calls."""
        plugin = self.load()
        for _ in range(100):
            plugin.add(1, 1)
        assert plugin.worker is not None
        yield "memory per worker, private", "≤ 1 MB", f"{plugin.worker.memory / 1e6:.3f} MB", None

    def idle(self) -> Iterator[Row]:
        """Processor time of workers, and of this process's other threads, while no call comes."""
        plugin = self.load(workers=2)
        for _ in range(1000):
            plugin.add(1, 1)
        time.sleep(0.1)
        seconds = 10.0 if self.full else 2.0
        own = {int(each) for each in os.listdir("/proc/self/task")} - {threading.get_native_id()}
        before = used(pids_of(plugin)), sum(used_by_thread(os.getpid(), each) for each in own)
        time.sleep(seconds)
        after = used(pids_of(plugin)), sum(used_by_thread(os.getpid(), each) for each in own)
        for name, first, last in zip(("two workers", "the host's thread"), before, after, strict=True):
            share = (last - first) / 1e9 / seconds
            yield f"idle: {name}, {seconds:g} s", "0 % CPU", f"{share:.4%} ({(last - first) / 1e3:.0f} µs)", None

    def kill(self) -> Iterator[Row]:
        """Kill -9 at any time of a stream of calls, each of which writes its number into a file."""
        times = 1000 if self.full else 50
        log = self.folder / "log"
        plugin = self.load(sandbox="off", crashes=1_000_000)
        assert plugin.worker is not None
        answered: set[int] = set()
        crashed: set[int] = set()
        wrong, number, recovery = 0, 0, []
        with killer() as kill:
            for _ in range(times):
                restarts = plugin.worker.restarts
                kill(pids_of(plugin)[0], random.uniform(0, 0.004))
                while plugin.worker.restarts == restarts:  # by a call, or between two of them
                    number += 1
                    try:
                        wrong += plugin.note(str(log), number) != 2 * number
                        answered.add(number)
                    except loader.PluginCrashed:
                        crashed.add(number)
                recovery.append((time.monotonic_ns() - kill(None, 0)) / 1e6)
        data = log.read_bytes()
        written = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
        lost, double = len(answered - set(written)), len(written) - len(set(written))
        strange = len(set(written) - answered - crashed)
        reached = f"{lost} lost, {double} double, {wrong + strange} wrong of {number} calls"
        holds = lost == double == wrong == strange == 0
        yield f"kill -9 under load, {times} times", "0 lost, 0 double, 0 wrong", reached, holds
        yield "  from the kill to the next answer", "p99 < 10 ms", spread(recovery, "ms", 0.99), None

    def hang(self) -> Iterator[Row]:
        """What a call that hangs takes more than its deadline and grace."""
        deadline = grace = 0.05
        plugin = self.load(deadline=deadline, grace=grace, crashes=1_000_000)
        over, holds = [], True
        for _ in range(100 if self.full else 10):
            plugin.add(1, 1)
            [pid] = pids_of(plugin)
            start = time.perf_counter()
            try:
                plugin.fall("hang")
                holds = False
            except loader.DeadlineExceeded:
                over.append((time.perf_counter() - start - deadline - grace) * 1e3)
            holds = holds and not os.path.exists(f"/proc/{pid}/exe")
        yield "hang: overrun past grace", "< 20 ms", spread(over, "ms", 1.0), holds

    def orphans(self) -> Iterator[Row]:
        """Hosts that end in all ways; their workers a second later."""
        ways = list(ENDS.items()) * (20 if self.full else 1)
        orphans, workers = 0, 0
        for at in range(0, len(ways), 5):
            left, all_ = self._end_hosts(ways[at : at + 5])
            orphans, workers = orphans + left, workers + all_
        reached = f"{orphans} orphans of {workers} workers after 1 s"
        yield f"host ended {len(ways)} times in {len(ENDS)} ways", "0 orphans", reached, orphans == 0

    def _end_hosts(self, ways: list[tuple[str, tuple[str, int | None]]]) -> tuple[int, int]:
        hosts = []
        for _, (code, by) in ways:
            command = [sys.executable, "-c", HOST + code, SOURCE.with_suffix(".h"), self.path]
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
            hosts.append((subprocess.Popen(command, text=True, start_new_session=True, **streams), by))
        pids = []
        for host, by in hosts:
            assert host.stdout is not None
            pids += [int(each) for each in host.stdout.readline().split()]
            if by is not None:
                host.send_signal(by)
        time.sleep(1.0)
        left = [pid for pid in pids if os.path.exists(f"/proc/{pid}/exe")]
        for host, _ in hosts:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(host.pid, signal.SIGKILL)
            host.wait()
        return len(left) + 2 * len(ways) - len(pids), len(pids)

    def threads(self) -> Iterator[Row]:
        """Calls of 0.1 ms from 64 threads; a plugin that works on one thread at a time needs more workers."""
        alone = build(self.folder, "ALONE")
        for what, path in (("a plugin that locks", alone), ("one that does not", self.path)):
            speeds, errors = [], 0
            for workers in (1, 2):
                speed, failed = self._speed(self.load(path, workers=workers))
                speeds.append(speed)
                errors += failed
            cores = len(os.sched_getaffinity(0))
            reached = f"{speeds[0]:,.0f} and {speeds[1]:,.0f} calls/s ({speeds[1] / speeds[0]:.2f}), {errors} errors"
            goal = "grows; 0 errors" if path == alone else "0 errors"
            yield f"64 threads, 1 and 2 workers, {cores} cores: {what}", goal, reached, errors == 0

    def _speed(self, plugin: loader.Plugin) -> tuple[float, int]:
        rounds = 100_000
        expected, over = plugin.work(rounds), threading.Event()
        done, errors = [0] * 64, [0] * 64

        def call(thread: int) -> None:
            while not over.is_set():
                try:
                    errors[thread] += plugin.work(rounds) != expected
                    done[thread] += 1
                except loader.LoaderError:
                    errors[thread] += 1

        crew = [threading.Thread(target=call, args=(number,)) for number in range(64)]
        for each in crew:
            each.start()
        time.sleep(0.3)
        before, start = sum(done), time.perf_counter()
        time.sleep(4.0 if self.full else 1.0)
        speed = (sum(done) - before) / (time.perf_counter() - start)
        over.set()
        for each in crew:
            each.join()
        return speed, sum(errors)


ROWS = ("ready", "memory", "idle", "kill", "hang", "orphans", "threads")


def pids_of(plugin: loader.Plugin) -> tuple[int, ...]:
    """A plugin's processes."""
    assert plugin.worker is not None
    return plugin.worker.pids


def used_by_thread(pid: int, thread: int) -> int:
    """Nanoseconds of processor time."""
    return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])


def used(pids: tuple[int, ...]) -> int:
    """The same of all threads of processes."""
    return sum(used_by_thread(pid, int(each)) for pid in pids for each in os.listdir(f"/proc/{pid}/task"))


def spread(values: list[float], unit: str, high: float = 0.9) -> str:
    """Median and a high quantile."""
    name = "most" if high == 1.0 else f"p{high * 100:.0f}"
    return f"median {quantile(values, 0.5):.2f} {unit}, {name} {quantile(values, high):.2f} {unit}"


@contextlib.contextmanager
def killer() -> Iterator[Callable[[int | None, float], int]]:
    """kill(pid, pause) has a process killed soon, by a process that waits for nobody; kill(None, 0) says when."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    into, out = process.stdin, process.stdout

    def kill(pid: int | None, pause: float) -> int:
        if pid is None:
            return int(out.readline())
        into.write(f"{pid} {pause}\n")
        into.flush()
        return 0

    with process:
        yield kill
        into.close()


def main() -> int:
    """Prints the rows; 1 if a promise did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="as often as the goals say; some minutes")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"only these of {', '.join(ROWS)}")
    options = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as folder:
        figures = Figures(Path(folder), full=options.full)
        for name in options.rows.split(","):
            for figure, goal, reached, holds in getattr(figures, name)():
                print(
                    f"{figure:<58} {goal:<28} {reached}{'' if holds is not False else '   DOES NOT HOLD'}", flush=True
                )
                held = held and holds is not False
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
