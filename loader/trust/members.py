"""Which libraries come along with a plugin, and how each is opened: the resolver's closure, and two answers to it.

Is a library the system's own? It is if it lies in a folder that the dynamic linker searches for every program (its
default folders, /etc/ld.so.conf), and if it, each folder and each link on the way to it belongs to root and nobody
else may write to it. Who could change it could change the C library too, so it is not judged further.

Is it opened from a sealed copy, as the plugin is, or by the dynamic linker from its path? From a copy if a policy
asks for anything, if its place was named relative to the plugin ($ORIGIN, which means nothing to the plugin's own
copy), or if another plugin brought a library of the same name with other contents. The system's own are opened by
their paths; and so is what only they need, whose permissions must hold then under any policy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from loader.image.closure import Closure, Doubt, closure_of
from loader.image.linker import library_path
from loader.image.loaded import conflicts, loaded_as
from loader.image.read import read_library, read_links
from loader.image.search import cached_folders, default_folders
from loader.trust.permissions import only_roots

if TYPE_CHECKING:
    from loader.image import Image
    from loader.image.walk import Step

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What comes along with a plugin.

    `sealed` are opened from copies, `by_path` by the linker; neither holds the system's own, nor what the process
    has already. `pinned`: the plugin's copy is told where each of the system's is, because it names folders where
    somebody might put another one meanwhile.
    """

    closure: Closure
    sealed: tuple[Image, ...] = ()
    by_path: tuple[Image, ...] = ()
    pinned: bool = False

    @property
    def own(self) -> tuple[Image, ...]:
        """All that is judged like the plugin."""
        return *self.sealed, *self.by_path


def resolve(image: Image, *, strict: bool) -> Resolved:
    """What comes along with a plugin; `strict`: under a policy that asks for something. Raises nothing of its own:
    what is missing or cannot be read stands in the closure.
    """
    if image.machine.format not in ("elf", "pe"):  # dyld has other words for places
        doubts = tuple(Doubt(image.path, f"{folder!r}") for folder in image.rpath)
        return Resolved(Closure(image, (), doubts))
    closure = closure_of(image, read=_read, loaded=loaded_as)
    images = (member.image for member in closure.members)
    own = {each.path: each for each in images if each is not None and each.digest}  # the system's have none
    every = strict or any(conflicts(each.path, each.soname, digest=each.digest) for each in own.values())
    sealed = _sealed(closure, own, every)
    searched = image.rpath or image.runpath or library_path()
    found = any(member.path is not None and not member.resident for member in closure.members)
    return Resolved(
        closure,
        tuple(sealed.values()),
        tuple(each for path, each in own.items() if path not in sealed),
        pinned=strict and found and bool(searched),
    )


def _sealed(closure: Closure, own: dict[str, Image], every: bool) -> dict[str, Image]:
    """Those that are opened from copies: only what is itself a copy can be told to take another one."""
    found: dict[str, Image] = {}
    waiting = [closure.image.path]
    for path in waiting:
        for _, member, beside in closure.edges.get(path, ()):
            image = None if member is None or member.path is None else own.get(member.path)
            if image is not None and image.path not in found and (every or beside):
                found[image.path] = image
                waiting.append(image.path)
    return found


def _read(path: str) -> Image:
    """A library's facts; of the system's own only what is needed to go on, without a digest."""
    links = read_links(path, allowed=lambda steps: _is_systems(path, steps))
    return read_library(path) if links is None else links


def _is_systems(path: str, steps: tuple[Step, ...]) -> bool:
    return os.path.realpath(os.path.dirname(path)) in _system_folders() and only_roots(steps)


@cache
def _system_folders() -> frozenset[str]:
    return frozenset(os.path.realpath(folder) for folder in (*default_folders(), *cached_folders()))
