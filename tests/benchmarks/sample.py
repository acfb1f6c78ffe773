"""Results as a run would give them, made up, for the tests of the page: one of every system, one with odd names."""

from __future__ import annotations

import random
from typing import Any

from .figures import Figure, reference_of
from .goals import goals
from .results import against_loader_c, result_of
from .systems import JOBS, SYSTEMS, rows_of

EVIL = '<script>alert(1)</script><!--"&\u2028'
ROUNDS = 5


def run_of_all() -> dict[str, Any]:
    """Every job of every row, with times that spread over as many powers of ten as real ones do."""
    chance = random.Random(1)
    figures = []
    for row in rows_of(list(SYSTEMS)):
        memory = ["memory", "memory-6"] if "load-6" in row.jobs and row.placement != "pinned" else []
        for job in [*row.jobs, *memory]:
            middle = 2.0 if job == "threads-2" else 10 ** chance.uniform(1.5, 9.5)
            figure = Figure(row, job, calls=100, seconds=middle / 1e9)
            figure.rounds = [middle * chance.uniform(0.8, 1.6) for _ in range(ROUNDS)]
            if memory and job in memory:  # none at all, or less than before, is possible
                figure.rounds = [float(chance.choice([-4, 0, 40, 9000])) for _ in range(ROUNDS)]
            if reference_of(row, job) is not None:
                figure.beside = [chance.uniform(50, 90) for _ in range(ROUNDS)]
            if job == "call":
                figure.samples = [middle * chance.lognormvariate(0, 0.3) for _ in range(100)]
            figures.append(figure)
    results = [result_of(figure, {"call": 18, "call-4k": 4096, "call-1m": 1 << 20}) for figure in figures]
    against_loader_c(results)
    about = run_with("made up")
    why = {"system": "spawn", "variant": "", "placement": "pinned", "job": "call-1m", "reason": "would take too long"}
    systems = [{name: getattr(s, name) for name in ("name", "what", "lacks", "family")} for s in SYSTEMS]
    return about | {"results": results, "goals": goals(results), "systems": systems, "left_out": [why]}


def run_with(name: str) -> dict[str, Any]:
    """Results of a run with two systems, one of them oddly named."""
    entries = [
        {
            "job": "call", "system": system, "variant": "", "placement": "", "label": system, "unit": "ns",
            "min": low, "q1": low, "median": low * 2, "q3": low * 3, "max": low * 4,
            "rounds": [low * 2, low * 3],
        }
        for system, low in (("loader-c", 30.0), ("python", 50.0), (name, 70.0))
    ]  # fmt: skip
    return {
        "date": "2026-01-01T00:00:00+00:00", "commit": "0", "seconds": 1, "plan": {"rounds": 2},
        "machine": {"cpu": name, "cores": 2, "memory_gib": 1, "system": "s", "load_before": [0, 0, 0]},
        "versions": {name: "1"},
        "jobs": {job: {"what": what, "unit": unit} for job, (what, unit) in JOBS.items()},
        "systems": [dict.fromkeys(("name", "what", "lacks", "family"), n) for n in ("loader-c", name)],
        "skipped": [{"system": name, "reason": name}],
        "sizes": {}, "results": entries, "goals": goals(entries), "left_out": [], "failed": [],
    }  # fmt: skip
