"""wasmtime: the plugin is a WebAssembly module (peers/wasm/tt.wat); text is copied in and out of it."""

import documents
from wasmtime import Engine, Func, FuncType, Instance, Module, Store, ValType

from peer import Peer

IN = 64
TITLE = documents.TITLE.encode()


class Failure(Exception):
    """The plugin's error."""


def instantiate(engine, module):
    store = Store(engine)

    def title(number):
        memory.write(store, TITLE, IN)
        return len(TITLE)

    imported = Func(store, FuncType([ValType.i64()], [ValType.i32()]), title)
    exports = Instance(store, module, [imported]).exports(store)
    memory, function = exports["memory"], exports["process_role"]

    def process_role(role, text, post):
        raw = text.encode()
        size = len(raw)
        memory.write(store, raw, IN)
        written = function(store, size, 0 if role == "tt" else 1, post)
        start = IN + size
        if written < 0:
            raise Failure(memory.read(store, start, start - written).decode())
        return memory.read(store, start, start + written).decode()

    def call_back(count):
        return memory.read(store, IN, IN + exports["call_back"](store, count)).decode()

    return process_role, call_back


def open_peer(folder, variant):
    engine = Engine()
    module = Module.from_file(engine, str(folder / "wasm/tt.wasm"))
    process_role, call_back = instantiate(engine, module)
    post = documents.POST_ID
    return Peer(process_role=process_role, post=post, callback=call_back,
                failing=(process_role, ("fail", documents.TEXT, post), Failure))  # fmt: skip


def load(folder, variant, count):
    engine = Engine()
    modules = [Module.from_file(engine, str(folder / "wasm/tt.wasm")) for _ in range(count)]
    return [(instantiate(engine, module)[0], documents.POST_ID) for module in modules]
