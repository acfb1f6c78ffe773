"""The command of the side-by-side measurement:

    python -m tests.benchmarks [--quick] [--systems a,b] [--jobs a,b] [--rounds N] [--output FOLDER]

Builds all peers into build/benchmarks, checks each (same input, same answer), measures all systems interleaved
in one sitting and writes results.json, index.html and ladder.svg into the output folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .build import FOLDER, ROOT, BuildError, Built, build
from .figures import QUICK, Plan
from .ladder import ladder
from .measure import Measurement
from .page import page
from .results import collect
from .systems import BY_NAME, JOBS, SYSTEMS, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def terminal() -> Callable[[str], None]:
    """How progress is shown: rich if it is there, plain lines if not."""
    started = time.monotonic()
    try:
        from rich.console import Console
        from rich.markup import escape
    except ImportError:
        return lambda text: print(f"{time.monotonic() - started:6.0f} s  {text}", file=sys.stderr, flush=True)
    console = Console(stderr=True, highlight=False)

    def say(text: str) -> None:  # one print a line: builds run beside each other
        console.print(f"[dim]{time.monotonic() - started:6.0f} s[/]  {escape(text)}")

    return say


def chosen(names: str | None, known: Sequence[str], what: str) -> list[str]:
    """The names of a comma-separated list, all if there is none."""
    if not names:
        return list(known)
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise SystemExit(f"no {what} {name!r}; there are: {', '.join(known)}")
    return [name for name in known if name in wanted]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="The side-by-side measurement.")
    parser.add_argument("--quick", action="store_true", help="under five minutes, once everything is built")
    parser.add_argument("--systems", help="only these, comma-separated")
    parser.add_argument("--jobs", help="only these, comma-separated")
    parser.add_argument("--rounds", type=int, help="rounds of all systems")
    parser.add_argument("--output", type=Path, default=FOLDER / "results", help="folder for the results")
    parser.add_argument("--loader", type=Path, default=ROOT, help="another checkout of this loader to measure")
    parser.add_argument("--build-only", action="store_true", help="build the peers and stop")
    parser.add_argument("--page-only", action="store_true", help="write page and ladder anew from results.json")
    return parser.parse_args(argv)


def write(results: dict[str, Any], output: Path) -> None:
    """The three files."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (output / "index.html").write_text(page(results))
    (output / "ladder.svg").write_text(ladder(results))


def measure(
    say: Callable[[str], None], systems: list[str], jobs: list[str], plan: Plan, checkout: Path = ROOT
) -> tuple[dict[str, Any], Measurement]:
    """Builds, measures, collects."""
    picked = [BY_NAME[name] for name in systems]
    built = build(say, picked, checkout=checkout)
    skipped = skips(built, systems)
    for skip in skipped:
        say(f"skipped {skip['system']}: {skip['reason']}")
    gone = {skip["system"] for skip in skipped}
    rows = rows_of([system for system in picked if system.name not in gone])
    started = time.monotonic()
    measurement = Measurement(built, rows, jobs, plan, say)
    measurement.run()
    return collect(measurement, built, skipped, time.monotonic() - started), measurement


def skips(built: Built, systems: list[str]) -> list[dict[str, str]]:
    """The systems that cannot be measured here, with the reason."""
    reasons = [(name, built.reason_to_skip(BY_NAME[name])) for name in systems]
    return [{"system": name, "reason": reason} for name, reason in reasons if reason]


def show_goals(results: dict[str, Any], say: Callable[[str], None]) -> None:
    """The goals, a line each."""
    for goal in results["goals"]:
        mark = {True: "reached", False: "missed", None: "not measured"}[goal["ok"]]
        say(f"{mark:>12}  {goal['figure']}: {goal['reached']} (goal {goal['goal']}) {goal['note']}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    options = arguments(argv)
    say = terminal()
    systems = chosen(options.systems, [system.name for system in SYSTEMS], "system")
    jobs = chosen(options.jobs, list(JOBS), "job")
    if options.page_only:
        write(json.loads((options.output / "results.json").read_text()), options.output)
        return 0
    if options.build_only:
        for skip in skips(build(say, [BY_NAME[name] for name in systems], checkout=options.loader), systems):
            say(f"skipped {skip['system']}: {skip['reason']}")
        return 0
    plan = QUICK if options.quick else Plan()
    if options.rounds:
        plan = dataclasses.replace(plan, rounds=options.rounds)
    try:
        results, _ = measure(say, systems, jobs, plan, options.loader)
    except BuildError as error:
        raise SystemExit(f"this loader could not be built: {error}") from None
    write(results, options.output)
    show_goals(results, say)
    say(f"written to {options.output}: results.json, index.html, ladder.svg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
