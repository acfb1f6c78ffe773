"""What plugin files answered once, so that they need not be opened to be asked again.

Answers go by the file's digest. A file that stat says is unchanged is not even read: device, inode, size, and the
times of its contents and of its inode are those under which its digest was taken. Both are hints and nothing is
trusted for them: a plugin is opened by way of all checks when it is used, and then asked itself.
"""

from __future__ import annotations

import os
import time
from typing import Any

from loader import kept

__all__ = ["Remembered"]

_MOST = 20_000  # files
_FRESH = 2_000_000_000  # nanoseconds: a file this young may change once more within one tick of its clock


class Remembered:
    """Answers of plugin files, a text each, read from the cache folder now and written there by :meth:`save`.

    `name` is that of the cache file: an application and the version of its contract.
    """

    def __init__(self, name: str) -> None:
        self._name = f"{name}.json"
        values = kept.recall(self._name) or {}
        files, answers = values.get("files"), values.get("answers")
        self._files: dict[str, Any] = files if isinstance(files, dict) else {}
        self._answers: dict[str, Any] = answers if isinstance(answers, dict) else {}
        self._changed = False

    def recall(self, path: str) -> str | None:
        """What the file at `path`, unchanged since, answered; or None."""
        entry = self._files.get(path)
        if not isinstance(entry, list) or len(entry) != 6 or entry[:5] != _state(path):
            return None
        answer = self._answers.get(entry[5])
        return answer if isinstance(answer, str) else None

    def keep(self, path: str, digest: str, answer: str) -> None:
        """Notes what the file at `path`, which has this digest, answered."""
        state = _state(path)
        if state is None or time.time_ns() - max(state[3], state[4]) < _FRESH:
            return
        entry = [*state, digest]
        if self._files.get(path) != entry or self._answers.get(digest) != answer:
            self._files[path] = entry
            self._answers[digest] = answer
            self._changed = True

    def save(self) -> None:
        """Writes what is new. Without a word if that cannot be: the next run asks the plugins again."""
        if not self._changed:
            return
        self._changed = False
        files = dict(list(self._files.items())[-_MOST:])
        used = {entry[5] for entry in files.values() if isinstance(entry, list) and len(entry) == 6}
        answers = {digest: answer for digest, answer in self._answers.items() if digest in used}
        kept.keep(self._name, {"files": files, "answers": answers})


def _state(path: str) -> list[int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return [state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
