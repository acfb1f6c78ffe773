"""Libraries that a file needs from folders that it names itself (its rpath or runpath; for a DLL, its own folder).

A plugin runs from memory or from a private copy, so `$ORIGIN`, its own folder, would mean nothing to the dynamic
linker. What it needs from there is found here instead, checked like the plugin, and opened before it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.errors import LibraryError, LoaderError
from loader.image import read_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.image import Image

__all__ = ["Neighbour", "neighbours_of"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A library found in a folder that a file names.

    `name` is how the file needs it. `beside` says that the folder is relative to the file; otherwise the
    dynamic linker will open it itself, by its path.
    """

    name: str
    image: Image
    beside: bool


def neighbours_of(image: Image, *, strict: bool) -> Iterator[Neighbour]:
    """The libraries that a file would get from its rpath or runpath, the first fit for each name; those that a DLL
    would get from beside it.

    `strict` refuses folders that are relative to the current one. Raises LibraryError.
    """
    # Windows looks beside a DLL first. Mach-O has other words for places, and dyld says what it lacks.
    entries = ("$ORIGIN",) if image.machine.format == "pe" else image.runpath or image.rpath
    if not entries:
        return
    folder = os.path.dirname(image.path)  # links not replaced: as the dynamic linker does it
    for name in image.needed:
        if "/" in name:
            continue
        for entry in entries:
            place = entry.replace("${ORIGIN}", folder).replace("$ORIGIN", folder)
            if not os.path.isabs(place):
                if strict:
                    raise LibraryError(
                        "looks for libraries in the current folder, whichever that is",
                        path=image.path,
                        expected="a runpath of absolute folders or $ORIGIN",
                        found=repr(entry),
                        cure="Link it with -Wl,-rpath,'$ORIGIN' or without -rpath",
                    )
                continue
            found = _library_at(os.path.join(place, name), image)
            if found is not None:
                yield Neighbour(name, found, beside="ORIGIN" in entry)
                break


def _library_at(path: str, needed_by: Image) -> Image | None:
    """What is at a path; None if there is nothing, or a file for another machine, which the linker passes
    by.
    """
    if not os.path.isfile(path):
        return None
    try:
        image = read_image(path)
    except LoaderError as error:
        what = f"needs the library {os.path.basename(path)}, which cannot be read"
        raise LibraryError(what, path=needed_by.path, found=str(error), cure=error.cure) from error
    return None if image.machine != needed_by.machine else image
