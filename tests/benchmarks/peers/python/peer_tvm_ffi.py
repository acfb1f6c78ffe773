"""tvm-ffi: apache-tvm-ffi, a typed function exported by a shared library (peers/ours/c/tvm.cpp)."""

import documents
import tvm_ffi

from peer import Peer
from peer_python import POST


def bind(path):
    module = tvm_ffi.load_module(str(path))
    function = module.process_role

    def process_role(role, text, post):
        return function(role, text, post.id, post.author)

    return module, process_role


def open_peer(folder, variant):
    module, process_role = bind(folder / "tvm/tt.so")
    title = tvm_ffi.convert(lambda number: documents.TITLE)
    return Peer(
        process_role=process_role,
        post=POST,
        failing=(process_role, ("fail", documents.TEXT, POST), ValueError),
        callback=lambda count: module.call_back(count, title),
    )


kept = []


def load(folder, variant, count):
    kept.extend(bind(folder / "plugins/tvm" / f"tt{number}.so") for number in range(count))
    return [(process_role, POST) for _, process_role in kept]
