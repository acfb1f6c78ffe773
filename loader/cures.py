"""How to mend what several stages meet: a misspelt word, a file that is not there or cannot be read, a library
or a symbol that is missing. They say it alike because they ask here. Imports nothing of ours.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LIBRARIES",
    "SYMBOL_CURE",
    "command_line",
    "did_you_mean",
    "file_cure",
    "from_here",
    "library_cure",
    "near_file",
    "version_cure",
]

#: How the names of plugins end, on all systems.
LIBRARIES: Final = (".so", ".dylib", ".dll")
_MANY: Final = 2000  # names of a folder that are compared: it takes some 20 microseconds each
_CURES: Final = {
    errno.EACCES: "Let this user read it",
    errno.EPERM: "Let this user read it",
    errno.EISDIR: "It is a folder: name a file",
    errno.ELOOP: "Its symbolic links lead in a circle: name the file itself",
    errno.EMFILE: "Raise the limit on open files (ulimit -n), or close some",
    errno.ENFILE: "Raise the system's limit on open files (fs.file-max)",
}

#: By what a symbol version is called: what to do where it is missing.
_VERSIONS: Final = {
    "GLIBC": "Build it on an older system, or for an older one: zig cc -target {machine}-linux-gnu.2.28",
    "GLIBCXX": "Link it with -static-libstdc++, or build it with an older compiler",
    "CXXABI": "Link it with -static-libstdc++, or build it with an older compiler",
    "GCC": "Link it with -static-libgcc, or build it with an older compiler",
}
#: What to do about a symbol that nobody defines.
SYMBOL_CURE: Final = "Link it with the library that defines it; -Wl,--no-undefined tells when building"


def command_line(*words: str) -> str:
    """A command as it is typed here: in a shell of POSIX, or in one of Windows, which knows no single quotes."""
    if os.name == "nt":
        from subprocess import list2cmdline  # noqa: PLC0415 - slow to import

        return list2cmdline(words)
    import shlex  # noqa: PLC0415 - only wanted here

    return shlex.join(words)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The question whether the one that comes near was meant, or None."""
    found = _near(word, known)
    return f"Did you mean {found[0]}?" if found else None


def file_cure(path: str, error: OSError, missing: str | None = None, *, endings: tuple[str, ...] = ()) -> str | None:
    """What to do about a file that cannot be opened: `missing` if it is not there and nothing comes near.

    `endings`: see near_file.
    """
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return _CURES.get(error.errno or 0)
    found = near_file(path, endings=endings)
    return missing if found is None else f"Did you mean {found}?"


def near_file(path: str, *, endings: tuple[str, ...] = (), folders: bool = False) -> str | None:
    """The file that `path` may be misspelt for: its name, if it lies in that folder, or a path with another folder.

    `endings`: how its name can end, if not as that of `path` does; () for any. `folders`: a folder may be meant. One
    that ends as `path` does comes before all others: in place of codec.s0, codec.so rather than codec.h.
    """
    head, tail = os.path.split(path)
    rest: list[str] = []
    while head and not os.path.isdir(head):
        rest.insert(0, tail)
        head, tail = os.path.split(head)
    try:
        names = os.listdir(head or ".")[:_MANY]
    except (OSError, ValueError):
        return None
    own = ""
    if rest:
        known = {name: [name] for name in names}
    else:  # what is compared is the name without its ending, which would make all names alike
        tail, own = os.path.splitext(tail)
        known = {}
        for name in names:
            stem, ending = os.path.splitext(name)
            if not endings or ending in endings or ending == own:
                known.setdefault(stem, []).append(name)
    for name in _by_ending([name for each in _near(tail, known) for name in sorted(known[each])], own):
        found = os.path.join(head, name, *rest)
        if os.path.exists(found) and (folders or not os.path.isdir(found)):
            return found if rest else name
    return None


def _by_ending(names: list[str], own: str) -> list[str]:
    """The names, those first that end as the word does, whose ending this is; of one stem, what is nearest to it."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - see _near

    parts = {name: os.path.splitext(name) for name in names}
    stems = list(dict.fromkeys(stem for stem, _ in parts.values()))
    return sorted(
        names,
        key=lambda name: (
            parts[name][1] != own,
            stems.index(parts[name][0]),
            -SequenceMatcher(None, own, parts[name][1]).ratio(),
        ),
    )


def from_here(path: str) -> str:
    """The path from the current folder if it is below it, for commands that are shown."""
    try:
        here = os.path.join(os.getcwd(), "")
    except OSError:  # the current folder is gone
        return path
    return path.removeprefix(here)


def library_cure(name: str) -> str:
    """What to do about a library that a plugin needs and that is not found."""
    return f"Install {name}, or put it beside the plugin and link with -Wl,-rpath,'$ORIGIN'"


def version_cure(version: str, library: str, machine: str) -> str:
    """What to do about a symbol version that a library does not have."""
    cure = _VERSIONS.get(
        version.partition("_")[0], "Install a newer {library}, or build it against the one that is here"
    )
    return cure.format(library=library, machine=machine)


def _near(word: str, known: Iterable[str]) -> list[str]:
    """Those of `known` that come near a word, best first; capitals or not is no difference."""
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and only wanted where something failed

    folded: dict[str, list[str]] = {}
    for each in known:
        folded.setdefault(each.casefold(), []).append(each)
    return [name for found in get_close_matches(word.casefold(), folded, 5) for name in folded[found]]
