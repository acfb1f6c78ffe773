"""What calls with numbers cost, against an extension module by hand and bare loops in C.

    python tests/benchmarks/numeric.py               a quarter of a minute
    python tests/benchmarks/numeric.py --rounds 300

Each line is two functions that take turns in one process on one core; the figure is the median of the ratios of
turns, with quartiles. `ramp` returns 8 MB: beside its time stands how much the process's peak of memory grows while
it runs, in units of the array. A second copy would be 2.
"""

from __future__ import annotations

import argparse
import array
import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import loader  # noqa: E402 - behind the path
from tests.benchmarks.ratios import quantile  # noqa: E402

PEERS = ROOT / "tests" / "benchmarks" / "peers"
LENGTH = 1_000_000


def build(folder: Path) -> tuple[loader.Plugin, Any]:
    """The plugin and the extension module, compiled alike."""
    gcc = ["gcc", "-O3", "-shared", "-fPIC"]
    numbers = PEERS / "ours" / "numbers"
    plugin = folder / "numbers.so"
    subprocess.run([*gcc, "-I", ROOT / "include", numbers / "numbers.c", "-o", plugin], check=True)
    module = folder / "c_extension_numbers.so"
    include = sysconfig.get_path("include")
    subprocess.run([*gcc, "-I", include, PEERS / "extensions" / "c_extension_numbers.c", "-o", module], check=True)
    spec = importlib.util.spec_from_file_location("c_extension_numbers", module)
    assert spec is not None
    assert spec.loader is not None
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    return loader.load(plugin, contract=loader.Contract.from_header(numbers / "numbers.h")), extension


def taken(function: Callable[..., object], arguments: tuple[object, ...], calls: int) -> float:
    """Seconds for a call, of a batch of `calls`. Two arguments stand in the call itself, as people write it."""
    times = repeat(None, calls)
    if len(arguments) == 2:
        a, b = arguments
        started = time.perf_counter()
        for _ in times:
            function(a, b)
    else:
        (a,) = arguments
        started = time.perf_counter()
        for _ in times:
            function(a)
    return (time.perf_counter() - started) / calls


def turns(
    name: str,
    ours: Callable[..., object],
    peer: Callable[..., object],
    arguments: tuple[object, ...],
    calls: int,
    n: int,
) -> None:
    """Measures two functions in turns, and prints a line."""
    rows = []
    for i in range(n + 2):
        first, second = (ours, peer) if i % 2 else (peer, ours)
        row = {function: taken(function, arguments, calls) for function in (first, second)}
        rows.append((row[ours], row[peer]))
    rows = rows[2:]
    ratios = [a / b for a, b in rows]
    medians = [quantile([row[k] for row in rows], 0.5) * 1e9 for k in (0, 1)]
    quartiles = f"{quantile(ratios, 0.25):.3f} to {quantile(ratios, 0.75):.3f}"
    print(f"{name:34} {medians[0]:12,.1f} ns {medians[1]:12,.1f} ns   {quantile(ratios, 0.5):.3f}  ({quartiles})")


def peak_growth(ramp: Callable[[int], object]) -> float:
    """How far the peak of memory of this process rises above what it has, while `ramp` runs; in arrays."""
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    before = _peak()
    values = ramp(LENGTH)
    after = _peak()
    del values
    return (after - before) / (LENGTH * 8)


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="turns for each line")
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        plugin, extension = build(Path(folder))
        growth = peak_growth(plugin.ramp)  # first: what is freed later may stay with the process
        a, b = (array.array("d", [x * step for x in range(LENGTH)]) for step in (0.5, 0.25))
        assert plugin.multiply(2.5, 3.5) == extension.multiply(2.5, 3.5)
        assert plugin.dot(a, b) == extension.dot(a, b)
        print(f"{'':34} {'plugin':>15} {'by hand':>15}   ratio")
        turns("two doubles, one back", plugin.multiply, extension.multiply, (2.5, 3.5), 20_000, rounds)
        turns("a double and a float, a double", plugin.scale, extension.scale, (2.5, 3.5), 20_000, rounds)
        turns("dot of 1,000,000 doubles", plugin.dot, extension.dot, (a, b), 1, rounds * 3)
        turns("ramp of 8 MB / malloc, fill, free", plugin.ramp, extension.fill, (LENGTH,), 1, rounds * 3)
        print(f"{'ramp: peak of memory, in arrays':34} {growth:12.2f}")


if __name__ == "__main__":
    main()
