"""Each figure of the side-by-side measurement as a result of pytest-benchmark.

All systems are measured once, interleaved, before the first test. Each test then hands the rounds of its figure
to pytest-benchmark, through a clock that moves as measured; a result's extra_info has job and system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.__main__ import chosen, measure
from tests.benchmarks.figures import QUICK, Figure, Plan
from tests.benchmarks.fresh import IMPORTS
from tests.benchmarks.systems import BY_NAME, JOBS, Row, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.measure import Measurement


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each job of each row that was asked for."""
    option = metafunc.config.option
    systems = [BY_NAME[name] for name in chosen(option.systems, list(BY_NAME), "system")]
    jobs = chosen(option.jobs, list(JOBS), "job")
    rows = [(row, job) for row in rows_of(systems) for job in _jobs_of(row) if job in jobs]
    metafunc.parametrize(("row", "job"), rows, ids=[f"{job}-{row.label}" for row, job in rows])


def _jobs_of(row: Row) -> list[str]:
    """A row's jobs, and what is measured beside them."""
    beside = ["memory"] * ("load-1" in row.jobs) + ["memory-6"] * ("load-6" in row.jobs)
    if row.placement == "pinned":
        beside = []
    return [*row.jobs, *beside, *(["import"] if row.system.name in IMPORTS and not row.variant else [])]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


clock = Clock()


@pytest.fixture(scope="session")
def measurement(request: pytest.FixtureRequest) -> Measurement:
    """The measurement, made once."""
    option = request.config.option
    systems = chosen(option.systems, list(BY_NAME), "system")
    jobs = chosen(option.jobs, list(JOBS), "job")
    terminal = request.config.get_terminal_writer()
    return measure(terminal.line, systems, jobs, Plan() if option.full else QUICK)[1]


@pytest.mark.timeout(0)
@pytest.mark.benchmark(timer=clock)
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
