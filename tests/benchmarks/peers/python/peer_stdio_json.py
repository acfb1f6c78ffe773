"""stdio-json: a plugin process in Python, one JSON object a line."""

import sys
from pathlib import Path

import documents

from child import POST, Failure, Lines
from peer import Peer

COMMAND = [sys.executable, Path(__file__).with_name("json_plugin.py")]
kept = []


def open_peer(folder, variant):
    child = Lines(COMMAND)
    return Peer(
        process_role=child.call,
        post=POST,
        failing=(child.call, ("fail", documents.TEXT, POST), Failure),
        callback=lambda count: child.call("callback", str(count), POST),
        close=child.close,
    )


def load(folder, variant, count):
    kept.extend(Lines(COMMAND) for _ in range(count))
    return [(child.call, POST) for child in kept]
