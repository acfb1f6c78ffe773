"""Documents leave nothing behind, and a large one takes little more than itself and its output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
    pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="a sanitizer's memory is not ours"),
]


def available() -> int:
    """Bytes that can be had."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) << 10


def test_ten_thousand_documents(run_python: Run, native_plugins: Path) -> None:
    """Memory stays flat over 10,000 documents: of all sizes, as str and bytes, failing, with contents hooks."""
    done = run_python(
        """
import gc, os, sys, loader
from loader.htmlize import Htmlizer, Post

def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

apps = [Htmlizer(), Htmlizer([sys.argv[1] + "/tt.so", sys.argv[1] + "/letters.so"])]
paragraph = "some :tt:`words` and :unknown:`more`,\\nw\\u00efth a line's end & <signs>.\\n\\n"
posts = [Post(), Post(id=42, author="Joe", title="T")]

def work(number):
    text = paragraph * (number % 97) + "x" * (number % 1000)
    app, post, escape = apps[number % 2], posts[number // 2 % 2], number % 3 == 0
    app.htmlize(text, post, escape=escape)
    app.htmlize(text.encode(), post, escape=escape)
    app.process_role("tt", text, post)
    try:
        app.htmlize(text.encode() + b"\\xff")
    except loader.TextError:
        pass

for number in range(2000):
    work(number)
before = resident()
for number in range(10_000):
    work(number)
print(resident() - before)
""",
        native_plugins,
    )
    assert int(done.stdout) < 2 << 20


@pytest.mark.skipif(available() < 5 << 30, reason="less than 5 GiB of memory are free")
@pytest.mark.parametrize(("kind", "hook", "most"), [("str", False, 2.5), ("bytes", False, 2.5), ("str", True, 3.1)])
def test_a_gibibyte(run_python: Run, native_plugins: Path, kind: str, hook: bool, most: float) -> None:
    """The process's peak, the text itself included, over the size of the output.

    A contents hook gets all of the wrapped text and writes a text of its own: with the caller's, three.
    """
    done = run_python(
        """
import sys
from loader.htmlize import Htmlizer

kind, hook, folder = sys.argv[1:]
app = Htmlizer([f"{folder}/tt.so", *([f"{folder}/narcissist.so"] if hook else [])])
assert len(app.contents_hooks) == bool(hook)
paragraph = "some words with :tt:`a role` and\\nmore of them, so that it is a paragraph. " * 5 + "\\n\\n"
text = paragraph * ((1 << 30) // len(paragraph) + 1)
text = text if kind == "str" else text.encode()
html = app.htmlize(text)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print((peak << 10) / len(html), len(html) > len(text) > 1 << 30)
""",
        kind,
        "hook" if hook else "",
        native_plugins,
    )
    ratio, whole = done.stdout.split()
    assert whole == "True"
    assert float(ratio) < most
