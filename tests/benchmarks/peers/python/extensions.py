"""c-extension, c-extension-str, nanobind, pybind11, cython, pyo3: an extension module in place of a plugin.

The modules are those of peers/extensions; a function takes role, text and post as Python has them.
"""

import importlib.util
from types import SimpleNamespace

import documents

from peer import Peer

POST = SimpleNamespace(id=documents.POST_ID, author=documents.POST_AUTHOR)


def extension(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_extension(folder, name, function="process_role"):
    module = extension(folder / "extensions" / f"{name}.so", name)
    peer = Peer(process_role=getattr(module, function), post=POST)
    if hasattr(module, "fail"):
        peer.failing = module.fail, ("tt", documents.TEXT, POST), ValueError
        peer.callback = lambda count: module.call_back(count, lambda number: documents.TITLE)
    return peer


def load_extensions(folder, name, count):
    files = [folder / "plugins" / name / f"tt{number}.so" for number in range(count)]
    return [(extension(file, name).process_role, POST) for file in files]
