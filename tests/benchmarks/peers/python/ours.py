"""loader-c, loader-cpp, loader-rust, loader-go: this loader, a plugin in each language; loader-c with threads."""

import ctypes
import inspect
import threading

import documents
from loader import load
from loader.errors import PluginError
from loader.htmlize import HTMLIZE, Htmlizer, Post

from peer import Peer

POST = Post(id=documents.POST_ID, author=documents.POST_AUTHOR)


class Titles:
    """The host's service, in Python."""

    def title(self, number):
        return documents.TITLE


def c_table(folder):
    """The host's service as a C function table; see peers/ours/c/table.c."""
    library = ctypes.CDLL(str(folder / "ours/libtable.so"))
    library.bench_table.restype = ctypes.c_void_p
    return library.bench_table()


def open_ours(folder, language, variant):
    plugins = folder / "ours/plugins/htmlize"
    app = Htmlizer([plugins / f"bench_{language}.so"], strict=True)
    # What is called back is a plugin of its own: role tt is measured as it is without, and the one in C that asks the
    # host is the one that has not promised never to.
    posts = c_table(folder) if variant == "c-table" else Titles()
    asking = "c_unpromised" if language == "c" else language
    talking = Htmlizer([plugins / f"bench_{asking}.so"], posts=posts, strict=True)
    process_role = app.process_role
    if variant == "bound":
        process_role = app.plugins[0].functions["process_role"]
    many = None

    def render_many(text):
        nonlocal many
        if many is None:
            many = Htmlizer([plugins / "bench_many.so", plugins / f"bench_{language}.so"], strict=True)
            assert len(many.roles) >= 1000, len(many.roles)
        return many.htmlize(text, POST)

    def call_back(count):
        return talking.process_role("callback", str(count), POST)

    return Peer(
        process_role=process_role,
        post=POST,
        failing=(app.process_role, ("fail", documents.TEXT, POST), PluginError),
        callback=call_back,
        htmlize=lambda text: app.htmlize(text, POST),
        many_roles=render_many,
    )


def open_with_threads(folder, language, variant):
    """The same while a second Python thread lives. It only waits: what is seen is the rule's price."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return open_ours(folder, language, variant)


def paths(folder, language, count):
    return [f"{folder}/plugins/{language}/tt{number}.so" for number in range(count)]


def load_ours(folder, language, count):
    """Loaded and checked for the contract, as a peer's host does; nothing is registered with an application."""
    files = paths(folder, language, count)
    return [(load(file, contract=HTMLIZE).process_role, POST) for file in files]


def load_for_application(folder, language, count):
    """The same through Htmlizer, which asks them for their hooks and makes its engine."""
    app = Htmlizer(paths(folder, language, count))
    if app.failures:
        raise app.failures[0]
    return [(plugin.functions["process_role"], POST) for plugin in app.plugins]


def load_lazily(folder, language, count):
    """All discovered, one used: plugins are opened at their first use, if the loader can do that."""
    if "lazy" not in inspect.signature(Htmlizer.__init__).parameters:
        raise NotImplementedError("this version of the loader opens plugins when it is told of them")
    app = Htmlizer(paths(folder, language, count), lazy=True)
    role = next(iter(app.roles))
    return [(lambda _, text, post: app.process_role(role, text, post), POST)] * len(app.roles)
