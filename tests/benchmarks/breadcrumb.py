"""What the breadcrumb of a call costs: builds the C code twice, once without it, and compares.

    python tests/benchmarks/breadcrumb.py                 about three minutes
    python tests/benchmarks/breadcrumb.py --rounds 2000 --no-instructions

Nanoseconds: two processes, one with each build, pinned to one core, take turns of a few milliseconds; the figures
are of pairs of turns, since a machine may change its clock between. Instructions: callgrind counts a run of 200,000
calls and one of none; needs valgrind. Both need gcc and the packages that building the loader needs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: What is taken out: pattern, what stands there instead, how often it is to be found in all files. The breadcrumb is
#: some stores around a call, the address of the thread's own, and a comparison that arms a new thread.
WITHOUT = (
    (r"\{\.owner = crumb->owner, \.step = crumb->step\}", "{.owner = NULL, .step = NULL}", 1),
    (r"core_crumb \*crumb = c->crumb;", "(void)c, (void)step;", 1),
    (r"c->crumb->owner = outer\.owner;", "(void)c, (void)outer;", 1),
    (r"\bcrumb->owner = \*run->owner = ", "*run->owner = ", 1),
    (r"core_crumb \*const crumb = run->crumb;", "", 1),
    (r"(?<!->)\bcrumb->(owner|step|offset) = [^;]*;", "", 4),
    (r"c->crumb->(step = (outer\.step|NULL|step)|offset = [^;]*);", "", 4),
    (r"run->crumb->(owner|offset) = [^;]*;", "", 5),
    (r"run->crumb->step = step;", "(void)step;", 1),
    (r"run->crumb->step = &pass_role_step;", "", 1),
    (r"run->crumb = c->crumb;", "", 1),
    (r"= \*c->crumb;", "= {.owner = NULL};", 1),
    (r"c->crumb->armed == core_alarm &&\s+", "", 1),
    (r"c->crumb = &core_trail;", "", 2),
    (r"c->crumb->(armed|step)", r"core_trail.\1", 3),
)
CALLS = 200_000
PLUGIN = "x :tt:`a` y & z :tt:`b` "
#: What is measured, and how many calls of a plugin one run of it is.
WORK = {"a plugin's function": 1, "process_role": 1, "a document's role": 2000}


def build(tree: Path, *, crumb: bool) -> None:
    """A copy of the tree, compiled as a wheel is, with the plugins that are called beside it."""
    for name in ("include", "loader", "native_plugins", "tests/plugins"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.so", "__pycache__", "target"))
    for name in ("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, tree)
    if not crumb:
        change(tree, WITHOUT)
    variables = os.environ | {"LOADER_NO_PLUGINS": "1", "CFLAGS": "-w"}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=tree, env=variables, check=True)
    for name, source in (("probe", "tests/plugins/probe.c"), ("tt", "native_plugins/tt/tt.c")):
        flags = ["-O2", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-Iinclude"]
        subprocess.run(["gcc", *flags, source, "-o", f"{name}.so"], cwd=tree, check=True)


def change(tree: Path, changes: tuple[tuple[str, str, int], ...]) -> None:
    """Changes the C code; stops if that does not look as it is known here."""
    found = [0] * len(changes)
    for file in sorted((tree / "loader").rglob("*.[ch]")):
        if file.name in {"crash.c", "crash_line.c", "_ffi.c"}:
            continue
        text = file.read_text()
        for number, (pattern, instead, _) in enumerate(changes):
            text, times = re.subn(pattern, instead, text)
            found[number] += times
        file.write_text(text)
    for times, (pattern, _, expected) in zip(found, changes, strict=True):
        if times != expected:
            sys.exit(f"{pattern} is there {times} times, not {expected}: bring breadcrumb.py up to date")


# ---- The process that is measured --------------------------------------------------------------------------


def worker(tree: Path) -> None:
    """Reads "name times" lines and answers with the seconds that so many runs took."""
    sys.path.insert(0, str(tree))
    import loader
    from loader.htmlize import Htmlizer, Post

    assert Path(loader.__file__).is_relative_to(tree), loader.__file__
    probe: Any = loader.load(tree / "probe.so", contract=loader.Contract.from_header(tree / "tests/plugins/probe.h"))
    app, post = Htmlizer([tree / "tt.so"]), Post(id=1)
    echo, process_role, document = probe.echo, app.process_role, PLUGIN * 1000
    runs = {
        "a plugin's function": lambda times: [echo("eighteen bytes ok.") for _ in times],
        "process_role": lambda times: [process_role("tt", "eighteen bytes ok.", post) for _ in times],
        "a document's role": lambda times: [app.htmlize(document) for _ in times],
    }
    for line in sys.stdin:
        name, times = line.rstrip("\n").rsplit(" ", 1)
        every = [None] * int(times)
        begin = time.perf_counter()
        runs[name](every)
        print(time.perf_counter() - begin, flush=True)


def start(tree: Path, *before: str, **options: Any) -> subprocess.Popen[str]:
    """A worker, under the command `before`."""
    command = [*before, sys.executable, "-s", __file__, "--worker", str(tree)]
    # The same order of sets, and the same parsed contracts, in every run.
    env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": "", "XDG_CACHE_HOME": str(tree / "cache")}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, **options)


def ask(process: subprocess.Popen[str], name: str, times: int) -> float:
    """Seconds of so many runs."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(name, times, file=process.stdin, flush=True)
    return float(process.stdout.readline())


