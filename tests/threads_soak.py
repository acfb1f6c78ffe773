"""64 threads on a plugin that locks, for minutes: does any of them ever hang? By hand; test_gil.py has four seconds.

    python tests/threads_soak.py --minutes 10

Every thread repeats one of: writing, logging, asking and failing with the plugin's mutex held, a service that starts
a thread which wants the mutex, a document, a promised call. A thread that does not move for 30 seconds ends it with 1
and the stacks of all.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loader
from loader.author.sdk import include_dir
from loader.htmlize import Htmlizer

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = Path(__file__).resolve().parent / "plugins"
THREADS = 64
STILL = 30  # seconds


class App:
    """The service: a thread that calls the plugin that called it."""

    plugin: Any

    def work(self) -> None:
        """Called without the plugin's lock."""
        thread = threading.Thread(target=self.plugin.quick)
        thread.start()
        thread.join()


def jobs(folder: Path) -> list[Callable[[], object]]:
    """What threads do."""
    library = folder / "locks.so"
    command = ["cc", "-std=c11", "-O1", "-fPIC", "-shared", "-pthread", f"-I{include_dir()}"]
    subprocess.run([*command, str(PLUGINS / "locks.c"), "-o", str(library)], check=True)
    app = App()
    contract = loader.Contract.from_header(PLUGINS / "locks.h")
    plugin: Any = loader.Host(contract, services={"locks.app/1": app}).load(library)
    app.plugin = plugin
    htmlizer = Htmlizer()
    document = "I say :tt:`x`. " * 2000

    def fail() -> None:
        with suppress(loader.PluginError):
            plugin.fail()

    return [
        lambda: plugin.fill("x" * 20000),
        lambda: plugin.fill("é" * 40),
        lambda: plugin.note("noted"),
        plugin.ask,
        fail,
        plugin.quick,
        lambda: plugin.serve(0),
        lambda: (plugin.promised(0, 0), htmlizer.htmlize(document)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    seconds = parser.parse_args().minutes * 60
    logging.getLogger("loader.plugin").addHandler(logging.NullHandler())
    counts = [0] * THREADS
    over = threading.Event()
    sys.setswitchinterval(1e-4)

    def run(number: int, job: Callable[[], object]) -> None:
        while not over.is_set():
            job()
            counts[number] += 1

    with tempfile.TemporaryDirectory() as folder:
        work = jobs(Path(folder))
        for number in range(THREADS):
            threading.Thread(target=run, args=(number, work[number % len(work)]), daemon=True).start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = counts[:]
            time.sleep(STILL)
            still = [number for number in range(THREADS) if counts[number] == before[number]]
            if still:
                print(f"threads {still} do not move after {counts}", file=sys.stderr)
                faulthandler.dump_traceback()
                os._exit(1)
        over.set()
    print(f"{THREADS} threads, {sum(counts):,} calls, least {min(counts):,} of one: 0 hangs")
    os._exit(0)


if __name__ == "__main__":
    main()
