"""How the plugins of a host do: a row each, asked all at once, in bounded time. What Host.survey gives."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loader.plugin import failure_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loader._core._call import Owner
    from loader.plugin import Plugin

__all__ = ["SurveyRow", "survey"]


@dataclass(frozen=True, slots=True)
class SurveyRow:
    """How one plugin does.

    Attributes:
        name, path: the plugin's.
        placement: "in-process" or "worker".
        state: "ready"; "not opened", of a plugin that nobody has used yet; "ended", where calls raise
            :class:`loader.ForkError`; of a worker "busy", "restarting" and "quarantined" too.
        pid: of the process that it runs in; None where there is none.
        uptime: seconds since its code was opened: that of a reload, if there was one, or of a worker's restart.
        calls, failures: how many calls began, of functions, methods and classes, and how many ended with a
            :class:`loader.PluginError`; reloads do not begin them anew. A role of a document is no call of its own.
        restarts: of its worker.
        memory: private bytes of its worker; None in this process, which nobody can divide.
        last_error: the last failure of the code that runs now, in words; of a worker what became of the last one.
        answered: whether it does; of a worker that it did, in time.
    """

    name: str
    path: str
    placement: str
    state: str
    pid: int | None
    uptime: float | None
    calls: int
    failures: int
    restarts: int
    memory: int | None
    last_error: str | None
    answered: bool

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values, for JSON."""
        return asdict(self)


def survey(plugins: Iterable[Plugin], timeout: float) -> list[SurveyRow]:
    """A row for each plugin, within `timeout` seconds."""
    if not timeout >= 0:
        raise ValueError(f"timeout is a number of seconds, 0 or more, not {timeout!r}")
    # The state is taken once, so that a reload in between does not mix two.
    states = [vars(plugin) for plugin in plugins]
    workers = [state["worker"] for state in states if state.get("worker") is not None]
    answered = _ask(workers, timeout) if workers else set()
    return [_row(state, answered) for state in states]


def _ask(workers: list[Any], timeout: float) -> set[int]:
    """Those that answer, by id(). A thread each: one that hangs must not take the others' time."""
    import threading  # noqa: PLC0415 - only where there are workers

    answered: set[int] = set()

    def ask(worker: Any) -> None:
        try:
            answers = worker.ask(timeout)
        except Exception:  # noqa: BLE001 - what it cannot be asked, it does not answer
            return
        if answers:
            answered.add(id(worker))

    until = time.monotonic() + timeout
    threads = [threading.Thread(target=ask, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return answered.copy()  # what comes later is too late


def _row(state: dict[str, Any], answered: set[int]) -> SurveyRow:
    owner: Owner | None = state.get("owner")
    calls, failures = (0, 0) if owner is None else (owner.calls, owner.failures)
    worker = state.get("worker")
    failure = None if owner is None else failure_text(owner)
    if worker is not None:
        return SurveyRow(
            *(state["name"], state["path"], "worker", worker.state, worker.pid, worker.uptime, calls, failures),
            *(worker.restarts, worker.memory, worker.last_error or failure, id(worker) in answered),
        )
    name, path = state["name"], state["path"]
    if owner is None:
        return SurveyRow(name, path, "in-process", "not opened", None, None, 0, 0, 0, None, None, answered=False)
    alive = owner.alive
    return SurveyRow(
        *(name, path, "in-process", "ready" if alive else "ended", os.getpid(), owner.seconds, calls, failures),
        *(0, None, failure, alive),
    )
