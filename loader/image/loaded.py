"""Which libraries this process has loaded, as the dynamic linker matches them with a needed name.

Those that this package brought along with a plugin are told apart: they belong to that plugin. Another one that needs
a library of the same name gets the file that is found for it, and not that one because it happened to be first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from loader._core._ffi import ffi, lib
from loader.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["conflicts", "is_brought", "loaded_as", "note_brought"]

#: What was brought: SHA-256 by name (a path, or what it calls itself); and the paths under which the linker has it.
_names: dict[str, set[str]] = {}
_paths: set[str] = set()
_ROOM = 4096
#: The dynamic linker has a lock of its own there, and cffi lets the GIL go: a fork would leave it held in the child.
_asking = Lock()


def loaded_as(name: str) -> str | None:
    """What the dynamic linker calls the application's own library that serves for `name`; None: there is none."""
    found = ffi.new("char[]", _ROOM)
    wanted = os.fsencode(name)
    again = _asking.inside()
    try:
        if not again:
            _asking.acquire(f"looks for {name}")
        number = 0
        while (answer := lib.library_loaded(wanted, number, found, _ROOM)) != 0:
            path = os.fsdecode(ffi.string(found)) if answer > 0 else name
            if path not in _paths:
                return path or os.path.realpath("/proc/self/exe")
            number += 1
        return None
    finally:
        if not again:
            try:  # noqa: SIM105 - one step of C: see Lock
                _asking.leave()
            except RuntimeError:  # it was not inside
                pass


def note_brought(path: str, names: tuple[str | None, ...], digest: str) -> None:
    """Notes a library that a plugin brought along: the linker's name for it, and those that it could be taken for.
    Another plugin that needs one of that name is not to get it by chance.
    """
    _paths.add(path)
    for name in names:
        if name:
            _names.setdefault(name, set()).add(digest)


def is_brought(names: Iterable[str]) -> bool:
    """Whether a library of one of these names was brought along."""
    return not _names.keys().isdisjoint(names)


def conflicts(*names: str | None, digest: str) -> bool:
    """Whether a library of one of these names was brought along that has other contents."""
    return any(_names.get(name, set()) - {digest} for name in names if name)
