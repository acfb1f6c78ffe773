"""pipe: a plugin process in C, length-prefixed frames over its standard input and output."""

import documents

from child import POST, Failure, Frames
from peer import Peer

kept = []


def open_peer(folder, variant):
    child = Frames([folder / "ours/pipe"])
    return Peer(
        process_role=child.call,
        post=POST,
        failing=(child.call, ("fail", documents.TEXT, POST), Failure),
        callback=lambda count: child.call("callback", str(count), POST),
        close=child.close,
    )


def load(folder, variant, count):
    kept.extend(Frames([folder / "ours/pipe"]) for _ in range(count))
    return [(child.call, POST) for child in kept]
