"""cffi-api: cffi's API mode, the plugin compiled into an extension module of its own (build_cffi_api.py)."""

import importlib.util

import documents

from peer_cffi_abi import functions_of, peer_of, post_of


def extension(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_peer(folder, variant):
    (path,) = (folder / "cffi").glob("_plain_api*.so")
    module = extension(path, "_plain_api")
    ffi, library = module.ffi, module.lib
    answer = ffi.new("char[]", documents.TITLE.encode())

    @ffi.def_extern()
    def api_title(number):
        return answer

    return peer_of(ffi, library, library.api_title)


def load(folder, variant, count):
    if count != 1:
        raise SystemExit("an extension module has one plugin compiled in")
    (path,) = (folder / "cffi").glob("_plain_api*.so")
    module = extension(path, "_plain_api")
    return [(functions_of(module.ffi, module.lib), post_of(module.ffi))]
