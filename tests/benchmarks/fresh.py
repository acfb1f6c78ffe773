"""Figures that need fresh processes: loads, memory and imports."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

from .figures import FRESH, Figure
from .hosts import HostError, import_once, load_once, pinned_to

if TYPE_CHECKING:
    from .measure import Measurement
    from .systems import Row

IMPORTS = {
    "loader-c": "loader",
    "pluggy": "pluggy",
    "ctypes": "ctypes",
    "cffi-abi": "cffi",
    "tvm-ffi": "tvm_ffi",
    "lupa": "lupa",
    "wasmtime": "wasmtime",
    "extism": "extism",
    "grpcio": "grpc",
    "pynng": "pynng",
}  # what an application imports


def measure_loads(run: Measurement) -> None:
    """Load jobs and memory: a fresh host process for every figure, systems interleaved again."""
    asked = [job for job in run.jobs if job in FRESH or job.startswith("memory")]
    counts = {FRESH[job] for job in asked if job in FRESH}
    counts |= {1 if job == "memory" else 6 for job in asked if job.startswith("memory")}
    broken: set[tuple[str, int]] = set()
    for number in range(run.plan.loads):
        for count in sorted(counts):
            job = next(name for name, value in FRESH.items() if value == count)
            rows = [row for row in run.rows if job in row.jobs and (row.label, count) not in broken]
            random.Random(number).shuffle(rows)
            for row in rows:
                if count == 1000 and number >= 3:
                    continue
                try:
                    _load(run, row, job, count)
                except (HostError, OSError, ValueError, subprocess.SubprocessError) as error:
                    broken.add((row.label, count))
                    run.fail(row, job, error)
        run.say(f"loads: {number + 1} of {run.plan.loads}")


def _load(run: Measurement, row: Row, job: str, count: int) -> None:
    # Two processes, and the first one's time does not count: machines take file caches back within seconds, and to
    # read one small file from the disk takes a quarter of a millisecond. It is weighed instead; the lazy variant's is
    # the start that the second one remembers.
    asked = run.built, row.system, row.variant, row.placement, count
    weight = load_once(*asked, weigh=True)
    answer = load_once(*asked)
    loaded = answer["loaded"]
    figure = run.figures.setdefault((row.label, job), Figure(row, job))
    figure.rounds.append(float(answer["ns"]))
    if loaded != count:
        figure.note = f"{loaded} plugins"
    if count in (1, 6) and row.placement != "pinned":
        name = "memory" if count == 1 else "memory-6"
        if name in run.jobs:
            figure = run.figures.setdefault((row.label, name), Figure(row, name))
            figure.rounds.append(float(weight["rss_after"] - weight["rss_before"]))
            figure.samples.append(float(weight["private_after"] - weight["private_before"]))


def measure_imports(run: Measurement) -> None:
    """Imports, each beside a bare Python on the same core."""
    if "import" not in run.jobs:
        return
    rows = [row for row in run.rows if row.system.name in IMPORTS and not row.variant and row.placement != "pinned"]
    for number in range(max(5, run.plan.rounds)):
        random.Random(number).shuffle(rows)
        for row in rows:
            try:
                with pinned_to(run.cores[number % len(run.cores)]):
                    bare = import_once(run.built.python, "pass")
                    taken = import_once(run.built.python, f"import {IMPORTS[row.system.name]}")
            except (OSError, subprocess.SubprocessError) as error:
                run.fail(row, "import", error)
                continue
            figure = run.figures.setdefault((row.label, "import"), Figure(row, "import"))
            figure.rounds.append(float(taken - bare))
