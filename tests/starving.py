"""The process that tests/call/test_out_of_memory.py starts: each scene is played again and again, and every time
another allocation fails.

    starving.py MODE FOLDER     MODE: "core" or "python"; FOLDER: the plugins, and where the file `progress` goes

    core    allocations that the C core asks for, itself or through Python's C API: the n-th alone fails, and all
            from the n-th on, for every n until none does
    python  any allocation of Python or the core: the n-th alone, for every n

A scene ends with the right answer or with MemoryError or an error of ours, and leaves all as it was. It is played
until blocks and descriptors stay as they are; what a failure leaves behind would show every time.
Prints for each scene: its name, the allocations that were failed, and how many of these the scene failed of.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lending import Database

import loader
from loader._core import _call
from loader._core._call import Layout, Limit, Owner, Services
from loader.contract.layout import layout_of
from loader.htmlize import Htmlizer, Post
from loader.htmlize import _engine as engine_module
from loader.htmlize._engine import Engine
from loader.htmlize.contract import HTMLIZE
from loader.image import read_bytes
from loader.library.library import _opened, open_library, owner_of
from loader.plugin import bind
from loader.registry import Registry
from loader.trust import Policy, trust
from loader.trust.handshake import shake_hands

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = 1 << 60
#: (whether only what the core asks for, how many fail from the n-th on)
MODES = {"core": ((True, 1), (True, ALL)), "python": ((False, 1),)}
ROUNDS = 20  # Python's free lists fill up in the first ones
MOST = 20_000  # allocations of a scene

SOURCES = Path(__file__).parent / "plugins"
MODE, FOLDER = sys.argv[1], Path(sys.argv[2])


class Starve:
    """plugins/starve.c, which is preloaded."""

    def __init__(self) -> None:
        library = ctypes.PyDLL(None)
        self.call = library.starve_call
        self.call.argtypes = [ctypes.py_object, ctypes.c_long, ctypes.c_long, ctypes.c_int]
        self.call.restype = ctypes.py_object
        self.seen, self.blocks = library.starve_seen, library.starve_blocks
        self.seen.restype = self.blocks.restype = ctypes.c_long
        library.starve_watch.argtypes = [ctypes.c_size_t] * 2
        ours = {os.path.basename(module.__file__) for module in (_call, engine_module)}
        for line in Path("/proc/self/maps").read_text().splitlines():
            if " r-xp " in line and os.path.basename(line) in ours:
                library.starve_watch(*(int(number, 16) for number in line.split()[0].split("-")))
        list(map(lambda _: library.starve_hook(), [None]))  # noqa: C417 - from a Python function that C called


@dataclass
class Scene:
    """What is done, and asserts that its result is right; what must hold after it, given whether it succeeded."""

    play: Callable[[], object]
    after: Callable[[bool], object] = lambda succeeded: None  # noqa: ARG005
    before: Callable[[], object] = lambda: None
    grows: bool = False  # by design: it opens libraries for life
    alone: bool = False  # PyContextVar_Set of CPython 3.11 crashes where two in a row find no memory


SCENES: dict[str, Scene] = {}


def equal(found: object, right: object) -> None:
    """Asserts, with a message that takes little memory."""
    assert found == right, "the answer is wrong"


# ---- One call ----------------------------------------------------------------------------------------------

probe = loader.load(FOLDER / "probe.so", contract=loader.Contract.from_header(SOURCES / "probe.h"))
LONG, WIDE = "x" * 100_000, "\u00e9" * 50_000
ITEM = {"tiny": 1, "id": 2, "title": "t\u00e9", "low": 1, "blob": b"x", "count": 1, "weight": 0.5, "offset": 1}
SHOWN = probe.show(ITEM)


class Item:
    """A mapping that is no dict, and has an attribute of a field's name."""

    tiny = 99

    def __getitem__(self, name: str) -> object:
        return ITEM[name]

    def keys(self) -> list[str]:
        """Which fields there are."""
        return list(ITEM)


@dataclass(frozen=True)
class Point(loader.Record):
    """A struct that remembers its native form."""

    x: float
    y: float


