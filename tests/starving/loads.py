"""Scenes: files that are read, and plugins that are loaded, bound, registered and taken into use."""

from __future__ import annotations

import loader
from loader._core._call import Layout
from loader.contract.layout import layout_of
from loader.htmlize import Htmlizer
from loader.htmlize._engine import Engine
from loader.htmlize.contract import HTMLIZE
from loader.image import read_bytes
from loader.library import open_library, owner_of
from loader.library.opened import libraries
from loader.plugin import bind
from loader.registry import Registry
from loader.trust import Policy, trust
from loader.trust.handshake import shake_hands
from starving.calls import lent, probe
from starving.documents import HTML, TEXT, app
from starving.scene import FOLDER, Scene, equal

# ---- Loading -----------------------------------------------------------------------------------------------

# As str: for a Path without memory os.fspath of CPython raises a TypeError that says that it is no Path.
PROBE, WRAPS = str(FOLDER / "probe.so"), str(FOLDER / "wraps.so")
host = loader.Host(probe.contract)
image = loader.read_image(PROBE)
trusted = trust(shake_hands(image, probe.contract), Policy())
registry = Registry()
registry.add(probe, ["a", "b"])
second = Htmlizer([FOLDER / "roles.so"])
address = app.plugins[0].functions["process_role"].__self__.address
owner = app.plugins[0].owner
LAYOUT = Layout("p", 8, True, ())


def loads() -> None:
    """All stages of loading, and a claim."""
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
    libraries.pop(image.digest, None)


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
    assert needy.digest not in libraries, "a library that is not open is known"


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


SCENES = {
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
