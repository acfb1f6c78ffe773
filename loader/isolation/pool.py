"""The workers of one or several plugins: which libraries they have open, how many there are, and what becomes of one.

The C side (loader/_core/remote/cross.c) finds a worker for a call by itself; it comes here when none lives (`renew`),
and when one did not answer (`failed`). A worker that dies is replaced at the next call, or at once where it has
companions. What dies again and again without ever answering is not started any more.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from loader._core import _call  # not its names: some are on Linux only
from loader.errors import (
    CallCancelled,
    DeadlineExceeded,
    ForkError,
    IsolationError,
    LibraryError,
    PluginCrashed,
    PluginError,
)
from loader.events import tell, tell_failure
from loader.isolation.copies import copies
from loader.isolation.message import numbers
from loader.isolation.process import FIRST_FILE, Ended, Process
from loader.isolation.settings import check_available
from loader.library.refusal import explain

if TYPE_CHECKING:
    from loader._core._call import Owner, Worker
    from loader.image import Image
    from loader.isolation.settings import Confinement, Isolation
    from loader.trust import TrustedImage

__all__ = ["Pool", "RemoteLibrary"]

_NEVER: Final = (1 << 63) - 1  # nanoseconds
_FIRST_WAIT, _LONGEST_WAIT = 0.02, 2.0  # seconds before a worker is started again
_logger = logging.getLogger("loader.isolation")


@dataclass(frozen=True, slots=True)
class _Opening:
    """One plugin's library and those that come along with it, as workers are told of them."""

    image: Image
    files: tuple[int, ...]  # descriptors here
    first: int  # the number of the first there; the others follow
    symbols: tuple[str, ...]
    count: int  # of the files
    forgotten: bool = False

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.first}"

    def empty(self) -> _Opening:
        """What stays of it where it is not opened any more: the numbers of its symbols."""
        return replace(self, files=(), forgotten=True)

    @property
    def pairs(self) -> list[tuple[str, str | bytes]]:
        if self.forgotten:
            return []
        numbered: list[tuple[str, str | bytes]] = [("file", str(self.first + i)) for i in range(len(self.files))]
        return [*numbered, ("open", self.path), *(("symbol", name) for name in self.symbols)]


