"""Each figure of the side-by-side measurement as a result of pytest-benchmark.

All systems are measured once, interleaved, before the first test. Each test then hands the rounds of its figure to
pytest-benchmark, through a clock that moves as measured; a result's extra_info has job and system.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.benchmarks.__main__ import chosen, measure
from tests.benchmarks.measure import QUICK, Figure, Measurement, Plan
from tests.benchmarks.systems import JOBS, SYSTEMS, Row, rows_of

ROWS = [(row, job) for row in rows_of(list(SYSTEMS)) for job in (*row.jobs, "memory", "memory-6", "import")]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


clock = Clock()


@pytest.fixture(scope="session")
def measurement(request: pytest.FixtureRequest) -> Measurement:
    """The measurement, made once."""
    option = request.config.option
    systems = chosen(option.systems, [system.name for system in SYSTEMS], "system")
    jobs = chosen(option.jobs, list(JOBS), "job")
    terminal = request.config.get_terminal_writer()
    return measure(terminal.line, systems, jobs, Plan() if option.full else QUICK)[1]


@pytest.mark.timeout(0)
@pytest.mark.benchmark(timer=clock)
@pytest.mark.parametrize(("row", "job"), ROWS, ids=[f"{job}-{row.label}" for row, job in ROWS])
def test_figure(row: Row, job: str, measurement: Measurement, benchmark: Any) -> None:
    """The rounds of one job of one system."""
    figure: Figure | None = measurement.figures.get((row.label, job))
    values = [] if figure is None or job not in measurement.jobs else [v for v in figure.rounds if v is not None]
    if not values:
        known = [*measurement.left_out, *measurement.failed]
        reasons = [entry["reason"] for entry in known if entry["system"] == row.system.name and entry["job"] == job]
        pytest.skip(reasons[0] if reasons else "not measured")
    unit = JOBS[job][1]
    each: Iterator[float] = iter([value / 1e9 if unit == "ns" else value for value in values])
    benchmark.group = job
    benchmark.extra_info |= {
        "job": job,
        "system": row.system.name,
        "variant": row.variant,
        "placement": row.placement,
        "unit": "s" if unit == "ns" else unit,
    }

    def replay() -> None:
        clock.now += next(each, 0.0)

    benchmark.pedantic(replay, rounds=len(values))
