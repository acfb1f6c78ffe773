"""The host process of Python systems. Reads one request a line, answers one line; both are JSON.

    {"do": "run", "system": S, "variant": V, "job": J, "calls": n, "batches": b, "core": c, if to be pinned}
    ->  {"ns": [b], "each": n/b}
    {"do": "check", "system": S, "variant": V, "job": J}  ->  {"answer": text, or "sha256:..." if long}
    {"do": "threads", "system": S, "variant": V, "calls": passes, "window": ns}
    ->  {"passes": [[alone, both], ...]}: documents a second of two threads, alone one by one and both at once

    worker.py --load SYSTEM VARIANT COUNT, in a fresh process: from paths to plugins that answered one call
    ->  {"ns": ..., "loaded": n}
    worker.py --memory SYSTEM VARIANT COUNT, the same: what it takes of memory
    ->  KiB: {"rss_before": ..., "rss_after": ..., "private_before": ..., "private_after": ...}

A system is the module peer_<name> in this folder, with `open_peer(folder, variant) -> Peer` and `load(folder,
variant, count)`, which returns a list of (callable(role, text, post) -> str, post). BENCHMARKS is the folder
with everything built.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from peer import Peer, answer_of, loop_of  # noqa: E402

FOLDER = Path(os.environ["BENCHMARKS"])
CORES = os.sched_getaffinity(0)
WARM = 20  # the part of a batch that is run before the clock starts, in short calls: caches are another host's
TURNS = ((0,), (1,), (0, 1))  # who works, in one pass of threads
opened: dict[tuple[str, str], Peer] = {}


def module_of(system: str) -> Any:
    """The module of a system."""
    return importlib.import_module("peer_" + system.replace("-", "_"))


def peer_of(system: str, variant: str) -> Peer:
    """The opened system; opened once and kept."""
    key = (system, variant)
    if key not in opened:
        opened[key] = module_of(system).open_peer(FOLDER, variant)
    return opened[key]


class Texts(dict[str, Any]):
    """The documents, read when first asked for."""

    def __missing__(self, name: str) -> Any:
        if name == "small":
            value: Any = (FOLDER / "documents" / "small.txt").read_text().split("\0")
        elif name == "small-joined":
            value = "\n\n".join(self["small"])
        else:
            value = (FOLDER / "documents" / f"{name}.txt").read_text()
        self[name] = value
        return value


texts = Texts()


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Times batches of one job."""
    loop = loop_of(peer_of(request["system"], request["variant"]), request["job"], texts)
    each = max(1, request["calls"] // request["batches"])
    clock = time.perf_counter_ns
    figures = []
    if "core" in request:
        os.sched_setaffinity(0, {request["core"]})  # this thread only
    try:
        if each >= WARM:
            loop(each // WARM)
        for _ in range(request["batches"]):
            start = clock()
            loop(each)
            figures.append(clock() - start)
    finally:
        os.sched_setaffinity(0, CORES)
    return {"ns": figures, "each": each}


def threads(request: dict[str, Any]) -> dict[str, Any]:
    """Documents a second of two threads, each on a core of its own: one alone, the other alone, both at once."""
    if len(CORES) < 2:
        raise NotImplementedError("needs two cores")
    loop = loop_of(peer_of(request["system"], request["variant"]), request["job"], texts)
    window, clock = request["window"], time.perf_counter_ns
    passes = [[[0.0, 0.0], [0.0, 0.0]] for _ in range(request["calls"])]  # [alone, both], each of two threads
    turns = [(number, turn) for number in range(len(passes)) for turn in TURNS[:: 1 if number % 2 == 0 else -1]]
    gate = threading.Barrier(2)

    def speed() -> float:
        done, start = 0, clock()
        now, end = start, start + window
        while now < end:
            loop(1)
            done += 1
            now = clock()
        return done * 1e9 / (now - start)

    def work(who: int) -> None:
        os.sched_setaffinity(0, {sorted(CORES)[who]})
        try:
            loop(1)  # its own memory
            for number, turn in turns:
                gate.wait()
                if who in turn:
                    passes[number][len(turn) - 1][who] = speed()
        except BaseException:
            gate.abort()
            raise

    with ThreadPoolExecutor(2) as crew:
        for ending in [crew.submit(work, 0), crew.submit(work, 1)]:
            ending.result()
    return {"passes": passes}


def check(request: dict[str, Any]) -> dict[str, Any]:
    """What the system answers, for the comparison."""
    answer = answer_of(peer_of(request["system"], request["variant"]), request["job"], texts)
    if len(answer) > 1000:
        answer = "sha256:" + hashlib.sha256(answer.encode()).hexdigest()
    return {"answer": answer}


def memory() -> dict[str, int]:
    """Resident and private KiB of this process and its children."""
    total = {"rss": 0, "private": 0}
    waiting = [os.getpid()]
    while waiting:
        process = waiting.pop()
        for task in Path(f"/proc/{process}/task").iterdir():
            waiting += map(int, (task / "children").read_text().split())
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "Rss":
                total["rss"] += int(value.split()[0])
            elif name.startswith("Private_") and name != "Private_Hugetlb":
                total["private"] += int(value.split()[0])
    return total


def load(system: str, variant: str, count: int, *, weigh: bool) -> dict[str, Any]:
    """From paths to `count` plugins that answered one call each, in this fresh process: its time or, to `weigh` it,
    its memory.
    """
    prepare = module_of(system)
    wanted = "<tt>eighteen bytes txt</tt>"
    lazy = variant == "lazy"
    if hasattr(prepare, "warm"):
        prepare.warm(FOLDER, variant)
    before: dict[str, int] = {}
    if weigh:
        memory()  # its own imports are not the system's
        before = memory()
    start = time.perf_counter_ns()
    functions = prepare.load(FOLDER, variant, count)
    for function, post in functions[:1] if lazy else functions:
        answer = function("tt", "eighteen bytes txt", post)
        if answer != wanted:
            raise SystemExit(f"{system} answered {answer!r}")
    elapsed = time.perf_counter_ns() - start
    if not weigh:
        return {"ns": elapsed, "loaded": len(functions)}
    return {f"{name}_before": value for name, value in before.items()} | {
        f"{name}_after": value for name, value in memory().items()
    }


def main() -> None:
    """Serves requests until the input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)  # what a plugin prints must not mix with answers
    os.dup2(2, 1)
    if sys.argv[1:2] in (["--load"], ["--memory"]):
        answer = load(sys.argv[2], sys.argv[3], int(sys.argv[4]), weigh=sys.argv[1] == "--memory")
        out.write(json.dumps(answer) + "\n")
        out.flush()
        os._exit(0)  # children of peers are ended by the end of their pipes
    gc.collect()
    gc.freeze()
    gc.disable()  # as timeit does
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"run": run, "check": check, "threads": threads}[request["do"]](request)
        except BaseException as error:  # noqa: BLE001
            answer = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        out.write(json.dumps(answer) + "\n")
    for peer in opened.values():
        peer.close()
    out.flush()
    os._exit(0)


main()
