"""loader-isolated: loader-c with its plugin in a process of its own, confined as by default."""

import documents
import loader
from loader.errors import PluginError
from loader.htmlize import HTMLIZE, Htmlizer
from loader.htmlize.posts import POSTS
from loader.services import ServiceTable

from ours import POST, Titles, paths
from peer import Peer


def isolation(variant):
    return loader.Isolation(sandbox="off" if variant == "unconfined" else "default")


def open_peer(folder, variant):
    plugins = folder / "ours/plugins/htmlize"
    plugin = loader.load(plugins / "bench_c.so", contract=HTMLIZE, isolation=isolation(variant))
    # The one that asks the host is a plugin of its own, as for loader-c (ours.py).
    services = ServiceTable(HTMLIZE.services)
    services.provide(POSTS, Titles())
    asking = loader.load(
        plugins / "bench_c_unpromised.so", contract=HTMLIZE, services=services.native, isolation=isolation(variant)
    )
    apps = []

    def render(text):
        if not apps:
            apps.append(Htmlizer([plugins / "bench_c.so"], strict=True, isolation=isolation(variant)))
        return apps[0].htmlize(text, POST)

    return Peer(
        process_role=plugin.process_role,
        post=POST,
        failing=(plugin.process_role, ("fail", documents.TEXT, POST), PluginError),
        callback=lambda count: asking.process_role("callback", str(count), POST),
        htmlize=render,
    )


def warm(folder, variant):
    """What is imported late by the first plugin of a process is the host's start, as a peer's is linked in."""
    import loader.isolation.pool  # noqa: F401


def load(folder, variant, count):
    files = paths(folder, "c", count)
    return [(loader.load(file, contract=HTMLIZE, isolation=isolation(variant)).process_role, POST) for file in files]
