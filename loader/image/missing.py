"""Libraries that a file needs and that are not there or cannot be read, as the errors that stop a load.

Discovery, `loader doctor`, policies and commands say it in the same words, because they ask here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cures import library_cure
from loader.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loader.image.closure import Member
    from loader.image.image import Image

__all__ = ["missing_libraries", "not_usable"]


def missing_libraries(image: Image, members: Iterable[Member]) -> Iterator[LibraryError]:
    """For each library that the dynamic linker would look for in vain, the error with which it refuses the file.

    `members`: what comes along with `image`, see closure.py.
    """
    for member in members:
        if member.kind == "auxiliary":  # it may be absent
            continue
        if member.error is not None:
            yield not_usable(image, member)
        elif member.path is None:
            yield LibraryError(
                f"needs the library {member.name}{_through(image, member)}, which is not found",
                path=image.path,
                expected=f"{member.name} where libraries are looked for",
                found="none for this machine",
                cure=library_cure(member.name),
            )


def not_usable(image: Image, member: Member) -> LibraryError:
    """The error for a library that is there and cannot be read, of which `member.error` says why."""
    error = member.error
    cure = None if error is None else error.cure
    return LibraryError(
        f"needs the library {member.name}{_through(image, member)}, which cannot be read",
        path=image.path,
        expected=f"a library in {member.path}",
        found=str(error).removeprefix(f"{member.path}: ").removesuffix(f". {cure}"),
        cure=cure or "Replace the file, or remove it if another one is meant",
    )


def _through(image: Image, member: Member) -> str:
    return "" if member.needed_by == image.path else f", which {member.needed_by} needs"
