"""What tells one library from another: its bytes, and all that they bring along."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.image import Image
    from loader.trust.members import Resolved

__all__ = ["identities"]


def identities(resolved: Resolved) -> dict[str, str]:
    """By path, for a plugin and each library that is copied for it: the digest alone if nothing comes along.

    What is needed counts by the name under which it is needed and the bytes that are found; the system's own by their
    paths, because a process keeps those that it has.
    """
    root = resolved.closure.image
    sealed = {each.path: each for each in (root, *resolved.sealed)}
    images = {**{each.path: each for each in resolved.by_path}, **sealed}
    return {path: _identity(resolved, image, sealed, images) for path, image in sealed.items()}


def _identity(resolved: Resolved, begin: Image, sealed: dict[str, Image], images: dict[str, Image]) -> str:
    parts = []
    reached = [begin.path]
    for path in reached:
        for name, member, _ in resolved.closure.edges.get(path, ()):
            found = resolved.closure.image.path if member is None else member.path or ""
            image = images.get(found)
            parts += [name, "copy" if found in sealed else "path", found if image is None else image.digest]
            if image is not None and found not in reached:
                reached.append(found)
        parts.append("")
    if reached == [begin.path]:
        return begin.digest
    whole = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape"))
    return f"{begin.digest} with {whole.hexdigest()}"
