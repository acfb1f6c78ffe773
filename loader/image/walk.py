"""A path -> a descriptor of the file, and all that was passed on the way to it.

The kernel follows a path and forgets the way. Whoever then asks about the folders asks about other folders,
if they were renamed or linked elsewhere meanwhile. So each name is looked up here once, in the folder held by
a descriptor, links are read once, and what fstat said about each is kept: loader/trust/permissions.py decides from
that and looks nothing up again.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Step", "absolute", "open_file"]

_LINKS = 40  # as many as Linux follows
_PASSING: Final = getattr(os, "O_PATH", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_CAN_WALK = hasattr(os, "O_PATH") and os.open in os.supports_dir_fd


@dataclass(frozen=True, slots=True)
class Step:
    """A folder, symbolic link or file that was passed; `path` has the links before it replaced."""

    path: str
    stat: os.stat_result = field(repr=False)


def open_file(path: str, flags: int) -> tuple[int, tuple[Step, ...]]:
    """A descriptor of the file at an absolute path, and the steps from "/" to it; the last one is the file.

    No steps are known on systems without O_PATH, and for paths through links of /proc, which lead to open
    files and not to names. Raises what os.open raises.
    """
    if _CAN_WALK and path.startswith("/"):
        try:
            return _PathWalk(path).to_the_end(flags)
        except OSError:
            pass  # the system says below, in its own words, what is wrong with the path
    return os.open(path, flags), ()


def absolute(folder: str | os.PathLike[str]) -> str:
    """A folder from the current one on. What stands before a ".." may be a link, so it is not taken away."""
    name = os.fspath(folder)
    return os.path.join(os.getcwd(), name) if os.pardir in name.split(os.sep) else os.path.abspath(name)


class _PathWalk:
    def __init__(self, path: str) -> None:
        self._ahead = _names(path)  # the next name is the last element
        self._steps: list[Step] = []
        self._links = 0
        self._folder = self._file = -1
        self._here: list[str] = []

    def to_the_end(self, flags: int) -> tuple[int, tuple[Step, ...]]:
        try:
            self._start_at_root()
            while len(self._ahead) > 1 or not self._is_file_next(flags):
                self._pass(self._ahead.pop())
            return self._file, tuple(self._steps)
        except BaseException:
            if self._file >= 0:
                os.close(self._file)
            raise
        finally:
            if self._folder >= 0:
                os.close(self._folder)

    def _is_file_next(self, flags: int) -> bool:
        """Opens the last name; False if it is a link."""
        name = self._ahead[0] if self._ahead else "."
        try:
            self._file = os.open(name, flags | os.O_NOFOLLOW, dir_fd=self._folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return False
            raise
        self._note(self._path_of(name), self._file)
        return True

    def _pass(self, name: str) -> None:
        entered = os.open(name, _PASSING, dir_fd=self._folder)
        try:
            status = self._note(self._path_of(name), entered)
            if stat.S_ISLNK(status.st_mode):
                self._follow(entered, status)
                return
            entered, self._folder = self._folder, entered
            if name == "..":
                del self._here[-1:]
            else:
                self._here.append(name)
        finally:
            os.close(entered)

    def _follow(self, link: int, status: os.stat_result) -> None:
        self._links += 1
        if self._links > _LINKS or status.st_dev == os.stat("/proc").st_dev:
            raise OSError(errno.ELOOP, "not a path of names")
        target = os.readlink("", dir_fd=link)
        self._ahead += _names(target)
        if target.startswith("/"):
            self._start_at_root()

    def _start_at_root(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1
        self._folder = os.open("/", _PASSING)
        self._here = []
        self._note("/", self._folder)

    def _path_of(self, name: str) -> str:
        if name == "..":
            return "/" + "/".join(self._here[:-1])
        return "/" + "/".join([*self._here, name])

    def _note(self, path: str, descriptor: int) -> os.stat_result:
        status = os.fstat(descriptor)
        self._steps.append(Step(path, status))
        return status


def _names(path: str) -> list[str]:
    """The names of a path, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]
