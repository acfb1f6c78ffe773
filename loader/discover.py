"""Where plugin files are: folders, lists of paths, an environment variable, entry points of installed packages.

No plugin is opened here. The order is defined: sources in the order given, files of a folder by name.
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
    run: bool = True,
) -> list[Place]:
    """Plugin files in folders or at paths, then those of an environment variable, then of an entry point group.

    Args:
        paths: a folder, a file, or several of them. Folders are not searched recursively; files whose name
            begins with a dot are left out.
        entry_points: group whose entry points name plugin files: a package or a folder in one
            (``my_package.plugins``), which is searched and not imported; or ``module:name``, which is imported and
            is a path, several paths, or a function that returns them.
        environment: variable that holds folders and files separated like PATH; unset is empty.
        run: import what only code can tell; otherwise it is an error.
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
        found += _from_entry_points(entry_points, run)
    return found


def _at(path: str, source: str) -> Iterator[Place]:
    """The plugin files at a path: itself, or those in the folder."""
    path = os.path.abspath(path)
    error = None
    try:
        folder = stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        folder, error = False, None if os.path.lexists(path) else _nothing(path, source)
    except (OSError, ValueError):  # what is the matter is said by who reads it
        folder = False
    if not folder:
        yield Place(path, source or "named", error)
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
    from loader.cures import near_file  # noqa: PLC0415 - only wanted here

    near = near_file(path, folders=True)
    return PluginNotFound(
        "no such file or folder" + (f" ({source})" if source else ""),
        path=path,
        cure="Check the spelling, or build the plugin first" if near is None else f"Did you mean {near}?",
    )


def _from_entry_points(group: str, run: bool) -> Iterator[Place]:
    from importlib import metadata  # noqa: PLC0415 - slow to import

    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: entry.name):
        source = f"entry point {entry.name} of {group}"
        try:
            paths = None if entry.attr else _folders_of(entry.module)
            if paths is None and not run:
                yield Place(entry.value, source, _only_code_tells(entry.value, source))
                continue
            if paths is None:
                paths = list(_paths_of(entry.load()))
        except Exception as error:  # noqa: BLE001 - it runs a stranger's package; one bad one stops no other
            what = f"{source} does not load"
            cure = f"Mend or uninstall the package that declares {entry.value}"
            yield Place(entry.value, source, PluginNotFound(what, found=repr(error), cure=cure))
            continue
        for path in paths:
            yield from _at(path, source)


def _only_code_tells(value: str, source: str) -> PluginNotFound:
    return PluginNotFound(
        f"{source} would have to be imported, which discovery does not do",
        expected="a package or a folder in one: package.folder",
        found=value,
        cure="Ask the package's author to name the folder, or load it: Host.load_all imports",
    )


def _folders_of(name: str) -> list[str] | None:
    """The folders of a package, found as an import would find it and not imported; None: it is no package.

    Raises ModuleNotFoundError.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - where it is wanted

    top, *inner = name.split(".")
    spec = find_spec(top)  # with a dot in it, find_spec would import what is before the dot
    found = spec is not None
    places = None if spec is None else spec.submodule_search_locations
    for part in inner:
        within = list(places or ())
        folders = [folder for place in within if os.path.isdir(folder := os.path.join(place, part))]
        found = bool(folders) or any(os.path.exists(os.path.join(place, part + ".py")) for place in within)
        places = folders or None
    if not found:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return None if places is None else list(places)


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
