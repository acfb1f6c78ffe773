"""extism: a plugin framework over WebAssembly; the plugin is peers/wasm/extism.wat."""

import documents
import extism

from child import POST
from message import join
from peer import Peer


def role_of(folder):
    plugin = extism.Plugin((folder / "wasm/extism.wasm").read_bytes())
    call = plugin.call

    def process_role(role, text, post):
        return bytes(call("process_role", join(role, text, post))).decode()

    return process_role


def open_peer(folder, variant):
    process_role = role_of(folder)
    return Peer(
        process_role=process_role,
        post=POST,
        failing=(process_role, ("fail", documents.TEXT, POST), extism.Error),
    )


def load(folder, variant, count):
    return [(role_of(folder), POST) for _ in range(count)]
