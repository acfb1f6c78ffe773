"""Calls leave nothing behind: memory stays flat and reference counts as they were, whatever the outcome."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lending import Database

import loader
from loader.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
    pytest.mark.usefixtures("placement"),
]

CALLS = {"in-process": 100_000, "worker": 20_000}
SANITIZED = bool(os.environ.get("LOADER_SANITIZE"))  # its allocator keeps freed memory for a while


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Forgetful(list[Any]):
    """A list that stays empty."""

    def append(self, value: Any) -> None:
        """Does nothing."""


class Fixed(Database):
    """A database that works for positive numbers, fails for others, and remembers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Forgetful()

    def title(self, number: int) -> str:
        """The title of a post."""
        if number < 0:
            raise LookupError(f"no post {number}")
        return "title " * 20


@pytest.fixture
def lending(lend_path: Path, lend_contract: loader.Contract) -> loader.Plugin:
    """The plugin lend with a database."""
    return loader.Host(lend_contract, services={"lend.db/1": Fixed()}).load(lend_path)


TEXT, LONG, WIDE, DATA = "text " * 10, "long " * 1000, "w\u00efde " * 30, b"data " * 10
ITEM = {"id": 5, "title": TEXT, "blob": DATA}

OUTCOMES: dict[str, Callable[[loader.Plugin, loader.Plugin], Any]] = {
    "short text": lambda probe, _: probe.echo(TEXT),
    "long text": lambda probe, _: probe.echo(LONG),
    "text beyond ASCII": lambda probe, _: probe.echo(WIDE),
    "bytes": lambda probe, _: probe.echo_bytes(DATA),
    "a buffer": lambda probe, _: probe.echo_bytes(bytearray(DATA)),
    "output that grows": lambda probe, _: probe.pad(TEXT, 5000, 100),
    "bytes that grow": lambda probe, _: probe.pad_bytes(LONG, 9000, 100),
    "a struct": lambda probe, _: probe.show(ITEM),
    "keywords": lambda probe, _: probe.show(id=5, title=TEXT),
    "an error": lambda probe, _: probe.fail(1, DATA),
    "an error without text": lambda probe, _: probe.fail(77, b""),
    "an error twice": lambda probe, _: probe.fail_again(TEXT),
    "invalid UTF-8": lambda probe, _: probe.decode(b"x\xff"),
    "a wrong type": lambda probe, _: probe.echo(5),
    "a number that does not fit": lambda probe, _: probe.eight(1, 2, 3, 4, 5, 6, 7, 1 << 64),
    "a struct that does not fit": lambda probe, _: probe.show({"title": TEXT, "id": -1}),
    "a missing argument": lambda probe, _: probe.two(b=1),
    "an unknown field": lambda probe, _: probe.show(id=5, colour=1),
    "a commit beyond the room": lambda probe, _: probe.overrun(5),
    "a service": lambda _, lent: lent.title(1),
    "a service's bytes": lambda _, lent: lent.blob(DATA),
    "a service's output": lambda _, lent: lent.note(LONG),
    "a service's struct": lambda _, lent: lent.describe(1, TEXT),
    "a service's error": lambda _, lent: lent.title(-1),
    "a service's error, swallowed": lambda _, lent: lent.recover(-1, 0),
    "a service's error, said anew": lambda _, lent: lent.recover(-1, 1),
}


def often(call: Callable[[], Any], times: int) -> None:
    """Calls that many times, and passes over errors."""
    for _ in range(times):
        with contextlib.suppress(PluginError, TypeError, OverflowError):
            call()


@pytest.mark.slow
@pytest.mark.parametrize("limited", [False, True], ids=["", "under a deadline"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_memory_stays_flat(
    probe: loader.Plugin, lending: loader.Plugin, outcome: str, limited: bool, placement: str
) -> None:
    """100,000 calls take no more than two megabytes of new memory, and leave the arguments' counts alone; 20,000 no
    more than one, in this process and in the worker.
    """
    calls, most = CALLS[placement], (2 << 20 if placement == "in-process" else 1 << 20)
    workers = [each.worker for each in (probe, lending) if each.worker is not None]
    work = OUTCOMES[outcome]
    arguments = (TEXT, LONG, WIDE, DATA, ITEM)
    with loader.deadline(3600) if limited else contextlib.nullcontext():
        often(lambda: work(probe, lending), calls // 20)
        gc.collect()
        counts = [sys.getrefcount(each) for each in arguments]
        before, there = resident(), [each.memory for each in workers]
        often(lambda: work(probe, lending), calls // 20 if SANITIZED else calls)
        gc.collect()
        grown = resident() - before
        grown_there = [each.memory - then for each, then in zip(workers, there, strict=True)]
    assert [sys.getrefcount(each) for each in arguments] == counts
    assert SANITIZED or grown < most
    assert SANITIZED or all(each < most for each in grown_there)


def test_counts_of_what_a_call_is_made_of(probe: loader.Plugin, lending: loader.Plugin) -> None:
    """Function, plugin, owner, services and results have after many calls the counts that they had before."""
    parts: list[Any] = [probe, probe.echo, probe.owner, lending, lending.title, lending.owner, None, True, ""]
    parts += [PluginError, TypeError, probe.contract]
    for work in OUTCOMES.values():
        often(lambda work=work: work(probe, lending), 10)
    gc.collect()
    counts = [sys.getrefcount(part) for part in parts]
    for work in OUTCOMES.values():
        often(lambda work=work: work(probe, lending), 200)
    gc.collect()
    after = [sys.getrefcount(part) for part in parts]
    # Of None and the like others hold some too: a leak would be of thousands.
    assert max(abs(now - then) for now, then in zip(after, counts, strict=True)) < 50


def test_records_let_go(probe: loader.Plugin) -> None:
    """A Record's fields are freed with it."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Point(loader.Record):
        x: float
        y: float

    value = 12345.678
    before = sys.getrefcount(value)
    for _ in range(1000):
        probe.between("p", Point(value, value), Point(value, value))
    gc.collect()
    assert sys.getrefcount(value) == before


def test_loading_leaves_only_the_library(hello: Path, greeter: loader.Contract) -> None:
    """Loading one file a thousand times takes no memory that grows, no descriptor and no mapping."""
    for _ in range(100):
        loader.load(hello, contract=greeter)
    gc.collect()
    descriptors, before = len(os.listdir("/proc/self/fd")), resident()
    mapped = len(Path("/proc/self/maps").read_text().splitlines())
    for _ in range(1000):
        loader.load(hello, contract=greeter)
    gc.collect()
    for _ in range(100):  # workers end a little later
        if len(os.listdir("/proc/self/fd")) <= descriptors:
            break
        time.sleep(0.1)
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert len(Path("/proc/self/maps").read_text().splitlines()) < mapped + 100
    assert SANITIZED or resident() - before < 4 << 20
