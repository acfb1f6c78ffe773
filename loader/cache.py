r"""The cache: values kept from one run to the next, as files of the user's cache folder, and nothing more.

Contracts by the digest of their header (contract/), what plugin files answered once (AnswerCache). Nothing is trusted
for being here: a contract's values are checked as any others, a plugin passes all checks when it is used.

A file that cannot be read, is damaged, or that someone else could have written is as good as none, without a word.
The folder is $XDG_CACHE_HOME/native-plugin-loader, ~/.cache/native-plugin-loader or, on Windows,
%LOCALAPPDATA%\native-plugin-loader. NATIVE_PLUGIN_LOADER_CACHE=off in the environment turns it off.
"""

# Importing pathlib, json or hashlib costs more than all else here: no pathlib at all, the others when needed.
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from typing import Any

__all__ = ["AnswerCache", "keep", "recall"]

MAX_BYTES = 4 << 20
_FILES = 20_000  # whose answers are kept
_FRESH = 2_000_000_000  # nanoseconds: a file this young may change once more within one tick of its clock
_CHECKSUM = 64  # hexadecimal digits of SHA-256, and a newline, stand before the values


def recall(name: str) -> dict[str, Any] | None:
    """What is in the cache under this file name, or None. The values' form is for the caller to check."""
    path = _path(name)
    if path is None:
        return None
    import json
    from hashlib import sha256

    try:
        content = _read(path)
        if content[:_CHECKSUM] != sha256(content[_CHECKSUM + 1 :]).hexdigest().encode():
            return None
        values = json.loads(content[_CHECKSUM + 1 :])
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def keep(name: str, values: dict[str, Any]) -> None:
    """Caches `values` under this file name: whole or not at all, and silently not if that cannot be."""
    path = _path(name)
    if path is None:
        return
    import json
    import tempfile
    from hashlib import sha256

    body = json.dumps(values, separators=(",", ":")).encode()
    folder = os.path.dirname(path)
    written = None
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=folder, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(sha256(body).hexdigest().encode() + b"\n" + body)
        os.replace(written, path)
        written = None
    except OSError:
        pass
    finally:
        if written is not None:
            with contextlib.suppress(OSError):
                os.unlink(written)


def _path(name: str) -> str | None:
    folder = _folder()
    return None if folder is None else os.path.join(folder, name)


def _folder() -> str | None:
    if os.environ.get("NATIVE_PLUGIN_LOADER_CACHE", "").lower() == "off":
        return None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # the XDG specification: ignore it
            base = os.path.expanduser("~/.cache")
    return os.path.join(base, "native-plugin-loader") if os.path.isabs(base) else None


def _read(path: str) -> bytes:
    """The bytes of a plain file that is ours and that nobody else may write. Raises OSError otherwise."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # as far as the system has them
        flags |= getattr(os, name, 0)
    handle = os.open(path, flags)
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        foreign = hasattr(os, "getuid") and (state.st_uid != os.getuid() or state.st_mode & 0o022)
        if not stat.S_ISREG(state.st_mode) or foreign or state.st_size > MAX_BYTES:
            raise PermissionError(path)
        return file.read(MAX_BYTES)


class AnswerCache:
    """What plugin files answered once, a text each, so that they need not be opened to be asked again.

    Read from the cache folder now and written there by :meth:`save`. Answers go by the file's digest. A file that
    stat says is unchanged is not even read: device, inode, size, and the times of its contents and of its inode are
    those under which its digest was taken.

    `name` is that of the cache file: an application and the version of its contract.
    """

    def __init__(self, name: str) -> None:
        self._name = f"{name}.json"
        values = recall(self._name) or {}
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
        files = dict(list(self._files.items())[-_FILES:])
        used = {entry[5] for entry in files.values() if isinstance(entry, list) and len(entry) == 6}
        answers = {digest: answer for digest, answer in self._answers.items() if digest in used}
        keep(self._name, {"files": files, "answers": answers})


def _state(path: str) -> list[int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return [state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
