"""From rounds to results.json: minimum, median, quartiles, the ratio to loader-c, the machine, the goals."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .build import EXTENSIONS, GO_MODULE, ROOT, Built, environment
from .figures import reference_of
from .goals import goals
from .ratios import Book, quantile, ratio, rounded
from .systems import JOBS, SYSTEMS

if TYPE_CHECKING:
    from .figures import Figure
    from .measure import Measurement


def statistics_of(values: list[float]) -> dict[str, float]:
    """Minimum, quartiles, maximum of rounds."""
    shares = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}
    return {name: rounded(quantile(values, share)) for name, share in shares.items()}


def result_of(figure: Figure, sizes: dict[str, int]) -> dict[str, Any]:
    """One entry of results: a job of a row."""
    values = [value for value in figure.rounds if value is not None]
    entry: dict[str, Any] = {
        "job": figure.job,
        "system": figure.row.system.name,
        "variant": figure.row.variant,
        "placement": figure.row.placement,
        "label": figure.row.label,
        "unit": JOBS[figure.job][1],
        **statistics_of(values),
        "rounds": [None if value is None else rounded(value) for value in figure.rounds],
        "calls_in_a_round": figure.calls,
    }
    reference = reference_of(figure.row, figure.job)
    if reference is not None and any(value is not None for value in figure.beside):
        entry["beside"] = {
            "system": reference[0],
            "job": reference[1],
            "rounds": [None if value is None else rounded(value) for value in figure.beside],
        }
    if figure.job in sizes and JOBS[figure.job][1] == "ns":
        entry["mb_per_s"] = rounded(sizes[figure.job] / entry["median"] * 1000)
    if figure.job.startswith("memory") and figure.samples:
        entry["private_kib"] = statistics_of(figure.samples)
    elif figure.samples:
        shares = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
        entry["distribution"] = {f"p{share * 100:g}": rounded(quantile(figure.samples, share)) for share in shares}
        entry["samples"] = len(figure.samples)
    if figure.note:
        entry["note"] = figure.note
    return entry


def _output(*command: str, folder: Path = ROOT) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment())
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def machine() -> dict[str, Any]:
    """What it ran on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.split()[1]) / (1 << 20), 1),
        "kernel": platform.release(),
        "system": platform.platform(),
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }


def versions(built: Built) -> dict[str, str]:
    """Languages and peers."""
    found = {
        "python": platform.python_version(),
        "go": _output("go", "env", "GOVERSION"),
        "rust": _output("rustc", "--version").removeprefix("rustc ").partition(" ")[0],
        "gcc": _output("cc", "-dumpfullversion"),
    }
    for line in _output(str(built.python), "-m", "pip", "list", "--format=freeze").splitlines():
        name, _, version = line.partition("==")
        if version and name not in {"pip", "wheel"}:
            found[name] = version
    for line in (EXTENSIONS["pyo3"] / "Cargo.toml").read_text().splitlines():
        name, _, version = line.partition(" = ")
        if name == "pyo3":
            found[name] = version.strip('"=')
    if (GO_MODULE / "go.mod").exists():
        for line in (GO_MODULE / "go.mod").read_text().splitlines():
            words = line.replace("require ", "").split()
            if len(words) == 2 and words[1].startswith("v") and "// indirect" not in line:
                found[words[0]] = words[1]
    return {name: version for name, version in found.items() if version}


def against_loader_c(results: list[dict[str, Any]]) -> None:
    """Adds to each result how many times loader-c's figure it is, as the median of ratios inside rounds."""
    book = Book(results)
    for entry in results:
        key = (entry["job"], entry["system"], entry["variant"], entry["placement"])
        reached = ratio(*book.pairs(key, (entry["job"], "loader-c")))
        if reached is not None:
            entry["against_loader_c"] = rounded(reached["median"])


def collect(measurement: Measurement, built: Built, skipped: list[dict[str, str]], seconds: float) -> dict[str, Any]:
    """Everything that results.json holds."""
    order = {system.name: number for number, system in enumerate(SYSTEMS)}
    figures = [figure for figure in measurement.figures.values() if figure.job in measurement.jobs]
    figures = [figure for figure in figures if any(value is not None for value in figure.rounds)]
    figures.sort(key=lambda figure: (list(JOBS).index(figure.job), order[figure.row.system.name]))
    results = [result_of(figure, measurement.sizes) for figure in figures]
    against_loader_c(results)
    plan = measurement.plan
    return {
        "about": "native-plugin-loader: the side-by-side measurement (tests/benchmarks)",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _output("git", "rev-parse", "HEAD")
        + ("+changes" if _output("git", "status", "--porcelain", "-uno") else ""),
        "seconds": round(seconds),
        "plan": {
            name: getattr(plan, name)
            for name in ("rounds", "slice", "passes", "slow", "slow_rounds", "endless", "quadratic", "loads", "joint")
        },
        "machine": machine(),
        "versions": versions(built),
        "jobs": {name: {"what": what, "unit": unit} for name, (what, unit) in JOBS.items()},
        "systems": [
            {
                "name": s.name,
                "what": s.what,
                "lacks": s.lacks,
                "family": s.family,
                "host": s.host,
                "remote": s.remote,
            }
            for s in SYSTEMS
        ],
        "sizes": measurement.sizes,
        "results": results,
        "goals": goals(results),
        "skipped": skipped,
        "left_out": measurement.left_out,
        "failed": measurement.failed,
    }
