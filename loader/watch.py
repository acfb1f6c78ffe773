"""Files of a host's plugins that change, reloaded: what Host.watch gives.

A file is read when two looks found the same stat signature: the one that was there before it is not, so something was
written, and nothing more has been for an interval. A writer that pauses for longer is read half written, which the
road refuses, and once more when it goes on. (A file that is moved into place is never seen half written.)

Polling, because what else there is differs from system to system, misses what is mounted from elsewhere, and a stat
of a hundred files takes a fifth of a millisecond.
"""

from __future__ import annotations

import os
from _thread import get_ident
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from loader.errors import LoaderError
from loader.image import read_image

if TYPE_CHECKING:
    import logging
    import threading

    from loader.plugin import Plugin, SelfTest

__all__ = ["Watch"]

_Signature = tuple[int, int, int, int, int]


class HasPlugins(Protocol):
    """A host, of which only the plugins matter here."""

    @property
    def plugins(self) -> tuple[Plugin, ...]: ...


class _File:
    """What is known of a plugin's file. seen: by the last look; settled: what was read when it was last read."""

    __slots__ = ("path", "seen", "settled")

    def __init__(self, path: str) -> None:
        self.path = path
        self.seen: _Signature | None = None
        self.settled: _Signature | None = None


class Watch:
    """Reloads the plugins of a host whose files change, those loaded meanwhile included.

    A thread looks each `interval` seconds until :meth:`close`; None: nobody looks but who calls :meth:`step`. A
    forked child has no such thread.

    Only the plugin's own file is looked at, not the libraries that it brings along. Raises ValueError for an interval
    that is no time.
    """

    def __init__(self, host: HasPlugins, interval: float | None = 1.0, *, self_test: SelfTest | None = None) -> None:
        import threading  # noqa: PLC0415 - `loader.Watch` is there for who names a type, too

        if interval is not None and not 0 < interval < threading.TIMEOUT_MAX:
            raise ValueError(f"interval is a number of seconds above 0, or None, not {interval!r}")
        self._host = host
        self._self_test = self_test
        self._files: WeakKeyDictionary[Plugin, _File] = WeakKeyDictionary()
        self._over = threading.Event()
        self._process = os.getpid()
        self._thread: threading.Thread | None = None
        if interval is not None:
            self.step()  # what is there now is what later looks are compared with
            self._thread = threading.Thread(target=self._run, args=(interval,), name="loader.watch", daemon=True)
            self._thread.start()

    def step(self) -> list[Plugin]:
        """Looks at all files once; the plugins that were reloaded. One thread at a time."""
        return [plugin for plugin in self._host.plugins if "functions" in vars(plugin) and self._look(plugin)]

    def _look(self, plugin: Plugin) -> bool:
        path = plugin.path
        file = self._files.get(plugin)
        if file is None or file.path != path:
            file = self._files[plugin] = _File(path)
        before, file.seen = file.seen, _signature(path)
        if file.seen is None or file.seen != before or file.seen == file.settled:
            return False
        file.settled = file.seen
        digest = plugin.digest
        try:
            if read_image(path).digest == digest:
                return False
            plugin.reload(self_test=self._self_test)
        except LoaderError as error:
            _logger().warning("plugin %s was not reloaded, and goes on as it is: %s", plugin.name, error)
        except Exception:  # noqa: BLE001 - whatever a self-test or claims of the application raise
            _logger().exception("plugin %s was not reloaded, and goes on as it is", plugin.name)
        return plugin.digest != digest

    def _run(self, interval: float) -> None:
        while not self._over.wait(interval):
            try:
                self.step()
            except BaseException:  # noqa: BLE001 - it would end the watch without a word
                _logger().exception("a look at plugins' files failed")

    def close(self) -> None:
        """Looks no more; a reload that is under way ends first. May be called twice, and by a callback of its own."""
        if os.getpid() != self._process:  # the thread is the parent's, and may have held what is waited for
            return
        self._over.set()
        if self._thread is not None and self._thread.ident != get_ident():
            self._thread.join()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _logger() -> logging.Logger:
    import logging  # noqa: PLC0415 - as above

    return logging.getLogger("loader.watch")


def _signature(path: str) -> _Signature | None:
    """What changes when somebody writes; None: there is no file now."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
