"""pynng: nanomsg (nng) REQ/REP over ipc; the plugin is a Python process (nng_plugin.py)."""

import subprocess
import sys
import tempfile
from pathlib import Path

import documents
import pynng

from child import POST
from message import Failure, join, split
from peer import Peer

kept = []


def start():
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    url = f"ipc://{folder}/nng.ipc"
    socket = pynng.Req0(listen=url, recv_max_size=0)
    command = [sys.executable, Path(__file__).with_name("nng_plugin.py"), url]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    kept.append((child, socket, folder))

    def process_role(role, text, post):
        socket.send(join(role, text, post))
        return split(socket.recv())

    return process_role


def close():
    for child, socket, folder in kept:
        child.stdin.close()
        child.wait(10)
        socket.close()
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def open_peer(folder, variant):
    process_role = start()
    return Peer(
        process_role=process_role,
        post=POST,
        failing=(process_role, ("fail", documents.TEXT, POST), Failure),
        close=close,
    )


def load(folder, variant, count):
    return [(start(), POST) for _ in range(count)]
