"""The goals of the project's issue, each with what a run reached. Reported; nothing fails because of them."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from .ratios import Book, ratio, rounded
from .systems import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Callable


def _goal(figure: str, wanted: str, reached: float | None, ok: bool | None, note: str = "") -> dict[str, Any]:
    return {
        "figure": figure,
        "goal": wanted,
        "reached": None if reached is None else rounded(reached),
        "ok": ok,
        "note": note,
    }


def goals(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The goals of the issue, each with what this run reached. Reported; nothing fails because of them."""
    book = Book(results)
    found: list[dict[str, Any]] = []

    def compare(
        figure: str,
        over: tuple[str, ...],
        under: tuple[str, ...],
        limit: float,
        *,
        most: bool,
        note: str = "",
    ) -> None:
        reached = ratio(*book.pairs(over, under))
        value = None if reached is None else reached["median"]
        ok = None if value is None else (value <= limit if most else value >= limit)
        spread = (
            ""
            if reached is None
            else f"quartiles {reached['q1']:.3g} to {reached['q3']:.3g} of {reached['rounds']} rounds"
        )
        found.append(
            _goal(
                figure,
                f"{'≤' if most else '≥'} {limit:g}",
                value,
                ok,
                "; ".join(filter(None, [spread, note])),
            )
        )

    def absolute(
        figure: str, value: float | None, limit: float, unit: str, *, most: bool = True, note: str = ""
    ) -> None:
        ok = None if value is None else (value <= limit if most else value >= limit)
        found.append(_goal(figure, f"{'≤' if most else '≥'} {limit:g} {unit}", value, ok, note))

    def median(job: str, system: str, variant: str = "", placement: str = "") -> float | None:
        entry = book.entry(job, system, variant, placement)
        return None if entry is None else float(entry["median"])

    def further(*system: str) -> float | None:
        """Milliseconds that each plugin of six takes after the first."""
        six, one = median("load-6", *system), median("load-1", *system)
        return None if six is None or one is None else (six - one) / 5 / 1e6

    def formatting(job: str) -> str:
        """The same against Python's other way to say it, which is faster where the text is long."""
        other = ratio(*book.pairs((job, "loader-c"), (job, "python", "f-string")))
        return "" if other is None else f"against an f-string: {other['median']:.3g}"

    def distance(job: str) -> str:
        """The distance to what no call from Python can be faster than."""
        other = ratio(*book.pairs((job, "loader-c"), (job, "c-extension-str")))
        return "" if other is None else f"against an extension that writes into the new str: {other['median']:.3g}"

    call, own = ("call", "loader-c"), ("call", "go-buildmode-plugin")
    compare("call: loader-c / python", call, ("call", "python"), 0.85, most=True, note=formatting("call"))
    compare("call: loader-c / go-buildmode-plugin, formatting", call, own, 0.6, most=True)
    compare("call: loader-c / go-buildmode-plugin, concatenating", call, (*own, "concat"), 1.1, most=True)
    netrpc = ("call", "go-plugin-netrpc", "")
    compare("call: go-plugin-netrpc / loader-c, two cores", (*netrpc, "two cores"), call, 2000, most=False)
    compare("call: go-plugin-netrpc / loader-c, pinned", (*netrpc, "pinned"), call, 1000, most=False)
    compare("call-4k: loader-c / python", ("call-4k", "loader-c"), ("call-4k", "python"), 1.0, most=True,
            note=formatting("call-4k"))  # fmt: skip
    for job in ("call", "call-text", *SCRIPTS):
        compare(f"{job}: loader-c / c-extension", (job, "loader-c"), (job, "c-extension"), 1.0, most=True,
                note=distance(job))  # fmt: skip
    for job, most in (("call-4k", 1.05), ("call-1m", 1.25)):
        compare(f"{job}: loader-c / f-string", (job, "loader-c"), (job, "python", "f-string"), most, most=True,
                note=distance(job))  # fmt: skip
    compare("error: loader-c / raise and except", ("error", "loader-c"), ("error", "python"), 3, most=True)
    compare("call: loader-rust / loader-c", ("call", "loader-rust"), call, 1.1, most=True)
    compare("call: loader-go / loader-c", ("call", "loader-go"), call, 4, most=True)
    dense = ("document-dense", "go-buildmode-plugin")
    compare(
        "document-dense: loader-c / go-buildmode-plugin, MB/s",
        dense,
        ("document-dense", "loader-c"),
        100,
        most=False,
    )
    prose = ("document-prose", "loader-c")
    fresh = ratio(*book.pairs(prose, ("document-prose", "memcpy", "new")))
    note = "" if fresh is None else f"against a copy into new memory: {fresh['median']:.3g}"
    compare(
        "document-prose: time loader-c / memcpy",
        prose,
        ("document-prose", "memcpy"),
        2.0,
        most=True,
        note=note,
    )
    pairs = zip(*book.pairs(("document-small", "loader-c"), ("document-small-joined", "loader-c")), strict=False)
    beyond = [one - joined / 1000 for one, joined in pairs if one is not None and joined is not None]
    extra = statistics.median(beyond) / 1000 if beyond else None
    absolute("document-small: per document beyond the engine", extra, 0.5, "µs",
             note="one post, less its share of all posts as one document")  # fmt: skip
    compare("roles-1000 / 1 role", ("roles-1000", "loader-c"), ("document-dense", "loader-c"), 1.05, most=True)
    peer = ("go-plugin-netrpc", "", "two cores")
    load, application = median("load-1", "loader-c"), median("load-1", "loader-c", "Htmlizer")
    own_next, peer_next = further("loader-c"), further(*peer)
    beside = [] if own_next is None else [f"the first of a process; each further one of six: {own_next:.2g} ms"]
    beside += [] if application is None else [f"an Htmlizer with it: {application / 1e6:.2g} ms"]
    absolute("load-1: C plugin, warm file cache", None if load is None else load / 1e6, 0.5, "ms",
             note="; ".join(beside))  # fmt: skip
    note = "" if own_next is None or peer_next is None else f"each further one of six: {own_next / peer_next:.2g}"
    compare("load-1: loader-c / go-plugin-netrpc", ("load-1", "loader-c"), ("load-1", *peer), 1 / 20, most=True,
            note=note)  # fmt: skip
    for variant, limit, what in (("all", 500, "all loaded"), ("lazy", 50, "discovered, one used")):
        value = median("load-1000", "loader-c", variant)
        absolute(f"load-1000: {what}", None if value is None else value / 1e6, limit, "ms")
    six, one = median("memory-6", "loader-c"), median("memory", "loader-c")
    each = None if six is None or one is None else (six - one) / 5 / 1024
    absolute("memory per C plugin", each, 0.1, "MB", note="resident growth from one plugin to six, a fifth of it")
    copy = median("threads-2", "memcpy")
    absolute("threads-2", median("threads-2", "loader-c"), 1.9, "x", most=False,
             note="" if copy is None else f"two threads that only copy: {copy:.3g} x")  # fmt: skip
    absolute("callback: into a C table", median("callback", "loader-c", "c-table"), 150, "ns")
    back = median("callback", "loader-c")
    absolute("callback: into Python", None if back is None else back / 1000, 1, "µs")
    imported = median("import", "loader-c")
    _isolated(compare, absolute, median)
    absolute("import loader, beyond bare Python", None if imported is None else imported / 1e6, 25, "ms")
    return found


