"""What the dynamic linker said -> LibraryError: who needs what, and what to do."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from loader.errors import LibraryError

if TYPE_CHECKING:
    from loader.image import Image

__all__ = ["explain"]


def explain(image: Image, text: str) -> LibraryError:
    """The dynamic linker's text, with who needs what and what to do."""
    from loader.cures import SYMBOL_CURE, library_cure, version_cure  # noqa: PLC0415 - only wanted here

    if "cannot open shared object file" in text:
        missing, _, reason = text.partition(": cannot open shared object file: ")
        if reason != os.strerror(errno.ENOENT):  # it is there, but
            return _cannot_open(image, missing, reason)
        return LibraryError(
            f"needs the library {missing}, which is not found",
            path=image.path,
            found=text,
            cure=library_cure(missing),
        )
    if "undefined symbol" in text:
        return LibraryError(
            "needs a symbol that no library has",
            path=image.path,
            found=text,
            cure=SYMBOL_CURE,
        )
    version = re.search(r"([^/\s]+): version `([^']+)' not found", text)
    if version is not None:
        return LibraryError(
            "needs a newer system library than this machine has",
            path=image.path,
            found=text,
            cure=version_cure(version[2], version[1], image.machine.machine),
        )
    for code, what, cure in _WINDOWS:
        if text.startswith(f"Windows error {code}"):
            return LibraryError(what, path=image.path, expected=_needs(image), found=text, cure=cure)
    return LibraryError("could not be loaded", path=image.path, found=text)


def _cannot_open(image: Image, library: str, reason: str) -> LibraryError:
    """A library that may well be there: the reason that the system gives is the one to tell."""
    what = "could not be loaded" if library == image.path else f"needs the library {library}, which cannot be opened"
    cures = {
        os.strerror(errno.EMFILE): "Raise the limit on open files (ulimit -n), or close some",
        os.strerror(errno.ENFILE): "Raise the system's limit on open files (fs.file-max)",
        os.strerror(errno.EACCES): f"Let this user read {library}",
    }
    return LibraryError(what, path=image.path, found=f"{library}: {reason}", cure=cures.get(reason))


#: Windows does not say which library or function it looked for in vain.
_WINDOWS = (
    (126, "needs a library that is not found", "Put the one that is missing beside the plugin, or install it"),
    (127, "needs a function that a library does not have", "Update that library, or build against an older one"),
    (1114, "its own code failed when it was loaded", "Ask its author: a constructor or DllMain gave up"),
)


def _needs(image: Image) -> str:
    return f"what it needs: {', '.join(image.needed) or 'no library'}"