def fails_with(message: str) -> None:
    """A plugin's error: with its text, or without one."""
    try:
        probe.fail(1, message.encode())
    except loader.PluginError as error:
        equal((type(error), error.status), (loader.PluginError, 1))
        equal(error.message, message if error.message else "")
        if not error.message:
            raise
    else:
        raise AssertionError("it did not fail")


def between() -> None:
    """Records are packed, and remembered, once."""
    start, end = Point(0.0, 1.0), Point(2.0, 3.0)
    equal(probe.between("p", start, end), BETWEEN)
    equal(probe.between("p", start, end), BETWEEN)


BETWEEN = probe.between("p", Point(0.0, 1.0), Point(2.0, 3.0))
CALLS: dict[str, Callable[[], object]] = {
    "a short text": lambda: equal(probe.echo("short"), "short"),
    "a long text": lambda: equal(probe.echo(LONG), LONG),
    "text beyond ASCII": lambda: equal(probe.echo(WIDE + "."), WIDE + "."),
    "bytes": lambda: equal(probe.echo_bytes(b"abc"), b"abc"),
    "a buffer": lambda: equal(probe.echo_bytes(bytearray(b"abc")), b"abc"),
    "output that grows": lambda: equal(probe.pad("a", 50_000, 999), "a" + "x" * 50_000),
    "bytes that grow": lambda: equal(probe.pad_bytes("a", 5000, 700), b"a" + b"x" * 5000),
    "a result that grows": lambda: equal(probe.pad(LONG, 50_000, 999), LONG + "x" * 50_000),
    "a result of bytes that grows": lambda: equal(probe.pad_bytes(LONG, 50_000, 999), LONG.encode() + b"x" * 50_000),
    "a struct": lambda: equal(probe.show(ITEM), SHOWN),
    "a struct of a mapping": lambda: equal(probe.show(Item()), SHOWN),
    "a struct of keywords": lambda: equal(probe.show(**ITEM), SHOWN),
    "records": between,
    "a record's state": lambda: equal(Point(0.5, 1.5).__getstate__(), {"x": 0.5, "y": 1.5}),
    "keywords": lambda: equal(probe.pad(text="a", count=3, step=1), "axxx"),
    "an error": lambda: fails_with("why"),
    "an error at length": lambda: fails_with("why" * 10_000),
    "an owner": lambda: Owner("n", "p" * 500, Services(), 5, True, "d"),
}
SCENES |= {name: Scene(play) for name, play in CALLS.items()}


# ---- Services ----------------------------------------------------------------------------------------------


class Forgetful(list[Any]):
    """A list that stays empty."""

    def append(self, value: Any) -> None:
        """Does nothing."""


class Store(Database):
    """A database that does not remember what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Forgetful()


lent_contract = loader.Contract.from_header(SOURCES / "lend.h")
lent = loader.Host(lent_contract, services={"lend.db/1": Store()}).load(FOLDER / "lend.so")


def service_fails() -> None:
    """What a service raised is the cause of the plugin's error; MemoryError, if it came to that."""
    try:
        lent.title(99)
    except loader.PluginError as error:
        if isinstance(error.__cause__, KeyError):
            return
        equal(isinstance(error.__cause__, MemoryError) or unnamed(error.__cause__), True)
        raise
    raise AssertionError("it did not fail")


def lends() -> None:
    """A table of Python functions."""
    services = Services()
    services.add("app.x/1", ((len, "a", (), 116), (len, "b", (("t", 8, False, None),), 105)))
    equal(services.ids(), ["app.x/1"])


SERVICES: dict[str, Callable[[], object]] = {
    "a service's text": lambda: equal(lent.title(4), "\U0001f600" * 500),
    "a service's bytes": lambda: equal(lent.blob(b"abc"), b"cba"),
    "a service's number": lambda: equal(lent.count("abc"), "3"),
    "a service's output": lambda: equal(lent.note("a" * 5000), "<" + "A" * 5000 + ">"),
    "a service's struct": lambda: equal(lent.describe(1, "t\u00e9"), "1: t\u00e9"),
    "a service's eight arguments": lambda: equal(lent.many()[:9], "-128 255 "),
    "a service's error": service_fails,
    "a service is made": lends,
}
SCENES |= {name: Scene(play) for name, play in SERVICES.items()}


