"""What a worker answers beside calls: loader/isolation/message.py and process.py, whatever it is."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import loader
from loader.isolation import process
from loader.isolation.message import MOST, numbers, parse, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are for Linux")


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are pairs of texts that can be printed, or none."""
    pairs = parse(data)
    assert pairs is None or all(text.encode() is not None for pair in pairs for text in pair)


@given(st.text() | st.integers().map(str) | st.just("²") | st.just("9" * 5000), st.integers(0, 30))
def test_numbers(value: str, zeros: int) -> None:
    """Numbers have 64 bits; what is none is passed over."""
    assert all(0 <= each < 1 << 64 for each in numbers([("at", value), ("at", "0" * zeros + value)], "at"))


@pytest.fixture(scope="module")
def alive() -> Iterator[int]:
    """A pidfd of a process that lives."""
    pidfd = os.pidfd_open(os.getpid())
    yield pidfd
    os.close(pidfd)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_answers(alive: int, sent: list[bytes], right: bool) -> None:
    """Whatever is in the socket, an answer is found by its tag, or there is none; and nothing is waited for."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for each in sent:
            theirs.send(each)
        if right:
            theirs.send(b"tag\x0041\0here\x001\0")
            theirs.send(b"tag\x0042\0here\x002\0")
        try:
            answer = receive(ours, alive, 42, 0.05)
        except TimeoutError:
            assert not right or sent
        else:
            assert answer is None or sent or answer == [("here", "2")]


def _send_on(channel: socket.socket, alive: int) -> None:
    for _ in range(100_000):
        send(channel, alive, 1, [("word", "x" * 1000)], [], 0.05)


def test_nobody_reads(alive: int) -> None:
    """Who sends to a process that reads nothing is not held up."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            _send_on(ours, alive)
        assert time.monotonic() - begun < 10.0


GOOD_START = b"".join(b"thunk\x00%d\0" % each for each in range(1, 35))
ANSWERS = {
    "nothing": [],
    "no NUL": [b"tag"],
    "no tag": [b"here\x001\0"],
    "no thunks": [b"tag\x00%d\0"],
    "too many thunks": [b"tag\x00%d\0" + GOOD_START * 2],
    "long numbers": [b"tag\x00%d\0" + GOOD_START.replace(b"thunk\x001\0", b"thunk\x00" + b"9" * 20 + b"\0")],
    "no numbers": [b"tag\x00%d\0" + GOOD_START.replace(b"thunk\x001\0", "thunk\0²\0".encode())],
    "endless": [b"tag\x00%d\0" + b"a\0" * 40000],
    "old answers": [b"tag\x000\0" + GOOD_START] * 5,
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_garbage_at_the_start(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A process whose first answer is none is ended, in time, with an error of the package's own."""
    ends: list[threading.Thread] = []

    def start(_name: str, *_told: object) -> tuple[int, int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def answer() -> None:
            request = theirs.recv(MOST)
            tag = int(request.split(b"\0")[1])
            for each in ANSWERS[kind]:
                theirs.send(each.replace(b"%d", b"%d" % tag, 1))
            theirs.recv(1)
            theirs.close()

        ends.append(threading.Thread(target=answer))
        ends[0].start()
        child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
        return child, os.pidfd_open(child), ours

    monkeypatch.setattr(process, "spawn", start)
    isolation = loader.Isolation(start=0.3)
    pids: list[int] = []
    with pytest.raises((process.Ended, loader.IsolationError)):
        _open(isolation, pids.append)
    ends[0].join(10)
    assert not ends[0].is_alive()
    os.waitpid(-1, 0)


def _open(isolation: loader.Isolation, tell: Callable[[int], None]) -> None:
    made = process.Process(isolation, "name", [], [], lambda *_: None, lambda _: None)
    tell(made.pid)


def test_long_times() -> None:
    """A worker may be given more time to start than poll() knows."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pidfd = os.pidfd_open(os.getpid())
    with ours, theirs:
        theirs.send(b"tag\x001\0here\x001\0")
        assert receive(ours, pidfd, 1, 9e8) == [("here", "1")]
    os.close(pidfd)