def _isolated(
    compare: Callable[..., None], absolute: Callable[..., None], median: Callable[..., float | None]
) -> None:
    """A plugin in a process of its own: beside go-plugin, a copy of the bytes, and itself in this process."""

    def micro(value: float | None) -> float | None:
        return None if value is None else value / 1000

    for placement, most, least in (("two cores", 5, 15), ("pinned", 12, 4)):
        own, peer = ("loader-isolated", "", placement), ("go-plugin-netrpc", "", placement)
        absolute(f"call: loader-isolated, {placement}", micro(median("call", *own)), most, "µs")
        compare(f"call: go-plugin-netrpc / loader-isolated, {placement}", ("call", *peer), ("call", *own), least,
                most=False)  # fmt: skip
    own, peer = ("loader-isolated", "", "two cores"), ("go-plugin-netrpc", "", "two cores")
    compare("call-1m: loader-isolated / memcpy, two cores", ("call-1m", *own), ("call-1m", "memcpy"), 3, most=True,
            note="a copy into memory that is there")  # fmt: skip
    compare("call-1m: loader-isolated / memcpy into new memory, two cores", ("call-1m", *own),
            ("call-1m", "memcpy", "new"), 3, most=True)  # fmt: skip
    absolute("callback: loader-isolated, two cores", micro(median("callback", *own)), 10, "µs")
    ready = median("load-1", *own)
    absolute("load-1: loader-isolated", None if ready is None else ready / 1e6, 3, "ms")
    compare("load-1: go-plugin-netrpc / loader-isolated", ("load-1", *peer), ("load-1", *own), 2.5, most=False)
    for job in ("document-dense", "document-prose"):
        compare(f"{job}: loader-c / loader-isolated", (job, "loader-c"), (job, *own), 0.8, most=False)
