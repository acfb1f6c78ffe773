"""From rounds to results.json: minimum, median, quartiles, ratios inside rounds, the machine, the goals."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .build import GO_MODULE, ROOT, Built, environment
from .systems import JOBS, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .measure import Figure, Measurement


def quantile(values: list[float], share: float) -> float:
    """A quantile, linear between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def statistics_of(values: list[float]) -> dict[str, float]:
    """Minimum, quartiles, maximum of rounds."""
    shares = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}
    return {name: rounded(quantile(values, share)) for name, share in shares.items()}


def rounded(value: float) -> float:
    """Five significant digits: more is noise, and makes the page large."""
    return float(f"{value:.5g}")


def ratio(over: list[float | None], under: list[float | None]) -> dict[str, float] | None:
    """The median and quartiles of over / under, each pair from one round; None if they share no round."""
    pairs = [a / b for a, b in zip(over, under, strict=False) if a is not None and b]
    if not pairs:
        return None
    return {
        "median": quantile(pairs, 0.5),
        "q1": quantile(pairs, 0.25),
        "q3": quantile(pairs, 0.75),
        "rounds": len(pairs),
    }


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
    if (GO_MODULE / "go.mod").exists():
        for line in (GO_MODULE / "go.mod").read_text().splitlines():
            words = line.replace("require ", "").split()
            if len(words) == 2 and words[1].startswith("v") and "// indirect" not in line:
                found[words[0]] = words[1]
    return {name: version for name, version in found.items() if version}


class Book:
    """Looks rounds up by job and system, for ratios."""

    def __init__(self, results: Iterable[dict[str, Any]]) -> None:
        self._entries = {(e["job"], e["system"], e["variant"], e["placement"]): e for e in results}

    def entry(self, job: str, system: str, variant: str = "", placement: str = "") -> dict[str, Any] | None:
        """One entry, or None."""
        return self._entries.get((job, system, variant, placement))

    def rounds(self, job: str, system: str, variant: str = "", placement: str = "") -> list[float | None]:
        """Its rounds; empty if it was not measured."""
        entry = self.entry(job, system, variant, placement)
        return [] if entry is None else entry["rounds"]


def _goal(figure: str, wanted: str, reached: float | None, ok: bool | None, note: str = "") -> dict[str, Any]:
    return {
        "figure": figure,
        "goal": wanted,
        "reached": None if reached is None else rounded(reached),
        "ok": ok,
        "note": note,
    }


