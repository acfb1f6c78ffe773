"""What was checked is what runs, while somebody swaps the file: 10,000 loads under each of two attackers.

The lock file names one build of the plugin. A process puts another valid build in its place and back again,
as fast as it can, by renaming or by writing into the file; another one loads. What a load gives must say that
it is the locked build, or the load must be refused because the bytes that were read are not it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import GREETER

import loader
from loader.trust.identity import identify
from loader.trust.lockfile import LockFile

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory files are Linux's")

PROCESSES = 20
LOADS = 500  # a process; each keeps a descriptor and five mappings for life

ATTACKER = """
import os, sys
target, good, evil, how = sys.argv[1:]
good, evil = open(good, "rb").read(), open(evil, "rb").read()
spare = target + ".new"
print("ready", flush=True)
while True:
    for data in (evil, good):
        if how == "rename":
            with open(spare, "wb") as file:
                file.write(data)
            os.rename(spare, target)
        else:
            descriptor = os.open(target, os.O_WRONLY)
            os.pwrite(descriptor, data, 0)
            os.close(descriptor)
"""

LOADER = """
import collections, json, sys, loader, loader.library
target, header, lock, good, loads = sys.argv[1:]
greeter = loader.Contract.from_header(header)
policy = loader.Policy(lock=lock, permissions=True)
seen = collections.Counter()
for _ in range(int(loads)):
    loader.library.opened.libraries.clear()  # or the same bytes would be opened once
    try:
        plugin = loader.load(target, contract=greeter, policy=policy)
    except loader.TrustError as error:
        other = "SHA-256" in error.found and good not in error.found
        seen["refused, other bytes" if other else str(error)] += 1
    except loader.ImageError as error:
        seen[error.what] += 1
    else:
        seen[plugin.greet("x") if plugin.digest == good else "wrong digest"] += 1
print(json.dumps(seen))
"""


@pytest.mark.parametrize("how", ["rename", "in place"])
def test_substitution(build: Callable[..., Path], tmp_path: Path, how: str) -> None:
    """0 of 10,000 loads run the other build, and 0 are refused though the right bytes were read."""
    tmp_path.chmod(0o755)
    good, evil = (build("hostile.c", "GREET=greets_with_build", f"BUILD={number}") for number in (3001, 3002))
    target = tmp_path / "target.so"
    shutil.copy(good, target)
    image = loader.read_image(target)
    lock = LockFile(str(tmp_path / "loader.lock")).add(identify(image), file="target.so", size=image.size)
    lock.write()
    assert evil.stat().st_size == good.stat().st_size

    python = [sys.executable, "-c"]
    attacker = subprocess.Popen(
        [*python, ATTACKER, target, good, evil, how], stdout=subprocess.PIPE, umask=0o022, text=True
    )
    seen: dict[str, int] = {}
    try:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == "ready\n"
        for _ in range(PROCESSES):
            command = [*python, LOADER, target, GREETER, lock.path, image.digest, str(LOADS)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
            assert done.returncode == 0, done.stderr
            for outcome, count in json.loads(done.stdout).items():
                seen[outcome] = seen.get(outcome, 0) + count
        assert attacker.poll() is None
    finally:
        attacker.kill()
        attacker.communicate()
    print(how, seen)
    loaded, refused = seen.pop("3001 greets x", 0), seen.pop("refused, other bytes", 0)
    written_to = seen.pop("changed while it was read", 0) if how == "in place" else 0
    assert seen == {}  # neither the other build, nor a refusal for any other reason
    assert loaded + refused + written_to == PROCESSES * LOADS
    assert loaded > 0
    assert refused > 0  # the attacker was there
