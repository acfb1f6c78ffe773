"""Workers that lie (plugins/hostile_lane.c), and a host that calls all kinds of functions in them.

    python tests/hostile.py 100000 [seed]

prints what came of 100,000 changes of shared memory in each way: values, errors by their types, the longest call. It
fails if a call raised what is no error of this package, or took longer than its deadline and its grace.
"""

from __future__ import annotations

import collections
import logging
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
from lending import Clock, Database
from tree import PLUGINS

import loader
from loader.author.sdk import include_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE, GRACE = 0.15, 0.05
#: Beyond both: a worker is killed, waited for and told of; other processes want these processors too.
SLACK = 2.0
WAYS = ("RACE", "LIAR")
#: What the host may raise, whatever comes back. StopIteration is an answer; RecursionError: a worker said that its
#: stack is too small for one more call.
ALLOWED = (
    loader.PluginError,
    loader.IsolationError,
    loader.LibraryError,
    loader.InstanceError,
    loader.errors.TextError,
    StopIteration,
    RecursionError,
)


def build(folder: Path, name: str, way: str, seed: int, counter: Path) -> Path:
    """The plugin `name` of plugins/, with the attack in it."""
    target = folder / f"{name}_{way.lower()}_{seed}.so"
    compiler = shutil.which("gcc") or shutil.which("clang") or "cc"
    command = [compiler, "-std=c11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", f"-D{way}"]
    command += [f"-DSEED={seed}", f'-DCOUNTER="{counter}"', f"-I{include_dir()}", f"-I{PLUGINS}"]
    command += [f"-I{PLUGINS.parent.parent / 'loader' / '_core'}"]
    subprocess.run(
        [*command, str(PLUGINS / f"{name}.c"), str(PLUGINS / "hostile_lane.c"), "-o", str(target)], check=True
    )
    return target


class _World:
    """Service "values.world/1", which gives what fits."""

    def mean(self, of: Any) -> float:
        return float(sum(of)) / max(1, len(of))

    def mix(self, *_: Any) -> tuple[Any, ...]:
        return 1.0, 0, True, 1.0, 3

    def crowd(self, *_: Any) -> float:
        return 1.0

    def words(self, words: Any) -> tuple[str, bytes]:
        return " ".join(words), b"x"

    def trail(self, points: Any) -> Any:
        return list(points)

    def numbers(self, count: int) -> Any:
        return array("d", [1.0] * min(count % 100, 100)), array("h", [1, 2])

    def stats(self, given: Any) -> Any:
        return given


def _step(done: float) -> None:
    """Of walk()."""


class _Visitor:
    def see(self, word: str, share: float) -> int:
        return len(word) + int(share)

    def place(self, points: Any, mode: Any) -> Any:
        return {"x": float(len(points)), "y": float(mode)}


def _calls_of_values(plugin: Any) -> Iterator[Callable[[], Any]]:
    numbers, point = array("d", range(20)), {"x": 1.0, "y": 2.0}
    samples = array("f", [1.0] * 16)
    yield lambda: plugin.scale(2.0, 3.0)
    yield lambda: plugin.show(1.0, 2, "text", 3.0)
    yield lambda: plugin.choose(1, True)
    yield lambda: plugin.dot(numbers, numbers)
    yield lambda: plugin.gain(samples, 2.0)
    yield lambda: plugin.join(["a", "b" * 100, "ä"], ", ")
    yield lambda: list(plugin.ramp(50))
    yield lambda: plugin.halves(10)
    yield lambda: plugin.centre([point, point])
    yield lambda: list(plugin.circle(7))
    yield lambda: plugin.entries([{"name": "one", "count": 1}, {"name": "two", "count": 2}])
    yield lambda: plugin.shape(numbers)
    yield lambda: plugin.sum(numbers)
    yield lambda: plugin.add(numbers, 1.0, array("d", range(20)))
    yield lambda: plugin.describe(numbers)
    yield lambda: plugin.text_of(1)
    yield lambda: bytes(plugin.bytes_of(100))
    yield lambda: plugin.both("text")
    yield lambda: plugin.both_bytes("text" * 1000)
    yield lambda: plugin.ask_mean(numbers)
    yield lambda: plugin.ask_mix(1.0, 2, 3.0, 1, 1)
    yield lambda: plugin.ask_words(["a", "b"])
    yield lambda: plugin.ask_trail([point] * 3)
    yield lambda: plugin.ask_numbers(10)


