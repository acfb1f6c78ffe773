"""polyplug: its runtime, its loader for native plugins, and the caller that its generator makes for Python."""

import os
import sys
from pathlib import Path

import documents
import polyplug

from peer import Peer

FOLDER = Path(os.environ["BENCHMARKS"]) / "polyplug"
sys.path.insert(0, str(FOLDER / "made/python"))  # the package `host`
# The wheel has the library, but its runtime module only looks for it here and on the system's path.
os.environ.setdefault("POLYPLUG_LIB", str(next(Path(polyplug.__file__).parent.glob("_native/linux-x64/*.so"))))

from host.callers import BenchRoleContractCaller  # noqa: E402
from polyplug_abi import bytes_as_view, to_str  # noqa: E402
from polyplug_loaders_native import register_native_loader  # noqa: E402

AUTHOR = documents.POST_AUTHOR.encode()
POST = (documents.POST_ID, bytes_as_view(AUTHOR))
kept = []  # its finalizers crash if the runtime goes first


def start():
    runtime = polyplug.Runtime()
    register_native_loader(runtime)
    runtime.load_bundle(FOLDER / "bundle")
    caller = BenchRoleContractCaller.create(runtime)
    kept.append((runtime, caller))
    return caller


def role_of(caller):
    call = caller.process_role

    def process_role(role, text, post):
        name, raw = role.encode(), text.encode()
        return to_str(call(bytes_as_view(name), bytes_as_view(raw), *post))

    return process_role


def open_peer(folder, variant):
    return Peer(process_role=role_of(start()), post=POST)


def load(folder, variant, count):
    return [(role_of(start()), POST) for _ in range(count)]
