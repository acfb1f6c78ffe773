"""The workers of one or several plugins: which libraries they have open, how many there are, and what becomes of one.

The C side (loader/_core/remote/cross.c) finds a worker for a call by itself; it comes here when none lives (`renew`),
and when one did not answer (`failed`). A worker that dies is replaced at the next call, or at once where it has
companions. What dies again and again without ever answering is not started any more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from loader._core import _call  # not its names: some are on Linux only
from loader.errors import IsolationError, PluginCrashed
from loader.events import tell, tell_failure
from loader.isolation.copies import copies
from loader.isolation.deaths import Deaths, crashed, ended, forked, not_stopped
from loader.isolation.opening import Opening, RemoteLibrary, addresses_of
from loader.isolation.process import FIRST_FILE, Ended, Process
from loader.isolation.settings import check_available

if TYPE_CHECKING:
    from loader._core._call import Owner, Worker
    from loader.isolation.settings import Confinement, Isolation
    from loader.trust import TrustedImage

__all__ = ["Pool"]

_NEVER: Final = (1 << 63) - 1  # nanoseconds
_logger = logging.getLogger("loader.isolation")


#: All that there are: in a forked child none of them may wait for a thread that only its parent has.
_pools: WeakSet[Pool] = WeakSet()


class Pool:
    """Workers that all have the same libraries open.

    Attributes:
        isolation: how they are set up.
        restarts: how many were started after the first.
        last_error: what became of the last one that ended by itself, or None.
    """

    def __init__(self, isolation: Isolation, name: str, path: str) -> None:
        check_available()
        self.isolation = isolation
        self.name, self.path = name, path
        self.restarts = 0
        self.last_error: str | None = None
        self._openings: list[Opening] = []
        self._symbols = 0
        self._paths: dict[Owner, str] = {}
        self._repeatable: dict[Owner, frozenset[str]] = {}
        self._confinement: Confinement | None = None
        self._processes: list[Process] = []
        self._process = os.getpid()
        self._deaths = Deaths(isolation.crashes)
        self._retired = False
        self._lock = threading.RLock()
        _pools.add(self)
        deadline = _NEVER if isolation.deadline is None else int(isolation.deadline * 1e9)
        self.remote = _call.Remote(self, deadline, int(isolation.grace * 1e9))

    # ---- Libraries ----

    def open(self, trusted: TrustedImage, owner: Owner, symbols: list[str]) -> RemoteLibrary:
        """Opens a trusted file's bytes in all workers, those of later too, and finds these symbols of it.

        Raises LibraryError if it cannot be opened, PluginCrashed if its constructors end the process, IsolationError
        if there can be no worker.
        """
        image = trusted.candidate.image
        with self._lock:
            taken = max((each.first + each.count for each in self._openings), default=FIRST_FILE)
            files = tuple(copies(trusted, taken))
            opening = Opening(image, files, taken, tuple(symbols), len(files))
            self._openings.append(opening)
            try:
                if self._processes:
                    for process in self._processes:
                        self._open_more(process, opening)
                else:
                    self._start_all()
            except BaseException:
                self._openings.remove(opening)
                for each in opening.files:
                    os.close(each)
                raise
            first = self._symbols + 1
            self._symbols += len(symbols)
        declared = trusted.candidate.contract.functions
        self._repeatable[owner] = frozenset(each.name for each in declared if self.isolation.may_repeat(each))
        owner.remote = self.remote
        self._paths[owner] = opening.path
        return RemoteLibrary(image, {name: first + i for i, name in enumerate(symbols)})

    def _open_more(self, process: Process, opening: Opening) -> None:
        try:
            process.native.add_addresses(addresses_of(opening, process.open(opening.pairs, list(opening.files))))
        except Ended as end:
            raise self._crash(process, "its constructors", late=end.late) from None

    def path_there(self, plugin: Any) -> str | None:
        """The path by which a plugin's library is open in all workers, or None: it is not."""
        return self._paths.get(plugin.__dict__.get("owner"))

    def repeat_nothing(self, owner: Owner) -> None:
        """Of a plugin whose calls mean calls of others: whoever makes them knows what may be repeated."""
        self._repeatable.pop(owner, None)

    # ---- Workers ----

    def _start_one(self) -> Process:
        """A worker with all libraries open and one lane."""
        first, *others = self._openings
        process = None
        try:
            process = Process(
                self.isolation, self.name, first.pairs, list(first.files), self._tell_line, self._note_end
            )
            self._confinement = process.confinement
            self._check_confined(process.confinement)
            process.native.add_addresses(addresses_of(first, process.opened()))
            for opening in others:
                answer = [] if opening.forgotten else process.open(opening.pairs, list(opening.files))
                process.native.add_addresses(addresses_of(opening, answer))
            process.add_lane()
        except Ended as end:
            if process is None:
                raise self._no_start() from None
            process.close()
            raise self._crash(process, "its constructors", late=end.late) from None
        except BaseException:
            if process is not None:
                process.close()
            raise
        return process

    def _no_start(self) -> IsolationError:
        return IsolationError(
            "its process ended before it had opened anything",
            path=self.path,
            plugin=self.name,
            cure="See the log of loader.isolation for what it printed",
        )

    def _check_confined(self, confinement: Confinement) -> None:
        lacks = confinement.lacks
        if self.isolation.sandbox == "strict" and lacks:
            raise IsolationError(
                'its process cannot be confined as sandbox="strict" asks',
                path=self.path,
                plugin=self.name,
                expected=", ".join(lacks),
                found="; ".join(f"{name}: {confinement.missing[name]}" for name in lacks),
                cure='Use a kernel that has them, or sandbox="default", which goes on without',
            )
        if self.isolation.sandbox == "default" and lacks:
            _logger.warning(
                "plugin %s runs without %s: %s",
                self.name,
                ", ".join(lacks),
                "; ".join(confinement.missing[name] for name in lacks),
            )

    def _start_all(self) -> None:
        """Starts as many as there should be."""
        while len(self._processes) < self.isolation.workers:
            self._processes.append(self._start_one())
            self.remote.set_workers(tuple(each.native for each in self._processes))

    def renew(self) -> None:
        """Starts workers where there are too few. Called by the C side for a call that finds none.

        Raises PluginCrashed if it is not tried any more, and what starting raises.
        """
        with self._lock:
            if os.getpid() != self._process:
                self._begin_in_child()
            self._processes = [each for each in self._processes if each.native.alive]
            if self.quarantined:
                words = f"is not started again: {self._deaths.in_a_row} of it died in a row without an answer"
                raise ended(f"{words}. {self.last_error}", self.name, self.path)
            self._deaths.wait()
            started = len(self._processes) < self.isolation.workers
            if started:
                self.restarts += 1
                self._start_all()
        if started:
            tell("restarted", self.name, self.path, pids=self.pids, restarts=self.restarts)

    def forget_parent(self) -> None:
        """This is a child: another thread of its parent may have had the lock, and nobody gives it back here."""
        self._lock = threading.RLock()

    def _begin_in_child(self) -> None:
        """This process was forked: the workers are its parent's, and it gets its own."""
        self._processes.clear()
        self._process = os.getpid()
        self._deaths = Deaths(self.isolation.crashes)

    def failed(self, worker: Worker, owner: Owner, function: str, reason: str, tries: int) -> BaseException | bool:
        """What becomes of a call that a worker did not answer: an exception, or True: it is made again.

        Called by the C side. `owner`: whose function was called. `reason`: "died", "deadline", "cancelled", "forked",
        or what was wrong with what it sent. `tries`: how often it was made until now.
        """
        process = worker.keeper
        if reason == "forked":
            return forked(owner)
        if reason in ("deadline", "cancelled"):
            process.ended.wait(1.0)
            self._drop(process)
            return not_stopped(owner, function, reason, self.isolation.grace)
        if reason != "died":
            process.kill()
            process.ended.wait(1.0)
            self._drop(process)
            return ended(f"{reason}, and was killed", owner.name, owner.path, function)
        error = self._crash(process, function, owner)
        self._drop(process)
        if tries < 2 and function in self._repeatable.get(owner, ()) and not self.quarantined:
            _logger.warning("%s; the call is made again", error)
            return True
        return error

    def _drop(self, process: Process) -> None:
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)
                self.remote.set_workers(tuple(each.native for each in self._processes))
        process.close()

    def _crash(
        self, process: Process, function: str | None, owner: Owner | None = None, *, late: bool = False
    ) -> PluginCrashed:
        """The error for a worker that has died; counts it, and tells of it."""
        if late:
            process.kill()
        name, path = (self.name, self.path) if owner is None else (owner.name, owner.path)
        error = crashed(process, name, path, function, too_late=self.isolation.start if late else None)
        self.last_error = str(error)
        if self._deaths.count(process):
            tell_failure("crashed", name, path, error, pid=process.pid)
            if self.quarantined:
                tell_failure("quarantined", name, path, error)
        return error

    def _tell_line(self, stream: str, text: str) -> None:
        level = logging.WARNING if stream == "stderr" else logging.INFO
        logging.getLogger(f"loader.plugin.{self.name}.{stream}").log(level, "%s", text)

    def _note_end(self, process: Process) -> None:
        """A worker has ended; on the thread of watch.py. A call under way tells of it; otherwise this does."""
        if process in self._processes and process.native.busy == 0 and not process.wanted:
            _logger.warning("%s", self._crash(process, None))

    def close(self) -> None:
        """The plugin was replaced: workers end when calls that are under way have, and instances were freed.

        Whoever still has one of its functions, and calls it, gets a worker of the old code once more.
        """
        with self._lock:
            self._retired = True
            processes, self._processes = self._processes, []
            self.remote.set_workers(())
        for each in processes:
            if each.native.callers or each.native.instances:
                threading.Thread(target=_end_when_idle, args=(each,), daemon=True).start()
            else:
                each.close()
        tell("closed", self.name, self.path)

    def forget(self, owner: Owner) -> None:
        """A plugin of these workers was replaced by another one: workers that are started later do without it."""
        path = self._paths.pop(owner, None)
        self._repeatable.pop(owner, None)
        with self._lock:
            for each in self._openings:
                for descriptor in each.files if each.path == path else ():
                    os.close(descriptor)
            self._openings = [each.empty() if each.path == path else each for each in self._openings]

    # ---- What people ask ----

    @property
    def confinement(self) -> Confinement | None:
        """What its workers are confined by, or were when there was one; None: there has been none."""
        return self._confinement

    @property
    def quarantined(self) -> bool:
        """Whether no worker is started any more, because too many died."""
        return self._deaths.too_many

    @property
    def is_shared(self) -> bool:
        """Whether it was made for several plugins, and not for the one at its path."""
        return not self.path

    @property
    def pid(self) -> int | None:
        """The first worker's number, or None: there is none now."""
        return next((each.pid for each in self._processes if each.native.alive), None)

    @property
    def pids(self) -> tuple[int, ...]:
        """The numbers of all workers that live."""
        return tuple(each.pid for each in self._processes if each.native.alive)

    @property
    def state(self) -> str:
        """One word: "ready", "busy", "restarting", "quarantined" or "ended"."""
        if self._retired and not self._processes:
            return "ended"
        if self.quarantined:
            return "quarantined"
        living = [each for each in self._processes if each.native.alive]
        if not living:
            return "restarting"
        return "busy" if all(each.native.busy for each in living) else "ready"

    @property
    def uptime(self) -> float:
        """Seconds since the oldest living worker was started."""
        return max((time.monotonic() - each.started for each in self._processes if each.native.alive), default=0.0)

    @property
    def memory(self) -> int:
        """Bytes that the workers have for themselves."""
        return sum(each.private_memory for each in self._processes)

    @property
    def calls(self) -> int:
        """Calls that were begun by the workers that live."""
        return sum(each.native.calls for each in self._processes)

    def ask(self, timeout: float) -> bool:
        """Whether all workers answer within `timeout` seconds: their main threads, whatever calls do."""
        try:
            until = time.monotonic() + timeout
            return all(each.answers(until - time.monotonic()) for each in tuple(self._processes)) and bool(self.pids)
        except IsolationError:
            return False

    def __repr__(self) -> str:
        return f"<workers of {self.name}: {', '.join(map(str, self.pids)) or 'none'}>"

    def __del__(self) -> None:
        for opening in getattr(self, "_openings", ()):
            for each in opening.files:
                with suppress(OSError):
                    os.close(each)


def _after_fork() -> None:
    for pool in list(_pools):
        pool.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _end_when_idle(process: Process) -> None:
    """Nobody can begin a call any more; those that are under way, and instances, are let be."""
    wait = 0.001
    while process.native.alive and (process.native.callers or process.native.instances):
        time.sleep(wait)
        wait = min(wait * 1.5, 0.1)
    process.close()
