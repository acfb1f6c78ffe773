"""The C caller: output of every size, limits to it, and every way to fail."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

import pytest

import loader
from loader.errors import CallCancelled, DeadlineExceeded, PluginError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

# ---- Results -----------------------------------------------------------------------------------------------

EDGES = (0, 1, 2, 63, 64, 384, 640, 1024, 2048, 4096, 16384)
SIZES = sorted({size for edge in EDGES for size in (edge - 2, edge - 1, edge, edge + 1, edge + 2) if size >= 0})


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("length", [0, 1, 383, 384, 385, 1000, 16384])
def test_output_grows(probe: loader.Plugin, length: int) -> None:
    """Output of every size around those where it moves is whole: at once or byte by byte, text or bytes."""
    text = "t" * length
    for size in SIZES:
        expected = text + "x" * size
        for step in (1 << 40, 100, 1):
            assert probe.pad(text, size, step) == expected
            assert probe.pad_bytes(text, size, step) == expected.encode()
        assert probe.pad_wide(text, size) == text + "\u00e9" * size


def test_what_a_plugin_copies_is_whole(probe: loader.Plugin) -> None:
    """loader_write copies texts of every length: what is short goes in two pieces, which must meet."""
    letters = "".join(map(chr, range(33, 127))) * 2
    for size in range(len(letters)):
        assert probe.echo(letters[:size]) == letters[:size]
        assert probe.echo_bytes(letters[:size].encode()) == letters[:size].encode()


@pytest.mark.usefixtures("gil")
def test_large_output(probe: loader.Plugin) -> None:
    """Output of some megabytes, in small steps, from short and from long input."""
    for text in ("", "t" * 100_000):
        assert probe.pad(text, 5_000_000, 997) == text + "x" * 5_000_000
        assert probe.pad_bytes(text, 5_000_000, 997) == (text + "x" * 5_000_000).encode()


def test_results_are_objects_of_their_own(probe: loader.Plugin) -> None:
    """Each call gives a new object that nobody writes to afterwards, and hashes as its text does."""
    texts = [probe.pad("", size, 1) for size in range(2000)]
    assert texts == ["x" * size for size in range(2000)]
    assert [probe.pad_bytes("", size, 1) for size in range(2000)] == [b"x" * size for size in range(2000)]
    assert hash(probe.pad("", 3, 1)) == hash("xxx")
    assert {probe.pad("y" * 400, 3, 1): 1}["y" * 400 + "xxx"] == 1


def test_results_are_like_any_other_str(probe: loader.Plugin) -> None:
    """Nothing tells a short answer, which is made in a way of its own, from a str that Python made."""
    for size in range(700):
        made, usual = probe.pad("", size, 1 << 40), "x" * size
        assert type(made) is str
        assert sys.getsizeof(made) == sys.getsizeof(usual)
        assert (len(made), made.isascii(), repr(made)) == (size, True, repr(usual))
        assert {usual: size}[made] == size
        assert sys.intern(made) == usual
        assert made + "é" == usual + "é"
        assert pickle.loads(pickle.dumps(made)) == usual


@pytest.mark.parametrize("most", [0, 1, 2, 63, 64, 65, 383, 384, 640, 641, 1000, 5000, 20_000])
@pytest.mark.parametrize("length", [0, 1, 100, 384, 385, 640, 1000, 16_384])
@pytest.mark.usefixtures("gil")
def test_max_output(probe_path: Path, probe_contract: loader.Contract, most: int, length: int) -> None:
    """max_output is the limit to the byte, whatever the input: one more is an error with a clear text."""
    plugin = loader.load(probe_path, contract=probe_contract, max_output=most)
    text = "t" * length
    for step in (1 << 40, 7):
        if length <= most:
            assert plugin.pad(text, most - length, step) == text + "x" * (most - length)
            assert plugin.pad_bytes(text, most - length, step) == (text + "x" * (most - length)).encode()
        for function in (plugin.pad, plugin.pad_bytes):
            with pytest.raises(PluginError, match="its output is longer than the host allows") as caught:
                function(text, max(most - length, 0) + 1, step)
            assert caught.value.status == 2


@pytest.mark.parametrize("more", [1, 1000, 2**40])
def test_plugin_that_commits_more_than_it_has(probe: loader.Plugin, more: int) -> None:
    """A plugin that says it wrote beyond its room is an error: what lies there is not its output."""
    for function in (
        lambda: probe.overrun(more),
        lambda: probe.overrun_bytes("", more),
        lambda: probe.overrun_bytes("x" * 1000, more),
    ):
        with pytest.raises(PluginError, match="outside of its room"):
            function()


# ---- Failures ----------------------------------------------------------------------------------------------

STATUSES = {
    1: (PluginError, "plugin probe failed in fail"),
    2: (PluginError, "plugin probe ran out of memory or room for its output in fail"),
    3: (PluginError, "plugin probe refused an argument in fail"),
    4: (CallCancelled, "plugin probe stopped because it was cancelled in fail"),
    5: (DeadlineExceeded, "plugin probe stopped because its deadline had passed in fail"),
    6: (PluginError, "plugin probe panicked in fail"),
    7: (PluginError, "plugin probe threw an exception in fail"),
    8: (PluginError, "plugin probe had nothing more to give in fail"),
    9: (PluginError, "plugin probe returned the unknown status 9 in fail"),
    -1: (PluginError, "plugin probe returned the unknown status -1 in fail"),
    2**31 - 1: (PluginError, "plugin probe returned the unknown status 2147483647 in fail"),
    -(2**31): (PluginError, "plugin probe returned the unknown status -2147483648 in fail"),
}


@pytest.mark.usefixtures("gil")
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("message", ["", "no such post", "\u65e5\u672c\0"])
def test_every_status(probe: loader.Plugin, status: int, message: str) -> None:
    """Every status becomes one exception, with status, text, plugin, function and file; without output."""
    kind, what = STATUSES[status]
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            probe.fail(status, message.encode())
        error = caught.value
        assert type(error) is kind
        assert error.what == (f"{what}: {message}" if message else what)
        assert (error.status, error.message) == (status, message)
        assert (error.plugin, error.function, error.path) == ("probe", "fail", probe.path)
        assert str(error) == f"{probe.path}: {error.what}"
        assert error.__cause__ is None
    assert probe.none() == "none"


def test_status_ok_with_a_message(probe: loader.Plugin) -> None:
    """Success is what is returned: a text that was set and left is no error."""
    assert probe.fail(0, b"never mind") == "half"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"\xff" * 3, "\ufffd" * 3),
        (b"\x80abc", "\ufffdabc"),
    ],
)
def test_error_text_that_is_not_utf8(probe: loader.Plugin, message: bytes, text: str) -> None:
    """An error's text is shown as far as it can be."""
    with pytest.raises(PluginError) as caught:
        probe.fail(1, message)
    assert caught.value.message == text


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u65e5", "\U0001f600"])
def test_long_error_text(probe: loader.Plugin, letter: str) -> None:
    """An error's text is cut at 64 KiB, between characters."""
    with pytest.raises(PluginError) as caught:
        probe.fail(1, (letter * (1 << 20)).encode())
    most = 65536 // len(letter.encode())
    assert caught.value.message == letter * most


def test_error_text_made_of_the_calls_own(probe: loader.Plugin) -> None:
    """A plugin may make its error text of the one that the call holds."""
    with pytest.raises(PluginError) as caught:
        probe.fail_again("first")
    assert caught.value.message == "[first]"
    for start in range(6):
        with pytest.raises(PluginError) as caught:
            probe.fail_with_own("first", start)
        assert (caught.value.message, caught.value.status) == ("first"[start:], 3)
