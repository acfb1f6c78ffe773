"""loader.shared: buffers that a worker has too, which cross without a copy."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from tree import ROOT

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="workers are for Linux")

CODEC = ROOT / "native_plugins/codec"


@pytest.fixture(scope="module")
def codec(build: Callable[..., Path]) -> loader.Plugin:
    """The codec in C, in a process of its own."""
    contract = loader.Contract.from_header(CODEC / "codec.h")
    path = build(CODEC / "c/codec_c.c", flags=["-lm", f"-I{CODEC}"])
    return loader.load(path, contract=contract, isolation=loader.Isolation(sandbox="off"))


def test_what_is_passed(codec: loader.Plugin) -> None:
    """Arrays in a shared buffer, whole and in part, and beside others that are not, give what others give."""
    a, b = np.frombuffer(loader.shared(8 * 1000)), np.arange(1000.0)
    a[:] = b
    assert codec.dot(a, a) == codec.dot(b, b) == codec.dot(a, b)
    assert codec.dot(a[3:10], b[3:10]) == float(np.dot(b[3:10], b[3:10]))


def test_changed_in_place(codec: loader.Plugin) -> None:
    """What the plugin changes is seen here, without being sent; what lies beside it is left alone."""
    samples = np.frombuffer(loader.shared(4 * 100), dtype="f4")
    samples[:] = 2
    codec.gain(samples[10:20], 3.0)
    assert samples.tolist() == [2.0] * 10 + [6.0] * 10 + [2.0] * 80


def test_tensors(codec: loader.Plugin) -> None:
    """A tensor in one piece is not copied; one with steps is, and gives the same."""
    image = np.frombuffer(loader.shared(8 * 64)).reshape(8, 8)
    image[:] = np.arange(64.0).reshape(8, 8)
    whole, apart = np.zeros((8, 8)), np.zeros((8, 8))
    codec.blur(image, whole)
    codec.blur(image.copy(), apart)
    assert whole.tolist() == apart.tolist()
    out = np.frombuffer(loader.shared(8 * 64)).reshape(8, 8)
    codec.blur(image, out)
    assert out.tolist() == apart.tolist()
    codec.blur(image.T, whole)
    codec.blur(image.T.copy(), apart)
    assert whole.tolist() == apart.tolist()


def test_it_is_not_copied(codec: loader.Plugin) -> None:
    """The worker's own memory is what the plugin sees: its lanes stay as small as they were."""
    size = 8 << 20
    a = np.frombuffer(loader.shared(size))
    a[:] = 1

    def touched() -> int:
        assert codec.worker is not None
        with open(f"/proc/{codec.worker.pid}/smaps", encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        sizes = [
            int(lines[i + k].split()[1])
            for i, line in enumerate(lines)
            if "memfd:loader-lane" in line
            for k in range(1, 12)
            if lines[i + k].startswith("Rss:")
        ]
        return sum(sizes) << 10

    assert codec.dot(a, a) == size / 8
    assert touched() < 1 << 20


def test_a_fresh_worker(codec: loader.Plugin) -> None:
    """A worker that was started later maps the buffer too."""
    a = np.frombuffer(loader.shared(8 * 10))
    a[:] = 1
    assert codec.dot(a, a) == 10
    worker = codec.worker
    assert worker is not None
    before = worker.pid
    os.kill(before, 9)
    while worker.pid == before:
        pass
    assert codec.dot(a, a) == 10


def test_it_is_given_back(codec: loader.Plugin) -> None:
    """Memory and descriptors of buffers that nobody has are gone; of 300, more than a worker maps at once."""
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(300):
        a = np.frombuffer(loader.shared(8 * 512))
        a[:] = 1
        assert codec.dot(a, a) == 512
        del a
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_in_this_process(build: Callable[..., Path]) -> None:
    """A plugin of this process takes it as any other buffer."""
    contract = loader.Contract.from_header(CODEC / "codec.h")
    here = loader.load(build(CODEC / "c/codec_c.c", flags=["-lm", f"-I{CODEC}"]), contract=contract)
    a = np.frombuffer(loader.shared(8 * 10))
    a[:] = 2
    assert here.dot(a, a) == 40


@pytest.mark.parametrize("size", [0, -1])
def test_no_size(size: int) -> None:
    """A buffer has a byte or more."""
    with pytest.raises(ValueError, match="1 byte or more"):
        loader.shared(size)
