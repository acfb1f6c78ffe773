"""Image -> Closure: all that the dynamic linker would bring along with a file, by its own rules; nothing is run.

The one resolver: `loader doctor` and `inspect` tell what it finds, policies judge it, and library/ opens it.
search.py has the places for one name; here are the order (breadth first), names that are known already, who hands
down what, and the libraries that stand in for others (DT_AUXILIARY, DT_FILTER). For ELF on this machine, glibc or
musl; and for a DLL, what lies beside it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from loader._core import _ffi
from loader.errors import LoaderError
from loader.image.linker import LIBRARY_PATH, here_is_musl
from loader.image.read import read_library, read_links
from loader.image.search import SearchPath, expand, handed_down, look, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loader.image.image import Image

__all__ = ["JUDGEABLE", "Closure", "Doubt", "Member", "closure_of"]

#: Libraries that are followed; no plugin needs as many.
MAX_LIBRARIES: Final = 512


@dataclass(frozen=True, slots=True)
class Member:
    """A library that is loaded with a file.

    `name` is how it is needed first, and by whom: the file's path or that of another library. `kind` is "needed",
    "filter", or "auxiliary": one that may be absent.
    """

    name: str
    needed_by: str
    kind: str = "needed"
    #: Where it is found, or None.
    path: str | None = None
    image: Image | None = None
    #: It is in this process already, by whoever's doing; `path` is then what the dynamic linker calls it.
    resident: bool = False
    #: Why there is no image though there is a path, or None.
    error: LoaderError | None = None


#: What can be judged in advance of where a file's libraries are.
JUDGEABLE: Final = "absolute folders, $ORIGIN, and names without a folder"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something in the search that cannot be judged in advance: in the file `path`, `found` is there."""

    path: str
    found: str

    @property
    def cure(self) -> str:
        """What to do about it."""
        if self.found.startswith(LIBRARY_PATH):
            return f"Set {LIBRARY_PATH} to absolute folders, without an empty one, before the process starts"
        return "Give the library a name (-Wl,-soname) and link with -Wl,-rpath,'$ORIGIN'"


@dataclass(frozen=True, slots=True)
class Closure:
    """What comes along with `image`, in the dynamic linker's order."""

    image: Image
    members: tuple[Member, ...]
    doubts: tuple[Doubt, ...] = ()
    #: Who needs what: by path of who needs, the name as the file has it, and the member; None for `image` itself.
    #: The third says that the place was named relative to the file.
    edges: dict[str, list[tuple[str, Member | None, bool]]] = field(default_factory=dict, repr=False)


def closure_of(
    image: Image,
    *,
    read: Callable[[str], Image] = read_library,
    loaded: Callable[[str], str | None] | None = None,
) -> Closure:
    """What the dynamic linker would bring along with `image`.

    Args:
        image: a file for this machine.
        read: how a library's facts are read; may raise LoaderError.
        loaded: which library of this process would serve for a name. None: the answer is that for a fresh process.
    """
    resolver = _DllResolver(image, read) if image.machine.format == "pe" else _Resolver(image, read, loaded)
    return resolver.closure()


