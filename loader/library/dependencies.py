"""A plugin's library together with those that it brings along: the one that is open, or new copies of all.

On ELF systems the copies name each other by path (pinned.py), and the dynamic linker opens them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from loader._core._ffi import ffi
from loader.errors import LibraryError
from loader.image.loaded import conflicts, note_brought
from loader.library.identity import identities
from loader.library.opened import OPENED, Library, claim, known, libraries, look_for_go, open_one, owner_of
from loader.library.pinned import pinned, targets
from loader.library.refusal import explain
from loader.library.sealed import open_together

if TYPE_CHECKING:
    from loader._core._call import Owner
    from loader.trust.members import Resolved

__all__ = ["open_resolved"]

#: Paths of copies that came along with a plugin, or brought others, by the keys of `libraries`.
_copies: dict[str, bytes] = {}


def open_resolved(resolved: Resolved, owner: Owner, warnings: list[str], *, one_go: bool, strict: bool) -> Library:
    """The library of a plugin and what it brings along: the one that is open, or a new one."""
    image = resolved.closure.image
    keys = identities(resolved)
    there = known(keys[image.path])
    if there is not None:
        return there
    for each in (image, *resolved.sealed):
        if each.go and known(keys[each.path]) is None:
            look_for_go(each, warnings, refuse=one_go)
    if image.machine.format == "pe":
        return _open_in_turn(resolved, owner, keys, strict=strict)
    if resolved.sealed or resolved.pinned:
        library = _open_together(resolved, owner, keys, strict=strict)
    else:
        library = open_one(image, owner, keys[image.path], strict=strict)
    for each in resolved.by_path:
        note_brought(each.path, (each.path, each.soname), each.digest)
    return library


def _open_together(resolved: Resolved, owner: Owner, keys: dict[str, str], *, strict: bool) -> Library:
    """Opens copies that name each other."""
    image = resolved.closure.image
    found = {each.path: known(keys[each.path]) for each in resolved.sealed}
    there = {path: copy for path, each in found.items() if each is not None and (copy := _copy_of(each, keys[path]))}
    claim(image, *(keys[each.path] for each in (image, *resolved.sealed) if each.path not in there))
    copies = {ffi.new(OPENED): each for each in (image, *resolved.sealed) if each.path not in there}
    made = {each.path: Library(each.without_bytes(), opened) for opened, each in copies.items()}
    along = tuple(made.get(path) or each for path, each in found.items())
    neighbours = tuple(each for each in along if each is not None)
    library = made[image.path] = replace(made[image.path], neighbours=neighbours)
    libraries.update((keys[path], each) for path, each in made.items())
    try:
        paths = open_together(
            copies, owner, lambda each, paths: pinned(each, targets(resolved, each, paths)), there, strict=strict
        )
    finally:
        for path, each in made.items():
            if not each.opened.open:
                del libraries[keys[path]]
    if isinstance(paths, str):
        raise explain(image, paths)
    for path, each in made.items():
        _copies[keys[path]] = paths[path]
        note_brought(os.fsdecode(paths[path]), (path, each.image.soname), each.image.digest)
    return library


def _copy_of(library: Library, key: str) -> bytes:
    """The path of a library's copy; empty if it is not known."""
    path: bytes = _copies.get(key) or ffi.string(library.opened.path)
    return path


def _open_in_turn(resolved: Resolved, owner: Owner, keys: dict[str, str], *, strict: bool) -> Library:
    """For Windows, which finds a DLL among those that are loaded by its file's name: what needs none comes first."""
    image = resolved.closure.image
    along = []
    for each in reversed(resolved.sealed):
        name = os.path.basename(each.path).lower()
        if conflicts(name, digest=each.digest):
            raise LibraryError(
                f"needs {os.path.basename(each.path)} from beside it, but another library of that name is loaded",
                path=image.path,
                expected=f"{each.path}, SHA-256 {each.digest}",
                found="one with other contents",
                cure="Give the library a name of its own, or link it into the plugin",
            )
        along.append(known(keys[each.path]) or open_one(each, owner_of(each), keys[each.path], strict=strict))
        note_brought(each.path, (name,), each.digest)
    return open_one(image, owner, keys[image.path], tuple(along), strict=strict)
