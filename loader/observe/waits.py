"""Debug mode: who holds a lock across a service, and who does not keep a promise?

A plugin's mutex that is held while a service runs makes every other call that wants it wait for Python code, for
ever if that code waits for such a call. So while a watched call has run for a second, and another one of the same
plugin is in a service all that time, a warning names both. And a function that promised never to block
(LOADER_NEVER_BLOCKS) is named when it calls a service or takes longer than a tenth of a second.

For process_state.py, which is told of each watched call.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from loader._core._call import Owner

__all__ = ["Waits", "WatchedCall"]

_logger = logging.getLogger("loader.process_state")

#: Seconds that a call may take beside one that is in a service.
LONG: Final = 1.0
#: Seconds that a call may take which promised never to block; much more than the promise allows.
QUICK: Final = 0.1


class WatchedCall:
    """A call that runs now. `service`: the one that it is in, since when, or None."""

    __slots__ = ("began", "broken", "function", "owner", "service", "since", "thread", "warned")

    def __init__(self, owner: Owner, function: str) -> None:
        self.owner = owner
        self.function = function
        self.thread = threading.current_thread()
        self.began = time.monotonic()
        self.service: str | None = None
        self.since = 0.0
        self.warned = False
        self.broken: str | None = None


class Waits:
    """The calls that one StateWatch watches. `said`: the warnings given."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._running: list[WatchedCall] = []
        _watch_over(self)

    def begin(self, owner: Owner, function: str) -> WatchedCall:
        """A call is about to begin on this thread."""
        call = WatchedCall(owner, function)
        self._running.append(call)
        return call

    def service(self, name: str) -> None:
        """This thread's call enters the service of this id, or leaves it ("")."""
        here = threading.current_thread()
        call = next((each for each in reversed(self._running) if each.thread is here), None)
        if call is None:  # it began before it was watched
            return
        call.service, call.since = name or None, time.monotonic()
        if name and call.broken is None and call.function in call.owner.promises:
            call.broken = f"called the service {name}"

    def end(self, call: WatchedCall, seconds: float) -> str | None:
        """The call took so long in the plugin. How it broke its promise, or None."""
        self._running.remove(call)
        if call.broken is None and seconds > QUICK and call.function in call.owner.promises:
            call.broken = f"took {seconds * 1000:.0f} ms"
        if call.broken is None:
            return None
        owner = call.owner
        self.say(
            f"plugin {owner.name} ({owner.path}) promised never to block in {call.function}, and {call.broken}. "
            f"Take LOADER_NEVER_BLOCKS({call.function}) out of it"
        )
        return call.broken

    def forget(self, call: WatchedCall | None) -> None:
        """The call has ended, unwatched."""
        if call is not None:
            self._running.remove(call)

    def say(self, text: str) -> None:
        """Warns."""
        self.said.append(text)
        _logger.warning("%s", text)

    def look(self) -> None:
        """Warns of calls that wait beside one that is in a service."""
        now = time.monotonic()
        running = self._running[:]
        for call in running:
            if call.warned or call.service is not None or now - max(call.began, call.since) < LONG:
                continue
            for other in running:
                if (
                    other.thread is not call.thread
                    and other.owner.path == call.owner.path
                    and (service := other.service) is not None
                    and now - other.since >= LONG
                ):
                    call.warned = True
                    self.say(
                        f"plugin {call.owner.name} ({call.owner.path}) has been in {call.function} for "
                        f"{now - call.began:.1f} s on thread {call.thread.name}, while its {other.function} is in "
                        f"the service {service} on thread {other.thread.name}: does it hold a lock across that? "
                        "It must unlock first"
                    )
                    break


# ---- The thread that looks ---------------------------------------------------------------------------------

_all: WeakSet[Waits] = WeakSet()
_thread: threading.Thread | None = None


def _watch_over(waits: Waits) -> None:
    """Sees to it that a thread looks, before the first call: it is not to look like a plugin's own."""
    global _thread  # noqa: PLW0603 - one for all, gone in a forked child
    _all.add(waits)
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_look_on, name="loader-debug", daemon=True)
        _thread.start()


def _look_on() -> None:
    while True:
        time.sleep(LONG / 4)
        for waits in list(_all):
            waits.look()
