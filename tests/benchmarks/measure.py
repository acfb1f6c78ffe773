"""Measures: checks every answer, then runs all systems interleaved, round by round, in one sitting."""

from __future__ import annotations

import os
import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from . import documents
from .figures import CHECKED, DOCUMENT_JOBS, FRESH, Figure, Plan, expected, reference_of
from .fresh import measure_imports, measure_loads
from .hosts import HostError, Hosts
from .systems import CALLS, JOBS, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from .build import Built


SHORT = 20e-6  # seconds; shorter calls are timed in batches, so that the clock's own cost does not count
SAMPLES = 100  # of a figure and round, for the distribution


class Measurement:
    """The whole run."""

    def __init__(
        self, built: Built, rows: list[Row], jobs: list[str], plan: Plan, say: Callable[[str], None]
    ) -> None:
        self.built, self.rows, self.jobs, self.plan, self.say = built, rows, jobs, plan, say
        self.hosts = Hosts(built)
        self.cores = sorted(os.sched_getaffinity(0))
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
            **{job: len(text.encode()) for job, text in documents.CALL_TEXTS.items()},
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

    def fail(self, row: Row, job: str, error: Exception) -> None:
        """Notes what did not work; a peer that cannot do a job says NotImplementedError, which is no failure."""
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
        measure_loads(self)
        measure_imports(self)
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
                        self.fail(row, job, error)
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
                    self.fail(figure.row, figure.job, error)

    def _round(self, number: int) -> None:
        """One round: job by job, all systems in random order, so that no system has a place of its own."""
        for job in self.jobs:
            figures = [figure for (_, each), figure in self.figures.items() if each == job]
            random.Random(number).shuffle(figures)
            for figure in figures:
                own, beside = self._one(figure, number)
                figure.rounds.append(own)
                figure.beside.append(beside)

    def _one(self, figure: Figure, number: int) -> tuple[float | None, float | None]:
        """One figure in one round, and its reference."""
        slow = figure.seconds > self.plan.slow
        every = max(1, self.plan.rounds // self.plan.slow_rounds)
        if figure.seconds > self.plan.endless and number > 0:
            return None, None
        if slow and (number % every or number // every >= self.plan.slow_rounds):
            return None, None
        try:
            if figure.job == "threads-2":
                return self._threads(figure), None
            return self._in_turns(figure, number)
        except HostError as error:
            self.fail(figure.row, figure.job, error)
            return None, None

    def _in_turns(self, figure: Figure, number: int) -> tuple[float, float | None]:
        """The slice of a figure in passes, each between two half ones of its reference, on the same core.

        Cores of one machine differ by 1.6 times for seconds, as their neighbours let them; two systems that
        are compared must not meet different ones.
        """
        passes = min(self.plan.passes, figure.calls)
        reference = self.figures.get(reference_of(figure.row, figure.job) or ("", ""))
        own: list[float] = []
        beside: list[float] = []
        for turn in range(passes):
            pinned = figure.row.placement == "pinned"
            core = self.cores[0 if pinned else (number + turn) % len(self.cores)]
            if reference is not None:
                beside.append(self._slice(reference, 2 * self.plan.passes, core))
            own.append(self._slice(figure, passes, core))
            if reference is not None:
                beside.append(self._slice(reference, 2 * self.plan.passes, core))
        return sum(own) / len(own), sum(beside) / len(beside) if beside else None

    def _slice(self, figure: Figure, parts: int, core: int) -> float:
        """One part of a slice; nanoseconds a run. What calls into another process is left on all cores."""
        calls = max(1, figure.calls // parts)
        batches = min(calls, 100) if figure.seconds < SHORT else min(calls, 1000)
        where = {} if figure.row.system.remote else {"core": core}
        answer = self._ask(figure.row, "run", figure.job, calls=calls, batches=batches, **where)
        each, times = answer["each"], answer["ns"]
        if figure.job == "call" and parts <= self.plan.passes:  # not as another's reference
            step = max(1, len(times) * parts // SAMPLES)
            figure.samples += [round(value / each, 2) for value in times[::step]]
        return float(sum(times) / (each * len(times)))

    def _threads(self, figure: Figure) -> float:
        """Documents a second of two threads, one on each core, over the mean of what one does alone on each."""
        passes = min(self.plan.passes, max(1, figure.calls // 2))
        window = max(self.plan.slice, min(8 * figure.seconds, 4 * self.plan.slice))
        answer = self._ask(figure.row, "threads", figure.job, calls=passes, window=int(window * 1e9))
        return statistics.median(2 * sum(both) / sum(alone) for alone, both in answer["passes"])