class _Resolver:
    def __init__(
        self, image: Image, read: Callable[[str], Image], loaded: Callable[[str], str | None] | None
    ) -> None:
        self._image, self._read, self._loaded = image, read, loaded
        self._members: list[Member] = []
        self._doubts: dict[Doubt, None] = {}
        self._edges: dict[str, list[tuple[str, Member | None, bool]]] = {}
        # Names that are answered: as asked for, and as libraries call themselves. None: the file itself.
        self._named: dict[str, tuple[Member | None, bool]] = {}
        self._files: dict[tuple[int, int], Member | None] = {}

    def closure(self) -> Closure:
        self._know(None, self._image)
        waiting = [(self._image, callers())]
        at = 0
        while at < len(waiting):  # it grows meanwhile: breadth first, as the dynamic linker goes
            current, inherited = waiting[at]
            at += 1
            handed = handed_down(current, inherited)
            waiting += [(each, handed) for each in self._needs(current, inherited, "needed", current.needed)]
            if not here_is_musl():  # what stands in comes next, before what waits already
                first = self._needs(current, inherited, "filter", current.filters)
                first += self._needs(current, inherited, "auxiliary", current.auxiliaries)
                waiting[at:at] = [(each, handed) for each in first]
        return Closure(self._image, tuple(self._members), tuple(self._doubts), self._edges)

    def _needs(
        self, current: Image, inherited: tuple[SearchPath, ...], kind: str, names: tuple[str, ...]
    ) -> list[Image]:
        """Resolves one file's needs; the images that are met for the first time."""
        new = []
        edges = self._edges.setdefault(current.path, [])
        for raw in names:
            before = len(self._members)
            member, beside = self._resolve(raw, kind, current, inherited)
            edges.append((raw, member, beside))
            if len(self._members) > before and member is not None and member.image is not None:
                new.append(member.image)
        return new

    def _resolve(
        self, raw: str, kind: str, current: Image, inherited: tuple[SearchPath, ...]
    ) -> tuple[Member | None, bool]:
        name = SearchPath(raw) if here_is_musl() else expand(raw, current)
        if name.doubt:
            self._doubt(current, name.doubt)
        known = self._named.get(name.path)
        if known is not None:
            member, beside = known
            return member, beside or name.beside
        resident = None if self._loaded is None else self._loaded(name.path)
        if resident is not None:
            return self._add(Member(name.path, current.path, kind, resident, resident=True)), False
        if len(self._members) >= MAX_LIBRARIES:
            self._doubt(current, f"more than {MAX_LIBRARIES} libraries that are needed")
            return Member(name.path, current.path, kind), False
        for place in places(name.path, current, inherited):
            if place.doubt:
                self._doubt(current, place.doubt)
            found = look(place.path, current)
            if found in ("fits", "broken"):
                beside = place.beside or name.beside
                member = self._found(name.path, kind, current, place.path)
                self._named[name.path] = member, beside
                return member, beside
        return self._add(Member(name.path, current.path, kind)), False

    def _found(self, name: str, kind: str, current: Image, path: str) -> Member | None:
        try:
            status = os.stat(path)
            file = status.st_dev, status.st_ino
            if file in self._files:
                return self._files[file]
            image = self._read(path)
        except LoaderError as error:
            return self._add(Member(name, current.path, kind, path, error=error))
        except OSError:  # gone meanwhile
            return self._add(Member(name, current.path, kind))
        member = self._add(Member(name, current.path, kind, path, image))
        self._files[file] = member
        self._know(member, image)
        return member

    def _add(self, member: Member) -> Member:
        self._members.append(member)
        self._named.setdefault(member.name, (member, False))
        return member

    def _know(self, member: Member | None, image: Image) -> None:
        """The names under which the linker knows what it has loaded."""
        if here_is_musl():
            return
        for name in (image.path, image.soname):
            if name:
                self._named.setdefault(name, (member, False))

    def _doubt(self, image: Image, found: str) -> None:
        self._doubts[Doubt(image.path, found)] = None


class _DllResolver(_Resolver):
    """What lies beside a DLL, and beside that. The system's libraries are not looked for."""

    def __init__(self, image: Image, read: Callable[[str], Image]) -> None:
        super().__init__(image, read, None)

    def closure(self) -> Closure:
        waiting = [self._image]
        for current in waiting:
            edges = self._edges.setdefault(current.path, [])
            for name in current.needed:
                known = self._named.get(name.lower())
                path = os.path.join(os.path.dirname(current.path), name)
                if known is None and os.path.isfile(path) and len(self._members) < MAX_LIBRARIES:
                    member = self._found(name, "needed", current, path)
                    known = self._named[name.lower()] = member, True
                    if member is not None and member.image is not None:
                        waiting.append(member.image)
                if known is not None:
                    edges.append((name, *known))
        return Closure(self._image, tuple(self._members), (), self._edges)


@cache
def callers() -> tuple[SearchPath, ...]:
    """What is handed down to a file that is opened at run time: DT_RPATH of who opens it, and of who opened that."""
    found: list[SearchPath] = []
    for path in (getattr(_ffi, "__file__", None), *_programs()):
        try:
            image = None if path is None else read_links(path)
        except LoaderError:
            continue
        if image is not None:
            found += handed_down(image, ())
    return tuple(found)


def _programs() -> Iterator[str]:
    """Python's library, where there is one, and the program."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split(maxsplit=5)[-1].rstrip("\n") for line in file if "/libpython" in line]
    except OSError:
        lines = []
    yield from dict.fromkeys(lines)
    yield os.path.realpath("/proc/self/exe")
