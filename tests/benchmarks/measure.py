"""Measures: checks every answer, then runs all systems interleaved, round by round, in one sitting."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import documents, reference
from .hosts import HostError, Hosts, import_once, load_once
from .systems import CALLS, DOCUMENTS, JOBS, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from .build import Built

FRESH = {"load-1": 1, "load-6": 6, "load-1000": 1000}  # jobs that need a fresh process each time -> plugins
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
CHECKED = 50  # posts of document-small that a check renders
DOCUMENT_JOBS = (*DOCUMENTS, "document-small-joined", "roles-1000", "threads-2")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Args:
        rounds: rounds of all systems.
        slice: seconds that one job of one row gets in one round.
        slow: a run that takes longer than this (s) is measured in `slow_rounds` rounds only.
        endless: a run that would take longer than this (s) is left out.
        quadratic: the same for documents whose host sends all contents with every role; one round only.
        loads: fresh processes for each load figure.
        joint: hosts are started anew after this many rounds, so that no figure depends on one process's luck.
    """

    rounds: int = 15
    slice: float = 0.025
    slow: float = 0.4
    slow_rounds: int = 2
    endless: float = 15.0
    quadratic: float = 60.0
    loads: int = 7
    joint: int = 5


QUICK = Plan(rounds=5, slice=0.006, slow=0.1, slow_rounds=1, endless=2.0, quadratic=0.0, loads=2, joint=5)


@dataclass(slots=True)
class Figure:
    """One job of one row: its figures in the order of the rounds, None for a round that it was not in."""

    row: Row
    job: str
    rounds: list[float | None] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)  # single calls or small batches: the distribution
    calls: int = 1
    seconds: float = 0.0  # of one run
    note: str = ""


def expected(folder_texts: dict[str, Any]) -> dict[str, str]:
    """The right answer of each job: plain text, or sha256 if long."""
    roles = {"tt": reference.tt}

    def short(text: str) -> str:
        return text if len(text) <= 1000 else "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    html = {name: reference.htmlize(text, roles, None) for name, text in folder_texts.items() if name != "small"}
    small = "\0".join(reference.htmlize(text, roles, None) for text in folder_texts["small"][:CHECKED])
    return {
        "call": short(reference.tt("tt", documents.TEXT, None)),
        "call-4k": short(reference.tt("tt", documents.TEXT_4K, None)),
        "call-1m": short(reference.tt("tt", documents.TEXT_1M, None)),
        "callback": documents.TITLE,
        "error": documents.ERROR,
        "document-dense": short(html["dense"]),
        "roles-1000": short(html["dense"]),
        "threads-2": short(html["dense"]),
        "document-prose": short(html["prose"]),
        "document-small": short(small),
        "document-small-joined": short(html["small-joined"]),
    }


