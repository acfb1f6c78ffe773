"""Where plugin files are: folders, lists of paths, an environment variable, entry points of installed packages.

Nothing is opened here. The order is defined: sources in the order given, files of a folder by name.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loader.errors import LoaderError, PluginNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["SUFFIXES", "Place", "find"]

#: File name endings of plugins on this system.
SUFFIXES = {"win32": (".dll",), "cygwin": (".dll",), "darwin": (".dylib", ".so")}.get(sys.platform, (".so",))


@dataclass(frozen=True, slots=True)
class Place:
    """A file that may be a plugin, or why there is none.

    `source` says what led to it: "folder plugins", "environment variable APP_PLUGINS", "entry point x of g".
    `listed`: nobody named the file, a folder was searched; it may be a library that a plugin there needs.
    """

    path: str
    source: str
    error: LoaderError | None = None
    listed: bool = False


def find(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    *,
    entry_points: str | None = None,
    environment: str | None = None,
) -> list[Place]:
    """Plugin files in folders or at paths, then those of an environment variable, then of an entry point group.

    Args:
        paths: a folder, a file, or several of them. Folders are not searched recursively; files whose name
            begins with a dot are left out.
        entry_points: group whose entry points name plugin files: each loads to a path, several paths, a
            function that returns them, or a package, whose folder is searched.
        environment: variable that holds folders and files separated like PATH; unset is empty.
    """
    # Not isinstance of os.PathLike: to ask an abstract class the first time takes as long as to find a file.
    several: Any = [paths] if isinstance(paths, str) or hasattr(paths, "__fspath__") else paths
    found = [place for path in several for place in _at(os.fspath(path), "")]
    if environment is not None:
        source = f"environment variable {environment}"
        for path in os.environ.get(environment, "").split(os.pathsep):
            if path:
                found += _at(path, source)
    if entry_points is not None:
        found += _from_entry_points(entry_points)
    return found


def _at(path: str, source: str) -> Iterator[Place]:
    """The plugin files at a path: itself, or those in the folder."""
    path = os.path.abspath(path)
    try:
        folder = stat.S_ISDIR(os.stat(path).st_mode)
        there = True
    except (OSError, ValueError):
        folder, there = False, os.path.lexists(path)
    if not folder:
        yield Place(path, source or "named", None if there else _nothing(path, source))
        return
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        cure = "Let this user read the folder"
        yield Place(path, source, PluginNotFound(f"cannot be listed: {error.strerror}", path=path, cure=cure))
        return
    for name in names:
        if name.endswith(SUFFIXES) and not name.startswith("."):
            yield Place(os.path.join(path, name), source or f"folder {path}", listed=True)


def _nothing(path: str, source: str) -> PluginNotFound:
    return PluginNotFound(
        "no such file or folder" + (f" ({source})" if source else ""),
        path=path,
        cure="Check the spelling, or build the plugin first",
    )


def _from_entry_points(group: str) -> Iterator[Place]:
    from importlib import metadata  # noqa: PLC0415 - slow to import

    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: entry.name):
        source = f"entry point {entry.name} of {group}"
        try:
            paths = list(_paths_of(entry.load()))
        except Exception as error:  # noqa: BLE001 - it runs a stranger's package; one bad one stops no other
            what = f"{source} does not load"
            cure = f"Mend or uninstall the package that declares {entry.value}"
            yield Place(entry.value, source, PluginNotFound(what, found=repr(error), cure=cure))
            continue
        for path in paths:
            yield from _at(path, source)


def _paths_of(value: Any) -> Iterator[str]:
    if callable(value):
        value = value()
    if isinstance(value, (str, os.PathLike)):
        yield os.fspath(value)
    elif hasattr(value, "__path__"):
        yield from value.__path__
    else:
        for item in value:
            yield os.fspath(item)