def goals(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The goals of the issue, each with what this run reached. Reported; nothing fails because of them."""
    book = Book(results)
    found: list[dict[str, Any]] = []

    def compare(
        figure: str,
        over: tuple[str, ...],
        under: tuple[str, ...],
        limit: float,
        *,
        most: bool,
        note: str = "",
    ) -> None:
        reached = ratio(book.rounds(*over), book.rounds(*under))
        value = None if reached is None else reached["median"]
        ok = None if value is None else (value <= limit if most else value >= limit)
        spread = (
            ""
            if reached is None
            else f"quartiles {reached['q1']:.3g} to {reached['q3']:.3g} of {reached['rounds']} rounds"
        )
        found.append(
            _goal(
                figure,
                f"{'≤' if most else '≥'} {limit:g}",
                value,
                ok,
                "; ".join(filter(None, [spread, note])),
            )
        )

    def absolute(
        figure: str, value: float | None, limit: float, unit: str, *, most: bool = True, note: str = ""
    ) -> None:
        ok = None if value is None else (value <= limit if most else value >= limit)
        found.append(_goal(figure, f"{'≤' if most else '≥'} {limit:g} {unit}", value, ok, note))

    def median(job: str, system: str, variant: str = "", placement: str = "") -> float | None:
        entry = book.entry(job, system, variant, placement)
        return None if entry is None else float(entry["median"])

    call, own = ("call", "loader-c"), ("call", "go-buildmode-plugin")
    compare("call: loader-c / python", call, ("call", "python"), 0.85, most=True)
    compare("call: loader-c / go-buildmode-plugin, formatting", call, own, 0.6, most=True)
    compare("call: loader-c / go-buildmode-plugin, concatenating", call, (*own, "concat"), 1.1, most=True)
    netrpc = ("call", "go-plugin-netrpc", "")
    compare("call: go-plugin-netrpc / loader-c, two cores", (*netrpc, "two cores"), call, 2000, most=False)
    compare("call: go-plugin-netrpc / loader-c, pinned", (*netrpc, "pinned"), call, 1000, most=False)
    compare("call-4k: loader-c / python", ("call-4k", "loader-c"), ("call-4k", "python"), 1.0, most=True)
    compare("call: loader-rust / loader-c", ("call", "loader-rust"), call, 1.1, most=True)
    compare("call: loader-go / loader-c", ("call", "loader-go"), call, 4, most=True)
    dense = ("document-dense", "go-buildmode-plugin")
    compare(
        "document-dense: loader-c / go-buildmode-plugin, MB/s",
        dense,
        ("document-dense", "loader-c"),
        100,
        most=False,
    )
    prose = ("document-prose", "loader-c")
    fresh = ratio(book.rounds(*prose), book.rounds("document-prose", "memcpy", "new"))
    note = "" if fresh is None else f"against a copy into new memory: {fresh['median']:.3g}"
    compare(
        "document-prose: time loader-c / memcpy",
        prose,
        ("document-prose", "memcpy"),
        2.0,
        most=True,
        note=note,
    )
    pairs = zip(
        book.rounds("document-small", "loader-c"),
        book.rounds("document-small-joined", "loader-c"),
        strict=False,
    )
    beyond = [one - joined / 1000 for one, joined in pairs if one is not None and joined is not None]
    extra = statistics.median(beyond) / 1000 if beyond else None
    absolute("document-small: per document beyond the engine", extra, 0.5, "µs",
             note="one post, less its share of all posts as one document")  # fmt: skip
    compare("roles-1000 / 1 role", ("roles-1000", "loader-c"), ("document-dense", "loader-c"), 1.05, most=True)
    load = median("load-1", "loader-c")
    absolute("load-1: C plugin, warm file cache", None if load is None else load / 1e6, 0.5, "ms")
    compare(
        "load-1: loader-c / go-plugin-netrpc",
        ("load-1", "loader-c"),
        ("load-1", "go-plugin-netrpc", "", "two cores"),
        1 / 20,
        most=True,
    )
    for variant, limit, what in (("all", 500, "all loaded"), ("lazy", 50, "discovered, one used")):
        value = median("load-1000", "loader-c", variant)
        absolute(f"load-1000: {what}", None if value is None else value / 1e6, limit, "ms")
    six, one = median("memory-6", "loader-c"), median("memory", "loader-c")
    each = None if six is None or one is None else (six - one) / 5 / 1024
    absolute("memory per C plugin", each, 0.1, "MB", note="resident growth from one plugin to six, a fifth of it")
    absolute("threads-2", median("threads-2", "loader-c"), 1.9, "x", most=False)
    absolute("callback: into a C table", median("callback", "loader-c", "c-table"), 150, "ns")
    back = median("callback", "loader-c")
    absolute("callback: into Python", None if back is None else back / 1000, 1, "µs")
    imported = median("import", "loader-c")
    absolute("import loader, beyond bare Python", None if imported is None else imported / 1e6, 25, "ms")
    return found


def against_loader_c(results: list[dict[str, Any]]) -> None:
    """Adds to each result how many times loader-c's figure it is, as the median of ratios inside rounds."""
    book = Book(results)
    for entry in results:
        reached = ratio(entry["rounds"], book.rounds(entry["job"], "loader-c"))
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
            for name in ("rounds", "slice", "slow", "slow_rounds", "endless", "quadratic", "loads", "joint")
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