class Measurement:
    """The whole run."""

    def __init__(
        self, built: Built, rows: list[Row], jobs: list[str], plan: Plan, say: Callable[[str], None]
    ) -> None:
        self.built, self.rows, self.jobs, self.plan, self.say = built, rows, jobs, plan, say
        self.hosts = Hosts(built)
        self.figures: dict[tuple[str, str], Figure] = {}
        self.failed: list[dict[str, str]] = []
        self.left_out: list[dict[str, str]] = []
        texts: dict[str, Any] = {
            "dense": documents.dense(), "prose": documents.prose(), "small": documents.small()
        }  # fmt: skip
        texts["small-joined"] = "\n\n".join(texts["small"])
        self.sizes = {
            "document-dense": len(texts["dense"]),
            "document-prose": len(texts["prose"]),
            "document-small": 2048,
            "document-small-joined": len(texts["small-joined"]),
            "roles-1000": len(texts["dense"]),
            "threads-2": len(texts["dense"]),
            "call": 18,
            "call-4k": 4096,
            "call-1m": 1 << 20,
        }
        self.roles = {
            "document-dense": documents.roles_in(texts["dense"]),
            "document-prose": documents.roles_in(texts["prose"]),
            "document-small": documents.roles_in(texts["small"][0]),
            "document-small-joined": documents.roles_in(texts["small-joined"]),
        }
        self.roles["roles-1000"] = self.roles["threads-2"] = self.roles["document-dense"]
        self.expected = expected(texts)

    # ---- One job of one row ----

    def _ask(self, row: Row, do: str, job: str, **more: Any) -> dict[str, Any]:
        host = self.hosts.of(row.system, row.placement)
        return host.ask(do=do, system=row.system.name, variant=row.variant, job=job, **more)

    def _estimate(self, row: Row, job: str) -> float:
        """Seconds that one run of a document would take, from what one call took."""
        asked = "call-1m" if row.variant in row.system.quadratic else "call"
        plain = Row(row.system, "", row.placement)  # a variant may have no calls of its own
        call = self.figures.get((row.label, asked)) or self.figures.get((plain.label, asked))
        if call is None:
            return 0.0
        seconds = self.roles[job] * call.seconds
        return seconds * self.sizes[job] / (1 << 20) if asked == "call-1m" else seconds

    def prepare(self, row: Row, job: str) -> None:
        """Checks the answer and finds out how many runs fill a slice."""
        if job in DOCUMENT_JOBS:
            seconds = self._estimate(row, job)
            runs = CHECKED if job == "document-small" else 1
            if row.variant in row.system.quadratic and self.plan.slow < seconds <= self.plan.quadratic:
                # Too long to be run twice: its answer is checked on the small documents only.
                self.figures[(row.label, job)] = Figure(row, job, seconds=seconds)
                return None
            if seconds > self.plan.endless:
                return self._leave_out(row, job, f"would take about {seconds:.0f} s a document")
        else:
            seconds, runs = 0.0, 1
        started = time.perf_counter()
        if row.system.name != "memcpy":  # a copy of a document is not its HTML
            answer = self._ask(row, "check", job)["answer"]
            if answer != self.expected[job]:
                raise HostError(f"answered {answer[:80]!r}, not {self.expected[job][:80]!r}")
        figure = Figure(row, job)
        self.figures[(row.label, job)] = figure
        figure.seconds = (time.perf_counter() - started) / runs
        if figure.seconds > self.plan.slow and row.system.remote and job in DOCUMENT_JOBS:
            return None  # one run a round, and the check was one to warm up
        calls, seconds = 1, 0.0
        while True:
            answer = self._ask(row, "run", job, calls=calls, batches=1)
            seconds = answer["ns"][0] / 1e9
            if seconds >= self.plan.slice / 4 or calls >= 1 << 24:
                break
            calls = min(calls * 8 if seconds < self.plan.slice / 40 else calls * 3, 1 << 24)
        figure.seconds = seconds / calls
        figure.calls = max(1, int(self.plan.slice / max(figure.seconds, 1e-10)))
        return None

    def _leave_out(self, row: Row, job: str, reason: str) -> None:
        self.left_out.append({"system": row.system.name, "variant": row.variant, "placement": row.placement,
                              "job": job, "reason": reason})  # fmt: skip

    def _fail(self, row: Row, job: str, error: Exception) -> None:
        if str(error).startswith("NotImplementedError: "):
            return self._leave_out(row, job, str(error).partition(": ")[2])
        self.say(f"[!] {row.label}: {job}: {error}")
        self.failed.append({"system": row.system.name, "variant": row.variant, "placement": row.placement,
                            "job": job, "reason": str(error)})  # fmt: skip
        return None

    # ---- The run ----

    def run(self) -> None:
        """Everything, in order."""
        started = time.monotonic()
        try:
            self._prepare_all()
            self.say(f"prepared in {time.monotonic() - started:.0f} s")
            for number in range(self.plan.rounds):
                begun = time.monotonic()
                if number and number % self.plan.joint == 0:
                    self.hosts.close()
                    self._warm()
                self._round(number)
                self.say(f"round {number + 1} of {self.plan.rounds}: {time.monotonic() - begun:.0f} s")
        finally:
            self.hosts.close()
        begun = time.monotonic()
        self._loads()
        self._imports()
        self.say(f"loads in fresh processes: {time.monotonic() - begun:.0f} s")

    def _prepare_all(self) -> None:
        order = [*CALLS, *(job for job in JOBS if job not in CALLS)]  # estimates need the calls first
        for row in self.rows:
            for job in order:
                wanted = job in self.jobs or (job in CALLS and any(each in DOCUMENT_JOBS for each in self.jobs))
                if job in row.jobs and wanted and job not in FRESH:
                    try:
                        self.prepare(row, job)
                    except HostError as error:
                        self._fail(row, job, error)
                        if job == "call":  # what cannot answer one call can do nothing else
                            break
            self.say(f"checked {row.label}")

    def _warm(self) -> None:
        """New processes run every job once before they are measured."""
        for figure in self.figures.values():
            if figure.seconds < self.plan.slow:
                try:
                    self._ask(figure.row, "run", figure.job, calls=max(1, figure.calls // 10), batches=1)
                except HostError as error:
                    self._fail(figure.row, figure.job, error)

    def _round(self, number: int) -> None:
        """One round: job by job, all systems in random order, so that no system has a place of its own."""
        for job in self.jobs:
            figures = [figure for (_, each), figure in self.figures.items() if each == job]
            random.Random(number).shuffle(figures)
            for figure in figures:
                figure.rounds.append(self._one(figure, number))

    def _one(self, figure: Figure, number: int) -> float | None:
        slow = figure.seconds > self.plan.slow
        every = max(1, self.plan.rounds // self.plan.slow_rounds)
        if figure.seconds > self.plan.endless and number > 0:
            return None
        if slow and (number % every or number // every >= self.plan.slow_rounds):
            return None
        try:
            if figure.job == "threads-2":
                answer = self._ask(figure.row, "threads", figure.job, calls=max(2, 4 * figure.calls))
                return 2 * answer["one"] / answer["two"]
            batches = min(figure.calls, 200 if figure.seconds > 2e-6 else 20)
            answer = self._ask(figure.row, "run", figure.job, calls=figure.calls, batches=batches)
        except HostError as error:
            self._fail(figure.row, figure.job, error)
            return None
        each = answer["each"]
        if figure.job == "call":
            figure.samples += [round(value / each, 2) for value in answer["ns"][:100]]
        return float(sum(answer["ns"]) / (each * len(answer["ns"])))

    def _loads(self) -> None:
        """Load jobs and memory: a fresh host process for every figure, systems interleaved again."""
        asked = [job for job in self.jobs if job in FRESH or job.startswith("memory")]
        counts = {FRESH[job] for job in asked if job in FRESH}
        counts |= {1 if job == "memory" else 6 for job in asked if job.startswith("memory")}
        broken: set[tuple[str, int]] = set()
        for number in range(self.plan.loads):
            for count in sorted(counts):
                job = next(name for name, value in FRESH.items() if value == count)
                rows = [row for row in self.rows if job in row.jobs and (row.label, count) not in broken]
                random.Random(number).shuffle(rows)
                for row in rows:
                    if count == 1000 and number >= 3:
                        continue
                    try:
                        self._load(row, job, count)
                    except (HostError, OSError, ValueError) as error:
                        broken.add((row.label, count))
                        self._fail(row, job, error)
            self.say(f"loads: {number + 1} of {self.plan.loads}")

    def _load(self, row: Row, job: str, count: int) -> None:
        answer = load_once(self.built, row.system, row.variant, row.placement, count)
        loaded = answer.get("loaded", count)
        figure = self.figures.setdefault((row.label, job), Figure(row, job))
        figure.rounds.append(float(answer["ns"]))
        if loaded != count:
            figure.note = f"{loaded} plugins"
        if count in (1, 6) and row.placement != "pinned":
            name = "memory" if count == 1 else "memory-6"
            if name in self.jobs:
                figure = self.figures.setdefault((row.label, name), Figure(row, name))
                figure.rounds.append(float(answer["rss_after"] - answer["rss_before"]))
                private = answer["private_after"] - answer["private_before"]
                figure.samples.append(float(private))

    def _imports(self) -> None:
        if "import" not in self.jobs:
            return
        python = self.built.python
        statements = {name: f"import {module}" for name, module in IMPORTS.items()}
        rows = [
            row
            for row in self.rows
            if row.system.name in statements and not row.variant and row.placement != "pinned"
        ]
        for _ in range(max(5, self.plan.rounds)):
            bare = import_once(python, "pass")
            for row in rows:
                try:
                    taken = import_once(python, statements[row.system.name])
                except OSError as error:
                    self._fail(row, "import", error)
                    continue
                figure = self.figures.setdefault((row.label, "import"), Figure(row, "import"))
                figure.rounds.append(float(taken - bare))