# ---- Limits ------------------------------------------------------------------------------------------------


def under_limits() -> None:
    """A call under a deadline and a token."""
    with loader.deadline(100), loader.CancelToken():
        equal(probe.echo("x"), "x")


def document_under_limit() -> None:
    """A document under a deadline."""
    with loader.deadline(100):
        equal(app.htmlize(TEXT), HTML)


def expires() -> None:
    """A deadline that has passed."""
    try:
        with loader.deadline(0):
            probe.spin(1000)
    except loader.DeadlineExceeded:
        return
    raise AssertionError("it was not stopped")


def no_limit(_: bool) -> None:
    """No limit stays in force."""
    assert Limit.current() is None, "a limit stays in force"


SCENES |= {
    "limits": Scene(under_limits, no_limit, alone=True),
    "a document under a limit": Scene(document_under_limit, no_limit, alone=True),
    "a deadline": Scene(expires, no_limit, alone=True),
}


# ---- Documents ---------------------------------------------------------------------------------------------

app, hooked = Htmlizer([FOLDER / "roles.so"]), Htmlizer([FOLDER / "roles.so", FOLDER / "wraps.so"])
careless = Htmlizer([FOLDER / "careless.so"])
TEXT = "one :fatal:`two` three\n\nfour :fatal:`\u00e9` " * 30
HTML, HOOKED = app.htmlize(TEXT), hooked.htmlize(TEXT)
HUNDRED = "0123456789" * 30


def keeps(as_text: Callable[[str], Any]) -> None:
    """Documents go on without the roles that failed: those that had no memory too, in the order met."""
    tail = "tail " * 3000 + "end"
    document = f"x :careless:`{HUNDRED}` y :recovers:`b` :fails:`no` {tail}"
    problems: list[Any] = []
    html = careless.htmlize(as_text(document), plugin_errors="keep", report=problems.append)
    *starved, last = problems
    equal((last.role, last.status, last.message), ("fails", 1, "no" if last.message else ""))
    right = document.replace(":recovers:`b`", "b")
    if [problem.role for problem in starved] != ["careless"]:
        assert not starved
        right = right.replace(f":careless:`{HUNDRED}`", HUNDRED * 100)
    equal(html, as_text(f"<p>{right}</p>\n\n"))
    if starved:
        assert starved[0].status == 2
        raise loader.PluginError("as it should be")


DOCUMENTS: dict[str, Callable[[], object]] = {
    "a document": lambda: equal(app.htmlize(TEXT), HTML),
    "a document anew": lambda: equal(app.htmlize(f"{TEXT}."), HTML[:-6] + " .</p>\n\n"),
    "a document in bytes": lambda: equal(app.htmlize(TEXT.encode()), HTML.encode()),
    "contents hooks": lambda: equal(hooked.htmlize(TEXT), HOOKED),
    "a post": lambda: equal(app.htmlize(TEXT, Post(id=1, author="\u00e9", title="t")), HTML),
    "a document that grows": lambda: equal(careless.htmlize(f":careless:`{HUNDRED}`"), f"<p>{HUNDRED * 100}</p>\n\n"),
    "a document in bytes that grows": lambda: equal(
        careless.htmlize(f"a :careless:`{HUNDRED}`".encode()), f"<p>a {HUNDRED * 100}</p>\n\n".encode()
    ),
    "problems that are kept": lambda: keeps(str),
    "problems that are kept, in bytes": lambda: keeps(str.encode),
    "one role": lambda: equal(app.process_role("fatal", "\u00e9" * 400, None), "\u00e9" * 400),
    "one role that grows": lambda: equal(careless.process_role("careless", HUNDRED, None), HUNDRED * 100),
}
SCENES |= {name: Scene(play) for name, play in DOCUMENTS.items()}


