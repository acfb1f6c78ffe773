"""pluggy: hooks in Python, as pytest has them. The plugin answers its role and None for others."""

import documents
import pluggy
import reference

from peer import Peer
from peer_python import POST, call_back

hookspec = pluggy.HookspecMarker("htmlize")
hookimpl = pluggy.HookimplMarker("htmlize")


class Spec:
    @hookspec(firstresult=True)
    def process_role(self, role, text, post):
        """HTML for a role, or None."""

    @hookspec(firstresult=True)
    def fail(self, role, text, post):
        """Fails."""

    @hookspec(firstresult=True)
    def call_back(self, count, title):
        """Asks the host."""


class Tt:
    @hookimpl
    def process_role(self, role, text, post):
        return "<tt>" + text + "</tt>" if role == "tt" else None

    @hookimpl
    def fail(self, role, text, post):
        raise ValueError("no post 42")

    @hookimpl
    def call_back(self, count, title):
        return call_back(count, title)


def open_peer(folder, variant):
    plugins = pluggy.PluginManager("htmlize")
    plugins.add_hookspecs(Spec)
    plugins.register(Tt())
    call = plugins.hook.process_role

    def process_role(role, text, post):
        return call(role=role, text=text, post=post)

    def failing(role, text, post):
        plugins.hook.fail(role=role, text=text, post=post)

    def htmlize(text):
        def answer(match):
            html = call(role=match[1], text=match[2], post=POST)
            return match[0] if html is None else html

        return reference._ROLE.sub(answer, reference.paragraphs(text))

    return Peer(
        process_role=process_role,
        post=POST,
        failing=(failing, ("tt", documents.TEXT, POST), ValueError),
        callback=lambda count: plugins.hook.call_back(count=count, title=lambda number: documents.TITLE),
        htmlize=htmlize,
    )


def warm(folder, variant):
    pluggy.PluginManager("htmlize").add_hookspecs(Spec)


def load(folder, variant, count):
    import importlib.util

    plugins = pluggy.PluginManager("htmlize")
    plugins.add_hookspecs(Spec)
    functions = []
    for number in range(count):
        spec = importlib.util.spec_from_file_location(f"tt{number}", folder / "plugins/python" / f"tt{number}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

        class Found:
            process_role = hookimpl(staticmethod(module.process_role))

        plugins.register(Found())
        call = plugins.subset_hook_caller(
            "process_role", [p for p in plugins.get_plugins() if not isinstance(p, Found)]
        )
        functions.append((lambda role, text, post, call=call: call(role=role, text=text, post=post), POST))
    return functions