def _calls_of_lend(plugin: Any) -> Iterator[Callable[[], Any]]:
    for number in range(1, 6):
        yield lambda number=number: plugin.title(number)
    yield lambda: plugin.blob(b"\xff" * 300)
    yield lambda: plugin.count("name")
    yield lambda: plugin.ratio(1, 2)
    yield lambda: plugin.note("a note")
    yield lambda: plugin.describe(1, "title")
    yield plugin.many
    yield plugin.clock_now
    yield lambda: plugin.titles(5)


def _calls_of_stateful(plugin: Any) -> Iterator[Callable[[], Any]]:
    visitor = _Visitor()

    def use() -> Any:
        with plugin.counter(1, 0) as counter:
            return [counter.add(2), counter.name(), next(counter), counter.clone()]

    yield use
    yield use
    yield lambda: plugin.visit(["one", "two"], visitor)
    yield lambda: plugin.locate([{"x": 1.0, "y": 2.0}], visitor)
    yield lambda: plugin.walk(20, _step)
    yield plugin.counter_pair
    yield plugin.living


def _calls_of_arrow(plugin: Any) -> Iterator[Callable[[], Any]]:
    import pyarrow as pa

    arrays = (
        pa.array([1, None, 3]),
        pa.array(["a", None, "bcd" * 10]),
        pa.array([[1], [], [2, 3]]),
        pa.array([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        pa.array(["x", "y", "x"]).dictionary_encode(),
        pa.array(["long enough for a view", "s"], type=pa.string_view()),
    )
    for each in arrays:

        def echo(each: Any = each) -> Any:
            made = pa.array(plugin.echo(each))
            made.validate(full=True)
            return made.to_pylist()

        yield echo


CALLS = {
    "values": _calls_of_values,
    "lend": _calls_of_lend,
    "stateful": _calls_of_stateful,
    "arrow_echo": _calls_of_arrow,
}


class Attack:
    """A plugin that lies, loaded; `run` calls all of its functions until there were so many changes."""

    def __init__(self, folder: Path, name: str, way: str, seed: int = 1, memory: int | None = 64 << 20) -> None:
        self.counter = folder / f"{name}_{way}_{seed}.count"
        self.counter.write_bytes(bytes(mmap.PAGESIZE))
        self.path = build(folder, name, way, seed, self.counter)
        contract = loader.Contract.from_header(PLUGINS / f"{name}.h")
        isolation = loader.Isolation(
            deadline=DEADLINE, grace=GRACE, sandbox="off", crashes=1_000_000, start=5.0, memory=memory
        )
        known = {"lend.db/1": Database(), "lend.clock/2": Clock(), "values.world/1": _World()}
        services = {each.id: known[each.id] for each in contract.services if each.id in known}
        self.host = loader.Host(contract, services=services, isolation=isolation)
        self.name, self.outcomes, self.longest = name, collections.Counter[str](), 0.0
        self.plugin: Any = None

    @property
    def changes(self) -> int:
        """How many there were until now, by all workers."""
        return int.from_bytes(self.counter.read_bytes()[:8], sys.byteorder)

    def load(self) -> None:
        """As often as it takes: its constructor's thread is hostile already."""
        for _ in range(20):
            try:
                self.plugin = self.host.load(self.path)
                return
            except ALLOWED as error:
                self.outcomes[type(error).__name__] += 1
        raise AssertionError("it could not be loaded")

    def run(self, changes: int, seconds: float) -> None:
        """Raises what a call raises that is not ALLOWED."""
        end = time.monotonic() + seconds
        self.load()
        while self.changes < changes and time.monotonic() < end:
            for call in CALLS[self.name](self.plugin):
                begun = time.monotonic()
                try:
                    call()
                    self.outcomes["a value"] += 1
                except ALLOWED as error:
                    self.outcomes[type(error).__name__] += 1
                except ValueError as error:
                    if not _is_of_arrow(error):
                        raise
                    self.outcomes["a value that Arrow refuses"] += 1
                self.longest = max(self.longest, time.monotonic() - begun)
                if time.monotonic() > end:
                    break

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        return f"{self.changes} changes: {kinds}; the longest call took {self.longest:.2f} s"


def _is_of_arrow(error: ValueError) -> bool:
    return type(error).__module__.startswith("pyarrow")


def main() -> None:
    """All plugins in both ways."""
    changes, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid()
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            for name in CALLS:
                attack = Attack(Path(folder), name, way, seed)
                attack.run(changes, 600.0)
                print(f"{way} {name}: {attack!r}", flush=True)
                assert attack.longest < DEADLINE + GRACE + SLACK, "a call was held up"


if __name__ == "__main__":
    main()
