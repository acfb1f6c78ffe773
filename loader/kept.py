r"""Values kept from one run to the next, as files of the user's cache folder: a cache, and nothing more.

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
from typing import Any

__all__ = ["keep", "recall"]

MAX_BYTES = 4 << 20
_CHECKSUM = 64  # hexadecimal digits of SHA-256, and a newline, stand before the values


def recall(name: str) -> dict[str, Any] | None:
    """What was kept under this file name, or None. The values' form is for the caller to check."""
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
    """Remembers `values` under this file name: whole or not at all, and silently not if that cannot be."""
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
