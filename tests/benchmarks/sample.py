"""Results as a run would give them, small and with an odd name in them, for the tests of the page."""

from __future__ import annotations

from typing import Any

from .results import goals
from .systems import JOBS

EVIL = '<script>alert(1)</script><!--"&\u2028'


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
