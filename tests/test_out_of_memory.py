"""Memory that runs out at every single allocation: an error each time, no leak, nothing half registered."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

TESTS = Path(__file__).parent
GREETER = TESTS.parent / "native_plugins" / "greeter" / "greeter.h"

pytestmark = [
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="takes the place of glibc's malloc"),
    pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="sanitizers have a malloc of their own"),
]

#: What is tried. Each does one thing anew and checks that its result is right; `host` and what else is needed is
#: made before, with memory.
WORK = r"""
import gc, sys, loader
from loader.htmlize import Htmlizer, Post
from loader._core._call import Layout, Limit, Owner, Services

probe_h, probe_so, lend_h, lend_so, engine_so, wraps_so = sys.argv[1:7]
probe = loader.load(probe_so, contract=loader.Contract.from_header(probe_h))
lend_contract = loader.Contract.from_header(lend_h)
app = Htmlizer([engine_so])
hooked = Htmlizer([engine_so, wraps_so])
host = loader.Host(probe.contract)
item = dict(tiny=1, id=2, title="t\u00e9", flag=1, low=1, high=1, blob=b"x", count=1, weight=.5, mask=1, offset=1)
shown = probe.show(item)
long, wide = "x" * 100_000, "\u00e9" * 50_000
text = "one :fatal:`two` three\n\nfour :fatal:`\u00e9` " * 30
html, hooked_html = app.htmlize(text), hooked.htmlize(text)

def fails(message):
    try:
        probe.fail(1, message.encode())
    except loader.PluginError as error:
        assert type(error) is loader.PluginError and (error.message == message or starved), error
    else:
        raise AssertionError("it did not fail")

def loads():
    before = host.plugins
    try:
        plugin = host.load(probe_so, name=f"n{len(before)}", claims=lambda plugin: [f"c{len(before)}"])
    except BaseException:
        assert host.plugins is before and f"c{len(before)}" not in host.registry.claims
        raise
    assert host.plugins == (*before, plugin) and host.registry.claims[f"c{len(before)}"] is plugin
    host.registry._plugins, host.registry._claims = before, {}

def makes_engine():
    before = hooked._engine, hooked.process_role
    try:
        hooked._build()
    except BaseException:
        assert (hooked._engine, hooked.process_role) == before
        raise

def keeps():
    seen = []
    assert app.htmlize(":fatal:`x` " * 20, plugin_errors="keep", report=seen.append) and seen == []

def lends():
    services = Services()
    services.add("app.x/1", ((len, (), 116), (len, (("t", 8, False, None),), 105)))
    assert services.ids() == ["app.x/1"]

def limits():
    with loader.deadline(100), loader.CancelToken():
        assert probe.echo("x") == "x"

TRIED = {
    "short": lambda: check(probe.echo("short"), "short"),
    "long": lambda: check(probe.echo(long), long),
    "wide": lambda: check(probe.echo(wide), wide),
    "bytes": lambda: check(probe.pad_bytes("a", 5000, 700), b"a" + b"x" * 5000),
    "grows": lambda: check(probe.pad("a", 50_000, 999), "a" + "x" * 50_000),
    "struct": lambda: check(probe.show(item), shown),
    "record": lambda: check(probe.show(probe.contract.record("probe_item", **item)), shown)
        if hasattr(probe.contract, "record") else None,
    "fails": lambda: fails("why"),
    "fails at length": lambda: fails("why" * 10_000),
    "keywords": lambda: check(probe.pad(text="a", count=3, step=1), "axxx"),
    "limits": limits,
    "owner": lambda: Owner("n", "p" * 500, Services(), 5, True, "d"),
    "services": lends,
    "document": lambda: check(app.htmlize(text), html),
    "document in bytes": lambda: check(app.htmlize(text.encode()), html.encode()),
    "contents hooks": lambda: check(hooked.htmlize(text), hooked_html),
    "post": lambda: check(app.htmlize(text, Post(id=1, author="\u00e9", title="t")), html),
    "keep": keeps,
    "role": lambda: check(app.process_role("fatal", "\u00e9" * 400, None), "\u00e9" * 400),
    "engine": makes_engine,
    "load": loads,
}
starved = False

def check(found, right):
    assert found == right

REFUSED = (MemoryError, loader.LoaderError)
"""

STARVED_PYTHON = (
    WORK
    + r"""
import _testcapi

def tried(work, first, last):
    _testcapi.set_nomemory(first, last)
    try:
        work()
    except REFUSED:
        return False
    finally:
        _testcapi.remove_mem_hooks()
    return True

def all_of(name, work):
    n = 0
    while not tried(work, n, 0):    # all allocations from the n-th on fail
        n += 1
        assert n < 20000, name
    for m in range(n):              # the m-th one alone fails
        tried(work, m, m + 1)
    work()
    return n

for name, work in TRIED.items():
    work()
    starved = True
    counts = []
    for _ in range(4):
        n = all_of(name, work)
        gc.collect()
        counts.append(sys.getallocatedblocks())
    starved = False
    grown = counts[-1] - counts[-2]
    assert grown < max(10, n // 2), (name, n, counts)
    print(name, n, grown)
"""
)

STARVED_CORE = (
    WORK
    + r"""
import ctypes
starve = ctypes.CDLL(None)
starve.starve_set.argtypes = [ctypes.c_long]
starve.starve_watch.argtypes = [ctypes.c_size_t] * 2
starve.starve_calls.restype = starve.starve_held.restype = ctypes.c_long
for line in open("/proc/self/maps"):
    if "/_call." in line or "/_engine." in line:
        begin, end = (int(number, 16) for number in line.split()[0].split("-"))
        if " r-xp " in line:
            starve.starve_watch(begin, end)

def held():
    gc.collect()
    return starve.starve_held()

for name, work in TRIED.items():
    work()
    before, n, refused = held(), 0, 0
    starved = True
    while True:
        starve.starve_set(n)
        try:
            work()
        except REFUSED:
            refused += 1
        reached = starve.starve_calls() > n
        starve.starve_set(-1)
        if not reached:
            break
        n += 1
    starved = False
    work()
    assert held() == before, (name, n, before, held())
    print(name, n, refused)
"""
)


@pytest.fixture
def plugins(build: Build, probe_path: Path, lend_path: Path) -> list[Path]:
    """The headers and files that the programs above want."""
    flags = ["-Wno-infinite-recursion"]
    roles = build("fatal.c", "HTMLIZE", name="roles", flags=flags)
    wraps = build("fatal.c", "HTMLIZE", "CONTENTS", name="wraps", flags=flags)
    sources = TESTS / "plugins"
    return [sources / "probe.h", probe_path, sources / "lend.h", lend_path, roles, wraps]


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[int, int]]:
    """What a program printed: name -> its two numbers."""
    lines = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    return {name: (int(first), int(second)) for name, first, second in lines}


def test_python_has_no_memory(run_python: Run, plugins: list[Path]) -> None:
    """Python's allocators fail from the n-th call on, and at the n-th alone, for every n: an error, no leak."""
    pytest.importorskip("_testcapi")
    found = figures(run_python(STARVED_PYTHON, *plugins))
    assert found["load"][0] > 50
    assert found["document"][0] > 0


def test_the_core_has_no_memory(run_python: Run, build: Build, plugins: list[Path]) -> None:
    """malloc and realloc of the core and the engine fail at the n-th call for every n: an error, all given back."""
    library = build("starve.c", name="starve")
    found = figures(run_python(STARVED_CORE, *plugins, LD_PRELOAD=str(library)))
    assert found["grows"][0] > 0
    assert found["contents hooks"][1] > 0
    assert found["owner"] == (1, 1)
