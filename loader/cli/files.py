"""Files that commands write: whole or not at all, through links, and never over what is somebody's own."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from loader.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WriteError", "outdated", "write_file"]


class WriteError(LoaderError):
    """A file cannot be written."""


def write_file(path: str, text: str, mode: int, *, exclusive: bool = False) -> None:
    """Writes a file whole or not at all: who reads it meanwhile finds the old one or the new one.

    mode: of a new file, as far as the umask leaves it; one that is there keeps its own. A link is followed.
    exclusive: only where there is none. Raises WriteError.
    """
    target = path if exclusive else os.path.realpath(path)
    temporary = path if exclusive else f"{target}.{os.getpid()}.part"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            if not exclusive:
                with contextlib.suppress(FileNotFoundError):
                    os.chmod(temporary, os.stat(target).st_mode & 0o7777)
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise WriteError("cannot be written", path=path, found=error.strerror or str(error)) from error


def outdated(path: str, text: str, is_generated: Callable[[bytes], bool]) -> bool:
    """Whether a file that a command generates is missing or has another text.

    Raises LoaderError if it has, and was not generated: that one is nobody's to overwrite but its author's.
    """
    try:
        with open(path, "rb") as file:
            before = file.read()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise WriteError("cannot be read", path=path, found=error.strerror or str(error)) from error
    if before == text.encode():
        return False
    if not is_generated(before):
        what = "this file was not generated, and is not overwritten"
        cure = "Name another place with -o, or move the file away"
        raise LoaderError(what, path=path, expected="a first line that says so", cure=cure)
    return True