@dataclass(frozen=True, slots=True)
class RemoteLibrary:
    """A plugin's library in the workers of a pool; to plugin.py what a Library of this process is."""

    image: Image
    pool: Pool
    symbols: dict[str, int]
    inherited: bool = False

    def address(self, symbol: str) -> int | None:
        """The number by which the C side finds the symbol's address in a worker, or None: the library lacks it."""
        return self.symbols.get(symbol)


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
        self.quarantined = False
        self._openings: list[_Opening] = []
        self._symbols = 0
        self._paths: dict[Owner, str] = {}
        self._repeatable: dict[Owner, frozenset[str]] = {}
        self._confinement: Confinement | None = None
        self._processes: list[Process] = []
        self._process = os.getpid()
        self._deaths = 0  # in a row, of workers that had answered nothing
        self._not_before = 0.0
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
            opening = _Opening(image, files, taken, tuple(symbols), len(files))
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
        return RemoteLibrary(image, self, {name: first + i for i, name in enumerate(symbols)})

    def _open_more(self, process: Process, opening: _Opening) -> None:
        try:
            self._note_symbols(process, opening, process.open(opening.pairs, list(opening.files)))
        except Ended as end:
            raise self._crash(process, "its constructors", late=end.late) from None

    def _note_symbols(self, process: Process, opening: _Opening, answer: list[tuple[str, str]]) -> None:
        if opening.forgotten:
            process.native.add_addresses((0,) * len(opening.symbols))
            return
        found = dict(answer)
        if "failed" in found:
            text = found["failed"].replace(opening.path, opening.image.path)
            raise explain(opening.image, text)
        addresses = tuple(next(numbers(((name, found.get(name, "")),), name), 0) for name in opening.symbols)
        missing = [name for name, at in zip(opening.symbols, addresses, strict=True) if at == 0]
        if missing:  # the handshake saw it in the export table: the linker and we disagree
            raise LibraryError(f"its symbol {missing[0]} is not found once loaded", path=opening.image.path)
        process.native.add_addresses(addresses)

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
            self._note_symbols(process, first, process.opened())
            for opening in others:
                answer = [] if opening.forgotten else process.open(opening.pairs, list(opening.files))
                self._note_symbols(process, opening, answer)
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
                raise self._error(
                    f"is not started again: {self._deaths} of it died in a row without an answer. {self.last_error}",
                )
            self._wait()
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
        self._deaths, self._not_before, self.quarantined = 0, 0.0, False

    def _wait(self) -> None:
        """Before a worker is started again, after several that were of no use."""
        left = self._not_before - time.monotonic()
        if left > 0:
            time.sleep(left)

    def failed(self, worker: Worker, owner: Owner, function: str, reason: str, tries: int) -> BaseException | bool:
        """What becomes of a call that a worker did not answer: an exception, or True: it is made again.

        Called by the C side. `owner`: whose function was called. `reason`: "died", "deadline", "cancelled", "forked",
        or what was wrong with what it sent. `tries`: how often it was made until now.
        """
        process = worker.keeper
        if reason == "forked":
            return ForkError(
                "was in the middle of a call when the process was forked, and its worker is the parent's",
                path=owner.path,
                plugin=owner.name,
                cure="Fork elsewhere than in what plugins call, or end the child there",
            )
        if reason in ("deadline", "cancelled"):
            process.ended.wait(1.0)
            self._drop(process)
            return self._not_stopped(owner, reason, function)
        if reason != "died":
            process.kill()
            process.ended.wait(1.0)
            self._drop(process)
            return self._error(f"{reason}, and was killed", owner, function)
        error = self._crash(process, function, owner)
        self._drop(process)
        if tries < 2 and function in self._repeatable.get(owner, ()) and not self.quarantined:
            _logger.warning("%s; the call is made again", error)
            return True
        return error

    def _not_stopped(self, owner: Owner, reason: str, function: str) -> PluginError:
        kind, status = (DeadlineExceeded, 5) if reason == "deadline" else (CallCancelled, 4)
        words = f"it did not stop within its grace of {self.isolation.grace:g} s, and its process was killed"
        error = kind("", status=status, message=words, path=owner.path, plugin=owner.name, function=function)
        del error.what  # put together when it is asked for
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
        """The error for a worker that has died; counts it."""
        if late:
            process.kill()
        process.ended.wait(2.0)
        if process.signal is not None:
            how = f"died of {_signal_name(process.signal)}"
        elif process.status is not None:
            how = f"exited with status {process.status}"
        else:
            how = "ended, and how is not known: something else in this process has waited for it"
        if late:
            how = f"took longer than {self.isolation.start:g} s to start, and was killed"
        lines = tuple(process.lines)
        error = self._error(how + (f"; it printed last: {lines[-1]!r}" if lines else ""), owner, function)
        error.signal, error.exit_status, error.lines = process.signal, process.status, lines
        self.last_error = str(error)
        if self._count_death(process):
            tell_failure("crashed", error.plugin or self.name, error.path or "", error, pid=process.pid)
            if self.quarantined:
                tell_failure("quarantined", error.plugin or self.name, error.path or "", error)
        return error

    def _count_death(self, process: Process) -> bool:
        """Once, by whoever learns of it first: whether it was this one. The thread of watch.py must not wait for a
        lock of ours.
        """
        if process.counted:
            return False
        process.counted = True
        native = getattr(process, "native", None)
        answered = native is not None and native.calls > 1  # the last one was not answered
        self._deaths = 1 if answered else self._deaths + 1
        self.quarantined = self._deaths >= self.isolation.crashes
        if self._deaths > 1:
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self._deaths - 2, 10))
            self._not_before = time.monotonic() + wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return True

    def _error(self, words: str, owner: Owner | None = None, function: str | None = None) -> PluginCrashed:
        name, path = (self.name, self.path) if owner is None else (owner.name, owner.path)
        error = PluginCrashed("", message=words, path=path or None, plugin=name, function=function)
        where = "" if function is None else f" in {function}"
        error.what = f"the process of plugin {name} {words.partition(';')[0]}{where}"
        error.what += words[len(words.partition(";")[0]) :]
        error.args = (error.what,)
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
            if each.native.busy or each.native.instances:
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
    while process.native.alive and (process.native.busy or process.native.instances):
        time.sleep(wait)
        wait = min(wait * 1.5, 0.1)
    process.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