# ---- Loading -----------------------------------------------------------------------------------------------

# As str: for a Path without memory os.fspath of CPython raises a TypeError that says that it is no Path.
PROBE, WRAPS = str(FOLDER / "probe.so"), str(FOLDER / "wraps.so")
host = loader.Host(probe.contract)
image = loader.read_image(PROBE)
trusted = trust(shake_hands(image, probe.contract), Policy())
registry = Registry()
registry.add(probe, ["a", "b"])
second = Htmlizer([FOLDER / "roles.so"])
address = app.plugins[0].functions["process_role"].address
owner = app.plugins[0].owner
LAYOUT = Layout("p", 8, True, ())


def loads() -> None:
    """All of the road, and a claim."""
    host.load(PROBE, claims=lambda _: ["c"])


def loaded(succeeded: bool) -> None:
    """The plugin is in the host with its claim, or neither is."""
    plugins, claims = host.plugins, dict(host.registry.claims)
    for plugin in plugins:
        host.registry.remove(plugin)
    assert claims == dict.fromkeys("c" * len(plugins), *plugins or [None])
    assert len(plugins) == succeeded, "it is half loaded"


def forget_library() -> None:
    """The library is opened anew."""
    _opened.pop(image.digest, None)


def added(succeeded: bool) -> None:
    """Both plugins are entered with their claims, or the first alone is."""
    plugins, claims = registry.plugins, list(registry.claims)
    registry.remove(lent)
    assert plugins == ((probe, lent) if succeeded else (probe,))
    assert claims == list("abcd" if succeeded else "ab"), "it is half registered"
    assert (registry.plugins, list(registry.claims)) == ((probe,), ["a", "b"])


def in_use(succeeded: bool) -> None:
    """The second plugin is there with its hook, or documents are as they were."""
    assert len(second.plugins) == len(second.contents_hooks) + 1 == succeeded + 1
    if succeeded:
        second.host.registry.remove(second.plugins[1])
        second._build()
    assert list(second.roles) == ["fatal"]
    equal(second.htmlize(TEXT), HTML)


# The dynamic linker refuses it: it needs a function that no library has.
needy = read_bytes(image.data.replace(b"\0memcpy\0", b"\0memcpz\0"), path=PROBE)
orphan = trust(shake_hands(needy, probe.contract), Policy())


def refuses() -> None:
    """What a library needs is not there, and it is not among the opened ones."""
    try:
        open_library(orphan, owner_of(needy))
    except loader.LibraryError as error:
        if "memcpz" in str(error):
            return
        raise
    raise AssertionError("it was opened")


def unknown(_: bool) -> None:
    """No trace of it stays."""
    assert needy.digest not in _opened, "a library that is not open is known"


def opens() -> None:
    """A library, for a plugin of its name."""
    open_library(trusted, owner_of(trusted.candidate.image))


def binds() -> None:
    """The functions of a library."""
    bound = owner_of(trusted.candidate.image, "bound")
    equal(bind(trusted, open_library(trusted, bound), bound).echo("x"), "x")


waiting: list[loader.Plugin] = []
unopened = Engine([("fatal", owner, lambda _: (owner, address))], [], layout_of(HTMLIZE.struct("htmlize_post")))


def wait() -> None:
    """A plugin that is opened at its first use."""
    waiting[:] = [loader.Host(probe.contract).load(PROBE, lazy=True)]


def opened(_: bool) -> None:
    """A first use that failed is tried again."""
    equal(waiting.pop().echo("y"), "y")




def reads(quick: bool) -> None:
    """A file's facts."""
    equal(read_bytes(image.data, path=image.path, quick=quick), image)


