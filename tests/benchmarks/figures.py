"""What is measured, and how much of it: the plan of a run, a figure, and the right answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from . import documents, reference
from .systems import DOCUMENTS, Row

FRESH = {"load-1": 1, "load-6": 6, "load-1000": 1000}  # jobs that need a fresh process each time -> plugins
CHECKED = 50  # posts of document-small that a check renders
DOCUMENT_JOBS = (*DOCUMENTS, "document-small-joined", "roles-1000", "threads-2")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Args:
        rounds: rounds of all systems.
        slice: seconds that one job of one row gets in one round; loader-c gets as much beside each, for ratios.
        passes: parts of a slice, taken on one core after the other. Even, so that each core of two gets as many.
        slow: a run that takes longer than this (s) is measured in `slow_rounds` rounds only.
        endless: a run that would take longer than this (s) is left out.
        quadratic: the same for documents whose host sends all contents with every role; one round only.
        loads: fresh processes for each load figure.
        joint: hosts are started anew after this many rounds, so that no figure depends on one process's luck.
    """

    rounds: int = 15
    slice: float = 0.025
    passes: int = 4
    slow: float = 0.4
    slow_rounds: int = 2
    endless: float = 15.0
    quadratic: float = 60.0
    loads: int = 15
    joint: int = 5


QUICK = Plan(rounds=5, slice=0.008, slow=0.1, slow_rounds=1, endless=2.0, quadratic=0.0, loads=2, joint=5)


@dataclass(slots=True)
class Figure:
    """One job of one row: its figures in the order of the rounds, None for a round that it was not in.

    `beside` is what its reference (see `reference_of`) took in the same slices, round by round.
    """

    row: Row
    job: str
    rounds: list[float | None] = field(default_factory=list)
    beside: list[float | None] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)  # single calls or small batches: the distribution
    calls: int = 1
    seconds: float = 0.0  # of one run
    note: str = ""


OWN = "loader-c"
OWN_JOBS = {"roles-1000": "document-dense", "document-small": "document-small-joined"}


def reference_of(row: Row, job: str) -> tuple[str, str] | None:
    """Label and job of what a figure is measured in turns with: loader-c's same job; for loader-c, see OWN_JOBS."""
    if job == "threads-2" or job in FRESH:
        return None
    if row.label != OWN:
        return OWN, job
    return (OWN, OWN_JOBS[job]) if job in OWN_JOBS else None


def expected(folder_texts: dict[str, Any]) -> dict[str, str]:
    """The right answer of each job: plain text, or sha256 if long."""
    roles = {"tt": reference.tt}

    def short(text: str) -> str:
        return text if len(text) <= 1000 else "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    html = {name: reference.htmlize(text, roles, None) for name, text in folder_texts.items() if name != "small"}
    small = "\0".join(reference.htmlize(text, roles, None) for text in folder_texts["small"][:CHECKED])
    return {
        **{job: short(reference.tt("tt", text, None)) for job, text in documents.CALL_TEXTS.items()},
        "callback": documents.TITLE,
        "error": documents.ERROR,
        "document-dense": short(html["dense"]),
        "roles-1000": short(html["dense"]),
        "threads-2": short(html["dense"]),
        "document-prose": short(html["prose"]),
        "document-small": short(small),
        "document-small-joined": short(html["small-joined"]),
    }
