"""Loading, on one screen: path -> Image -> Candidate -> TrustedImage -> Library -> Plugin.

Each stage is a module with one function from one frozen value to the next; each fails with its own exception.
Its place among other plugins is the last stage, and belongs to the host (registry.py, host.py).
"""

from __future__ import annotations

import copyreg
import os
import sys
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from loader.again import again, reloadable
from loader.contract import Contract
from loader.discover import Place, find
from loader.errors import LibraryError, LoaderError
from loader.image import Image, read_image
from loader.image.loaded import loaded_as
from loader.image.read import read_to_follow
from loader.library import check_libraries, open_library, owner_of
from loader.limits import output_limit
from loader.plugin import Plugin, bind
from loader.trust import DEFAULT_POLICY, Policy, TrustedImage, asks_for_steps, asks_nothing, trust
from loader.trust.handshake import Candidate, markers, shake_hands
from loader.trust.identity import plugin_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loader._core._call import Owner, Services
    from loader.isolation.pool import Pool
    from loader.isolation.settings import Isolation
    from loader.trust.quarantine import Quarantine

__all__ = ["FolderLibraries", "Found", "check_kinds", "discover", "load", "open_elsewhere", "read_plugin", "reopen"]


def check_kinds(contract: object, policy: object) -> None:
    """Raises TypeError for anything else, above all for a file's name: commands take names, functions do not."""
    if not isinstance(contract, Contract):
        raise _another_kind("contract", "Contract.from_header", contract)
    if policy is not None and not isinstance(policy, Policy):
        raise _another_kind("policy", "Policy.from_file", policy)


def _another_kind(argument: str, maker: str, given: object) -> TypeError:
    named = isinstance(given, (str, os.PathLike))
    found = f": loader.{maker}({str(given)!r})" if named else f", not {type(given).__name__}"
    return TypeError(f"{argument} is a loader.{argument.title()}{found}")


@reloadable
def load(
    path: str | os.PathLike[str],
    *,
    contract: Contract,
    policy: Policy | None = None,
    name: str | None = None,
    services: Services | None = None,
    max_output: int | None = None,
    quarantine: Quarantine | None = None,
    one_go: bool = False,
    isolation: Isolation | None = None,
    workers: Pool | None = None,
    shared: Callable[[], Pool] | None = None,
) -> Plugin:
    """Loads one plugin file.

    Args:
        path: the file.
        contract: what it must implement.
        policy: what must hold before its code runs; None: every file that the user names may.
        name: the plugin's name, if not the file's.
        services: what a host lends to it (see :class:`loader.Host`).
        max_output: the most bytes that one call may write; None: no limit but memory.
        quarantine: files that it speaks against are refused; see :mod:`loader.crash`.
        one_go: refuse a second Go runtime in this process, which is warned about otherwise.
        isolation: open it in a process of its own, which is set up like that; None: in this one, unless the policy
            asks for another (Policy(isolate=True)), which then has the defaults.
        workers: open it in processes that have other plugins open already.
        shared: what gives these where the policy asks for isolation and neither is said here.

    Raises:
        PluginNotFound, ImageError, HandshakeError, TrustError, LibraryError: the stage that it did not pass.
        IsolationError: it cannot have a process of its own here. PluginCrashed: its constructors ended that.
    """
    check_kinds(contract, policy)
    max_output = output_limit(max_output)
    policy = policy or DEFAULT_POLICY
    image = read_plugin(path, policy)
    candidate = shake_hands(image, contract)
    trusted = trust(candidate, policy)
    if quarantine is not None:
        for each in trusted.images:
            quarantine.check(each)
    owner = owner_of(image, name, services, max_output)
    if isolation is None and workers is None and trusted.isolate and shared is not None:
        workers = shared()
    if isolation is not None or workers is not None or trusted.isolate:
        return open_elsewhere(trusted, owner, isolation, workers)
    library = open_library(trusted, owner, one_go=one_go)
    return bind(trusted, library, owner)


def open_elsewhere(trusted: TrustedImage, owner: Owner, isolation: Isolation | None, workers: Pool | None) -> Plugin:
    """The end of the road in a process of its own."""
    from loader.isolation.pool import Pool  # noqa: PLC0415 - most plugins are opened here
    from loader.isolation.settings import Isolation  # noqa: PLC0415 - as above

    image = trusted.candidate.image
    if isolation is not None and workers is None:
        isolation.check_names(trusted.candidate.contract)
    sys.audit("loader.open", image.path, image.digest)
    if trusted.resolved is not None:
        check_libraries(trusted.resolved)
    workers = workers or Pool(isolation or Isolation(), owner.name, image.path)
    missing = trusted.candidate.missing
    names = [form.name for form in trusted.candidate.contract.forms if form.name not in missing]
    owner.fork_safe = True
    plugin = bind(trusted, workers.open(trusted, owner, names), owner)
    plugin.worker = workers
    return plugin


def read_plugin(path: str | os.PathLike[str], policy: Policy) -> Image:
    """The first stage: a file that may run because the user names it is read by C, if it is one of those that C
    reads; one that has to prove something first is not.
    """
    named = asks_nothing(policy)
    return read_image(path, steps=not named and asks_for_steps(policy), quick=named)