SCENES |= {
    "a file is read in Python": Scene(lambda: reads(False)),
    "a file is read by C": Scene(lambda: reads(True)),
    "a role's first use": Scene(lambda: equal(unopened.process_role("fatal", "x", None), "x")),
    "a document's first use": Scene(lambda: equal(unopened.render(TEXT[:40]), app.htmlize(TEXT[:40]))),
    "a plugin's first use": Scene(lambda: equal(waiting[0].echo("x"), "x"), opened, wait),
    "an engine": Scene(lambda: Engine([("one", owner, address)] * 2, [(owner, address)], LAYOUT)),
    "a plugin is bound": Scene(binds),
    "a plugin is registered": Scene(lambda: registry.add(lent, ["c", "d"]), added),
    "a plugin is loaded": Scene(loads, loaded),
    "a library is refused": Scene(refuses, unknown),
    "a library is opened": Scene(opens, before=forget_library, grows=True),
    "a plugin is taken into use": Scene(lambda: second.load(WRAPS), in_use),
}


# ---- The play ----------------------------------------------------------------------------------------------


def unnamed(error: object) -> bool:
    """CPython loses what a Python function raised if it has no memory for its frame (take_ownership, 3.11).

    It says it in the first way where C called the function, and in the second where Python did.
    """
    pattern = (
        r"<(function|bound method) .* returned NULL without setting an exception|error return without exception set$"
    )
    return isinstance(error, SystemError) and re.match(pattern, str(error)) is not None


def descriptors() -> int:
    """How many are open."""
    return len(os.listdir("/proc/self/fd"))


def settle() -> None:
    """What Python keeps for later goes: garbage, free lists, names in the cache of types' attributes."""
    sys._clear_type_cache()
    gc.collect()


class Stage:
    """Plays one scene for every n."""

    def __init__(self, starve: Starve, name: str, core: bool, count: int) -> None:
        self.starve, self.name, self.scene = starve, name, SCENES[name]
        self.core, self.count = core, count
        self.failed = self.opened = 0

    def once(self, n: int) -> bool:
        """The n-th fails, and `count - 1` after it. False if there is none."""
        note(f"{self.name}: allocation {n}, core {self.core}, count {self.count}")
        self.scene.before()
        succeeded = False
        try:
            self.starve.call(self.scene.play, n, self.count, self.core)
            succeeded = True
        except (MemoryError, loader.LoaderError):
            pass
        except SystemError as error:
            if not unnamed(error):
                raise
        reached: bool = self.starve.seen() > n
        self.scene.after(succeeded)
        self.failed += not succeeded
        self.opened += image.digest in _opened
        assert reached or succeeded, "it failed although nothing did"
        return reached

    def round(self) -> tuple[int, int, int]:
        """Allocations failed, and the blocks and descriptors that stay after it."""
        settle()
        open_before = descriptors()
        self.starve.blocks()
        n = self.failed = self.opened = 0
        while self.once(n):
            n += 1
            assert n < MOST
        settle()
        left = descriptors() - open_before
        if self.scene.grows:  # one for each library, and where there was no memory for what dlopen returned
            left = max(0, left - self.opened - 1)
        return n, self.starve.blocks(), left


def play(starve: Starve, name: str, core: bool, count: int) -> tuple[int, int]:
    """Rounds, until two leave nothing behind. Allocations failed, and how often the scene failed."""
    stage = Stage(starve, name, core, count)
    stage.once(-1)  # with memory: CPython 3.11 crashes where a thread's first context finds none
    clean = 0
    for _ in range(ROUNDS):
        n, blocks, left = stage.round()
        # CPython 3.11 keeps a function's arguments for ever where its closure finds no memory: only what the core
        # asks for counts.
        clean = clean + 1 if left <= 0 and (blocks <= 0 or not core or stage.scene.grows) else 0
        if clean == 2:
            return n, stage.failed
    raise AssertionError(f"{name}: leaves {blocks} blocks and {left} descriptors behind, each time")


def note(text: str) -> None:
    """Says what is tried, in a file that outlives the process."""
    os.pwrite(progress, f"{text:100}\n".encode(), 0)


progress = os.open(FOLDER / "progress", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
if __name__ == "__main__":
    starved = Starve()
    for each, scene in SCENES.items():
        ways = MODES[MODE][:1] if scene.alone else MODES[MODE]
        found = [play(starved, each, core, count) for core, count in ways]
        print(f"{each}: {' '.join(f'{n} {failed}' for n, failed in found)}", flush=True)
