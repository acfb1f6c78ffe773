"""iceoryx2: requests and responses in shared memory; the plugin is a Python process (iceoryx2_plugin.py)."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import documents

from child import POST
from iceoryx import End, bytes_of
from message import Failure, join, split
from peer import Peer

kept = []
numbers = itertools.count()


def start(variant):
    name = f"bench/{os.getpid()}/{next(numbers)}"
    command = [sys.executable, Path(__file__).with_name("iceoryx2_plugin.py"), name, variant]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    host = End(name, "host", polling=variant == "polling")
    assert child.stdout.readline() == b"ready\n"
    kept.append((child, host))

    def process_role(role, text, post):
        data = join(role, text, post)
        pending = host.send(host.port.loan_slice_uninit(len(data)), data)
        response = host.wait(pending.receive)
        result = split(bytes_of(response))
        response.delete()
        pending.delete()
        return result

    return process_role


def close():
    for child, _ in kept:
        child.stdin.close()
        child.wait(10)


def open_peer(folder, variant):
    process_role = start(variant)
    return Peer(
        process_role=process_role,
        post=POST,
        failing=(process_role, ("fail", documents.TEXT, POST), Failure),
        close=close,
    )


def load(folder, variant, count):
    return [(start(variant), POST) for _ in range(count)]