def reopen(contract: Contract, name: str, digest: str, path: str, isolation: Isolation | None = None) -> Plugin:
    """What unpickling a Plugin calls: the same file again, where it was, or LibraryError before another one runs."""
    image = read_plugin(path, DEFAULT_POLICY)
    if image.digest != digest:
        raise LibraryError(
            "is not the file that was pickled",
            path=path,
            plugin=name,
            expected=f"SHA-256 {digest}",
            found=image.digest,
            cure="Use the same build of the plugin in all processes",
        )
    # Its bytes were trusted where it was pickled; trust.require of this process holds here too.
    trusted = trust(shake_hands(image, contract), DEFAULT_POLICY)
    # A Go plugin in a forked child: its calls raise ForkError. To raise here, in the middle of unpickling, would
    # kill a worker of multiprocessing.Pool, which then waits for ever for the task's result.
    owner = owner_of(image, name)
    if isolation is not None or trusted.isolate:
        plugin = open_elsewhere(trusted, owner, isolation, None)
    else:
        plugin = bind(trusted, open_library(trusted, owner, forked=True), owner)
    again(plugin, partial(load, contract=contract, name=name, isolation=isolation))
    return plugin


# Said here and not by Plugin itself, because unpickling loads the file, and loading lies above plugin.py.
def reduced(plugin: Plugin) -> tuple[Any, ...]:
    """How a plugin is pickled; for copyreg."""
    isolation = () if plugin.worker is None else (plugin.worker.isolation,)
    return reopen, (plugin.contract, plugin.name, plugin.digest, plugin.path, *isolation)


copyreg.pickle(Plugin, reduced)


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A file that discovery looked at, without running any of it.

    `error` says why it cannot be loaded here, or is None. `image` is None if the file could not be read at all;
    `candidate` is None if no contract was given or the handshake failed. `source` says what led to the file.
    `needed_by` is the plugin that brings the file along: a library in a plugin folder, which is no failure.
    """

    path: str
    source: str
    image: Image | None = None
    candidate: Candidate | None = None
    error: LoaderError | None = None
    needed_by: str | None = None

    @property
    def name(self) -> str:
        """The name that the plugin will have."""
        return plugin_name(self.path)

    def __repr__(self) -> str:
        """Short: `image` alone has thousands of names."""
        if self.error is not None:
            state = f"failed: {type(self.error).__name__}"
        elif self.needed_by is not None:
            state = f"a library of {self.needed_by}"
        else:
            state = "handshake held" if self.candidate is not None else "read"
        return f"<found {self.name} at {self.path}, {state}>"


def discover(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    *,
    entry_points: str | None = None,
    environment: str | None = None,
    contract: Contract | None = None,
    strict: bool = False,
) -> list[Found]:
    """What is there to load, in a defined order, without loading it. Nothing is imported, nothing is run.

    Args:
        paths, entry_points, environment: where to look; see :func:`loader.discover.find`.
        contract: if given, each file's handshake with it is tried too.
            Libraries that a plugin needs are looked for as the dynamic linker would, and not opened either.
        strict: raise the first failure instead of returning it.

    One bad file never stops the others: its :class:`Found` has the error.
    """
    found = []
    places = find(paths, entry_points=entry_points, environment=environment, run=False)
    libraries = FolderLibraries(places)
    lacking = _LibrarySearch()
    for place in places:
        image = candidate = needed_by = None
        error = place.error
        try:
            if error is None:
                image = read_image(place.path)
                needed_by = libraries.needed_by(place, image)
                candidate = None if contract is None or needed_by else shake_hands(image, contract)
                error = lacking.error(image) if candidate is not None or (not needed_by and markers(image)) else None
        except LoaderError as failure:
            error = failure
        if strict and error is not None:
            raise error
        found.append(Found(place.path, place.source, image, candidate, error, needed_by))
    return found


class _LibrarySearch:
    """Whether what plugins need is there; for several, most of which need the same."""

    def __init__(self) -> None:
        self._read, self._loaded = cache(read_to_follow), cache(loaded_as)

    def error(self, image: Image) -> LoaderError | None:
        """That of the first library that is missing: loading would end with it. What is loaded already serves."""
        if image.machine.format != "elf" or image.mismatch() is not None:
            return None
        from loader.image.closure import closure_of  # noqa: PLC0415 - not for loading
        from loader.image.missing import missing_libraries  # noqa: PLC0415 - as above

        members = closure_of(image, read=self._read, loaded=self._loaded).members
        return next(missing_libraries(image, members), None)


class FolderLibraries:
    """Which of the files in searched folders are no plugins but libraries that plugins there need."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = [place for place in places if place.listed]
        self._found: dict[tuple[int, int], str] | None = None  # by device and inode

    def needed_by(self, place: Place, image: Image | None = None) -> str | None:
        """The plugin that brings a file along which is no plugin itself, or None."""
        if not place.listed:
            return None
        try:
            if markers(image or read_image(place.path, steps=False, quick=True)):
                return None
            status = os.stat(place.path)
        except (LoaderError, OSError):
            return None
        if self._found is None:
            self._found = self._look()
        return self._found.get((status.st_dev, status.st_ino))

    def _look(self) -> dict[tuple[int, int], str]:
        """Asks all plugins of the folders; for each file the first that brings it along."""
        from loader.image.closure import closure_of  # noqa: PLC0415 - most folders hold plugins alone

        read = cache(read_to_follow)
        found: dict[tuple[int, int], str] = {}
        for place in self._places:
            try:
                image = read_image(place.path, steps=False, quick=True)
                if not markers(image) or image.mismatch() is not None:
                    continue
                for member in closure_of(image, read=read).members:
                    if member.path is not None:
                        status = os.stat(member.path)
                        found.setdefault((status.st_dev, status.st_ino), image.path)
            except (LoaderError, OSError):
                continue
        return found
