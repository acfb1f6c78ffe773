"""memcpy: the limit of a document, a copy of its bytes: over memory that is there, or (new) into new memory."""

import ctypes
import threading

from documents import CALL_TEXTS

from peer import Peer
from peer_c_call import library_of


def open_peer(folder, variant):
    library = library_of(folder)
    peer = Peer()
    room = ctypes.create_string_buffer(12_000_000)
    documents = folder / "documents"
    sources = {
        "call-4k": CALL_TEXTS["call-4k"].encode(),
        "call-1m": CALL_TEXTS["call-1m"].encode(),
        "document-dense": (documents / "dense.txt").read_bytes(),
        "document-prose": (documents / "prose.txt").read_bytes(),
        "document-small": (documents / "small.txt").read_bytes()[:2048],
    }
    for job, raw in sources.items():
        if variant == "new":
            peer.loops[job] = lambda count, raw=raw: library.limits_copy_new(count, raw, len(raw))
        else:
            peer.loops[job] = lambda count, raw=raw: library.limits_copy(count, room, raw, len(raw))
        peer.loops[job](1)
        peer.answers[job] = "a copy"
    dense, local = sources["document-dense"], threading.local()

    def copy(count):
        """To memory of this thread's own: what two threads can do at once on this machine."""
        if not hasattr(local, "room"):
            local.room = ctypes.create_string_buffer(2_000_000)
        library.limits_copy(count, local.room, dense, len(dense))

    peer.loops["threads-2"] = copy
    return peer
