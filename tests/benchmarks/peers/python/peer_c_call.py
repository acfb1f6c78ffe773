"""c-call: the limit of a call, a C function through a pointer. Loops run in C (peers/ours/c/limits.c)."""

import ctypes

import documents

from peer import Peer


def library_of(folder):
    library = ctypes.CDLL(str(folder / "ours/liblimits.so"))
    library.limits_call.restype = ctypes.c_size_t
    library.limits_call.argtypes = [
        ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p
    ]  # fmt: skip
    library.limits_copy.argtypes = [ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    library.limits_copy.restype = None
    library.limits_copy_new.argtypes = [ctypes.c_long, ctypes.c_char_p, ctypes.c_size_t]
    return library


def open_peer(folder, variant):
    library = library_of(folder)
    peer = Peer()
    room = ctypes.create_string_buffer(2_000_000)
    for job, text in [*documents.CALL_TEXTS.items(), ("error", documents.TEXT)]:
        raw = text.encode()
        which = int(job == "error")
        peer.loops[job] = lambda count, raw=raw, which=which: library.limits_call(count, which, raw, len(raw), room)
        size = peer.loops[job](1)
        peer.answers[job] = room.raw[:size].decode() if size else room.value[:10].decode()
    return peer
