"""Host processes and the questions they are asked.

Every system is called by a host of its own language; Python's cost is charged to Python's systems only.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from .build import FOLDER, PEERS, Built, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .systems import System

PATIENCE = 120  # seconds for one answer


class HostError(Exception):
    """A host that failed, ended or did not answer in time."""


def command_of(built: Built, system: System) -> list[str]:
    """The host program of a system."""
    if system.host == "python":
        return [str(built.python), str(PEERS / "python" / "worker.py")]
    return [str(built.folder / "go" / system.host)]


@contextlib.contextmanager
def pinned_to(core: int | None) -> Iterator[None]:
    """Processes that are started inside, and theirs, stay on one core; None: on all."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def placed(placement: str) -> contextlib.AbstractContextManager[None]:
    """Hosts that are started inside, and their plugins, share the first core if the placement is "pinned"."""
    return pinned_to(min(os.sched_getaffinity(0)) if placement == "pinned" else None)


@functools.cache
def surroundings() -> dict[str, str]:
    """The environment of hosts. Their sockets lie in a folder that goes when the runner ends."""
    folder = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return environment(TMPDIR=folder, XDG_CACHE_HOME=str(FOLDER / "cache"))


class Host:
    """One host process: a request a line in, an answer a line out."""

    def __init__(self, built: Built, system: System, placement: str) -> None:
        self.log = built.folder / "logs" / f"{system.name}-{placement or 'in-process'}.txt".replace(" ", "-")
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("w") as log, placed(placement):
            self.process = subprocess.Popen(
                command_of(built, system),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=surroundings(),
            )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer; raises HostError."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError as error:
            raise HostError(f"the host ended: {error}; {self.last_words()}") from None
        finally:
            watch.cancel()
            watch.join()
        if not line:
            raise HostError(f"the host ended or took more than {PATIENCE} s: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise HostError(answer["error"])
        return answer

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])

    def close(self) -> None:
        """Ends it, and with it its plugins."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Hosts:
    """All hosts, started when first asked and kept, so that rounds interleave warm processes."""

    def __init__(self, built: Built) -> None:
        self.built = built
        self._running: dict[tuple[str, str, str], Host] = {}

    def of(self, system: System, placement: str) -> Host:
        """The host of a system in a placement."""
        key = (system.host, system.group or system.name, placement)
        host = self._running.get(key)
        if host is None or host.process.poll() is not None:
            host = self._running[key] = Host(self.built, system, placement)
        return host

    def close(self) -> None:
        """Ends all of them."""
        for host in self._running.values():
            host.close()
        self._running.clear()


def load_once(
    built: Built, system: System, variant: str, placement: str, count: int, *, weigh: bool = False
) -> dict[str, Any]:
    """The time, or the memory, of a fresh host that loads `count` plugins and calls each once; raises HostError."""
    command = [*command_of(built, system), "--memory" if weigh else "--load", system.name, variant, str(count)]
    with placed(placement):
        done = subprocess.run(
            command, capture_output=True, text=True, env=surroundings(), timeout=PATIENCE, check=False
        )
    if done.returncode != 0 or not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise HostError(last)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def import_once(python: Path, statement: str) -> int:
    """Wall nanoseconds of a Python process that runs one statement."""
    start = time.perf_counter_ns()
    subprocess.run([python, "-I", "-c", statement], check=True, env=environment())
    return time.perf_counter_ns() - start
