"""lupa: LuaJIT in Python; the plugin is the Lua script of gopher-lua's row."""

from pathlib import Path

import documents
import lupa.luajit21 as lupa

from peer import Peer

SOURCE = Path(__file__).parents[1] / "go/golua/tt.lua"


def start():
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    lua.execute(SOURCE.read_text())
    return lua, lua.table_from({"id": documents.POST_ID, "author": documents.POST_AUTHOR})


def open_peer(folder, variant):
    lua, post = start()
    process_role = lua.globals().process_role
    call_back = lua.globals().call_back
    return Peer(
        process_role=process_role,
        post=post,
        failing=(process_role, ("fail", documents.TEXT, post), lupa.LuaError),
        callback=lambda count: call_back(count, lambda number: documents.TITLE),
    )


kept = []


def load(folder, variant, count):
    kept.extend(start() for _ in range(count))
    return [(lua.globals().process_role, post) for lua, post in kept]
