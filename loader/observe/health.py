"""What happens to plugins while an application runs, told to whoever subscribes: its logging, its metrics.

    unsubscribe = loader.health.subscribe(lambda event: counters[event.kind, event.plugin].inc())
    with loader.health.collect() as events:      # or: look now and then
        ...
        for event in events.take(): ...

A callback runs on the thread on which the event happened, after it, without any lock of ours: it may load plugins.
What it raises is logged under "loader.health" and goes no further. (KeyboardInterrupt and SystemExit do: they are not
a callback's own.) Subscriptions are the process's, and a forked child has them too.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loader import events as _events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Collected", "HealthEvent", "collect", "subscribe"]


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """Something happened to a plugin.

    Attributes:
        kind: "loaded", a file went all the road of :func:`loader.load` (once more, if it was loaded before);
            "failed", it did not, or was refused its place in a host;
            "reloaded", its code was replaced; "reload_failed", it was not, and the old code goes on;
            "crashed", "restarted", "quarantined", "closed": of a worker, see docs/isolation.md.
        plugin: its name.
        path: its file.
        time: seconds since 1970, as of ``time.time()``.
        details: what there is to say of it, by name, all plain values. Of what went wrong `error` is the text, `type`
            the exception's class, and `expected`, `found`, `cure` and so on what it has. Of "reloaded": `digest`,
            `before` (the old one's), `version`, `seconds` (that it took) and `mapped` (bytes that libraries of all
            plugins take in this process by now, the replaced ones too: nothing is unmapped).
    """

    kind: str
    plugin: str
    path: str
    time: float
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"plugin {self.plugin} ({self.path}): {self.kind.replace('_', ' ')}"
        return f"{text}: {self.details['error']}" if "error" in self.details else text


class _Subscription:
    """An object of its own for each, so that a callback may be subscribed twice."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[HealthEvent], object]) -> None:
        self.callback = callback


#: Changed in single steps of C only: no lock.
_subscriptions: list[_Subscription] = []


def subscribe(callback: Callable[[HealthEvent], object]) -> Callable[[], None]:
    """Has `callback` called with each event from now on; what it returns ends that, and may be called twice."""
    if not callable(callback):
        raise TypeError(f"a subscriber is called with each event: it is no {type(callback).__name__}")
    subscription = _Subscription(callback)
    _subscriptions.append(subscription)
    _events.listener = _told

    def unsubscribe() -> None:
        try:
            _subscriptions.remove(subscription)
        except ValueError:
            return
        # The listener stays while anybody subscribes: who came in between has set it before or sets it after.
        if not _subscriptions:
            _events.listener = None
            if _subscriptions:
                _events.listener = _told

    return unsubscribe


def _told(kind: str, plugin: str, path: str, details: dict[str, Any]) -> None:
    event = HealthEvent(kind, plugin, path, time.time(), details)
    for subscription in tuple(_subscriptions):
        try:
            subscription.callback(event)
        except Exception:
            import logging  # noqa: PLC0415 - slow to import, and seldom wanted here

            logging.getLogger("loader.health").exception("a subscriber failed at: %s", event)


class Collected:
    """The last events, for who looks now and then; see :func:`collect`.

    Attributes:
        lost: how many were dropped because there were more than `size`; the oldest go first.
    """

    def __init__(self, size: int) -> None:
        self.lost = 0
        self._events: deque[HealthEvent] = deque(maxlen=size)
        self.close = subscribe(self._add)

    def _add(self, event: HealthEvent) -> None:
        if len(self._events) == self._events.maxlen:
            self.lost += 1
        self._events.append(event)

    def take(self) -> list[HealthEvent]:
        """Those that have come since it was called last, oldest first."""
        taken = []
        while True:
            try:
                taken.append(self._events.popleft())
            except IndexError:
                return taken

    def __enter__(self) -> Collected:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect(size: int = 1000) -> Collected:
    """Keeps up to `size` events from now on, until its ``close()`` or the end of its ``with``."""
    if size < 1:
        raise ValueError(f"size is how many events are kept, 1 or more, not {size!r}")
    return Collected(size)