# ---- Figures -----------------------------------------------------------------------------------------------


def nanoseconds(trees: list[Path], rounds: int) -> None:
    """With and without, in turns."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    processes = [start(tree) for tree in trees]
    print(f"{'ns a call':<22} {'with':>8} {'without':>8} {'difference: of minima':>22} {'median (quartiles)':>24}")
    for name, calls in WORK.items():
        times = max(1, 20_000 // calls)
        for process in processes:
            ask(process, name, times)
        pairs = []
        for number in range(rounds):
            order = (0, 1) if number % 2 else (1, 0)
            seconds = [0.0, 0.0]
            for which in order:
                seconds[which] = ask(processes[which], name, times) / times / calls * 1e9
            pairs.append(seconds)
        least = [min(pair[which] for pair in pairs) for which in (0, 1)]
        low, middle, high = statistics.quantiles([a - b for a, b in pairs], n=4)
        spread = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        print(f"{name:<22} {least[0]:>8.1f} {least[1]:>8.1f} {least[0] - least[1]:>22.2f} {spread:>24}")
    for process in processes:
        process.communicate()


def instructions(trees: list[Path]) -> None:
    """With and without, counted."""
    print(f"{'instructions a call':<22} {'with':>8} {'without':>8} {'difference':>22}")
    counted = {}
    for tree in trees:
        nothing = collected(tree, "process_role", 0)
        for name, calls in WORK.items():
            times = CALLS // calls
            counted[tree, name] = (collected(tree, name, times) - nothing) / times / calls
    for name in WORK:
        one, other = (counted[tree, name] for tree in trees)
        print(f"{name:<22} {one:>8.1f} {other:>8.1f} {one - other:>22.1f}")


def collected(tree: Path, name: str, times: int) -> int:
    """Instructions of a whole process that does this."""
    callgrind = ("setarch", "-R", "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    process = start(tree, *callgrind, stderr=subprocess.PIPE)
    _, told = process.communicate(f"{name} {times}\n")
    found = re.search(r"Collected : (\d+)", told)
    if found is None:
        sys.exit(told)
    return int(found[1])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--no-instructions", action="store_true")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        worker(options.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        trees = [Path(folder).resolve() / "with", Path(folder).resolve() / "without"]
        for tree in trees:
            build(tree, crumb=tree.name == "with")
        nanoseconds(trees, options.rounds)
        if not options.no_instructions:
            instructions(trees)


if __name__ == "__main__":
    main()
