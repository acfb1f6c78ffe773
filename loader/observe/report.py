"""Loading with a clock: what each stage checked, what held, and how long it took.

The stages are those of load.py, in the same order with the same functions.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from loader.again import again
from loader.errors import LoaderError
from loader.library import Library, mappings, open_library, owner_of
from loader.load import load, open_elsewhere, read_plugin
from loader.plugin import Plugin, bind
from loader.trust import DEFAULT_POLICY, TrustedImage, trust
from loader.trust.handshake import Candidate, shake_hands

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.contract import Contract
    from loader.image import Image
    from loader.trust import Policy

__all__ = ["LoadReport", "Stage", "load_report"]

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of loading.

    `name` is its module's; `checks` says what was checked and held; `seconds` is how long it took; `error` is
    why the file did not pass it, or None.
    """

    name: str
    checks: tuple[str, ...]
    seconds: float
    error: LoaderError | None = None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What happened to one file; `plugin` is None if it was refused."""

    path: str
    stages: tuple[Stage, ...]
    plugin: Plugin | None = field(default=None, repr=False)

    @property
    def error(self) -> LoaderError | None:
        """Why it was not loaded, or None."""
        return self.stages[-1].error

    @property
    def seconds(self) -> float:
        """How long all stages took."""
        return sum(stage.seconds for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON; times in seconds."""
        stages = [
            {
                "stage": stage.name,
                "holds": stage.error is None,
                "checks": list(stage.checks),
                "seconds": stage.seconds,
            }
            for stage in self.stages
        ]
        values = {"path": self.path, "loaded": self.error is None, "seconds": self.seconds, "stages": stages}
        return values if self.error is None else {**values, **self.error.to_dict()}

    def __str__(self) -> str:
        lines = [self.path]
        for stage in self.stages:
            what = "; ".join(stage.checks) if stage.error is None else f"refused: {stage.error}"
            lines.append(f"  {stage.name:<10} {stage.seconds * 1e3:8.3f} ms  {what}")
        return "\n".join(lines)


def load_report(path: str | os.PathLike[str], *, contract: Contract, policy: Policy | None = None) -> LoadReport:
    """Loads a plugin file as :func:`loader.load` does, and says what was checked, what held and how long it
    took.

    A file that is refused is reported, not raised. Loading runs the plugin's constructors.
    """
    policy = policy or DEFAULT_POLICY
    clock = _Clock()
    try:
        image = clock.stage("image", lambda: read_plugin(path, policy), _of_image)
        candidate = clock.stage("handshake", lambda: shake_hands(image, contract), _of_candidate)
        trusted = clock.stage("trust", lambda: trust(candidate, policy), _of_trusted)
        owner = owner_of(image)
        if trusted.isolate:
            plugin = clock.stage("isolation", lambda: open_elsewhere(trusted, owner, None, None), _of_isolated)
        else:
            library = clock.stage("library", lambda: open_library(trusted, owner), _of_library)
            plugin = clock.stage("plugin", lambda: bind(trusted, library, owner), _of_plugin)
        again(plugin, partial(load, contract=contract, policy=policy))
    except LoaderError:
        return LoadReport(os.path.abspath(path), tuple(clock.stages))
    return LoadReport(plugin.path, tuple(clock.stages), plugin)


class _Clock:
    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def stage(self, name: str, work: Callable[[], _Value], describe: Callable[[_Value], tuple[str, ...]]) -> _Value:
        begin = time.perf_counter()
        try:
            value = work()
        except LoaderError as error:
            self.stages.append(Stage(name, (), time.perf_counter() - begin, error))
            raise
        seconds = time.perf_counter() - begin
        self.stages.append(Stage(name, describe(value), seconds))
        return value


def _of_image(image: Image) -> tuple[str, ...]:
    return f"{image.kind}, {image.machine}", f"{image.size:,} bytes", f"SHA-256 {image.digest}"


def _of_candidate(candidate: Candidate) -> tuple[str, ...]:
    built_for = "{}.{}".format(*candidate.version)
    missing = f"without {', '.join(sorted(candidate.missing))}" if candidate.missing else "complete"
    return f"{candidate.contract}, built for {built_for}", missing


def _of_trusted(trusted: TrustedImage) -> tuple[str, ...]:
    return trusted.checks


def _of_library(library: Library) -> tuple[str, ...]:
    begin = min((each.begin for each in mappings() if each.library is library), default=None)
    where = "" if begin is None else f" at 0x{begin:x}"
    beside = tuple(f"with {each.image.path}" for each in library.neighbours)
    return f"a private copy of the checked bytes is mapped{where}", *beside


def _of_isolated(plugin: Plugin) -> tuple[str, ...]:
    confinement = plugin.isolation
    engaged = () if confinement is None else confinement.engaged
    return f"a process of its own, confined by {', '.join(engaged) or 'nothing'}", *_of_plugin(plugin)


def _of_plugin(plugin: Plugin) -> tuple[str, ...]:
    return f"functions {', '.join(sorted(plugin.functions))}", f"named {plugin.name}"
