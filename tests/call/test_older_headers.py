"""The base ABI grows at its end: plugins of older headers run in today's host, today's plugins in older hosts."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import PLUGINS, ROOT

import loader
from loader.errors import PluginError
from loader.trust.handshake import LOADER_ABI_MINOR

pytestmark = pytest.mark.usefixtures("placement")

OLDER = PLUGINS / "older"
HEADERS = sorted(path.name for path in OLDER.iterdir() if path.is_dir())
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def older_plugin(header: str, tool: Callable[..., str], folder: Path) -> loader.Plugin:
    """The plugin older, built against an older plugin.h and nothing of today's."""
    target = folder / "older.so"
    command = [tool("cc", "gcc", "clang"), *STRICT, "-O1", "-shared", "-fPIC", "-fvisibility=hidden"]
    command += [f"-I{OLDER / header}", "-o", str(target), str(OLDER / "older.c")]
    subprocess.run(command, check=True)
    return loader.load(target, contract=loader.Contract.from_header(OLDER / "older.h"))


@pytest.mark.parametrize("header", HEADERS)
def test_a_plugin_of_an_older_header_runs(
    header: str, tool: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All that it could do then it does in this host: texts, structs, short and long output, failures, logs."""
    plugin = older_plugin(header, tool, tmp_path)
    assert plugin.say({"name": "Zoë", "number": -7}) == "Zoë: -7"
    for size in (0, 1, 1023, 1024, 1025, 100_000):
        assert plugin.fill(b"x" * size) == b"x" * size + b"." * size + b"!"
    with pytest.raises(PluginError, match="refused: no"):
        plugin.refuse("no")
    with caplog.at_level(logging.WARNING):
        assert plugin.shout("loud") == ""
    assert [record.getMessage() for record in caplog.records] == ["loud"]
    assert not hasattr(plugin, "since_later")


def test_older_headers_are_older() -> None:
    """Each one's table ends before today's, each with the function that its folder is called by."""
    sizes = {"service": 48, "path": 56, "write": 64}
    assert sorted(sizes) == HEADERS
    for header, size in sizes.items():
        text = (OLDER / header / "loader" / "plugin.h").read_text()
        assert f"sizeof(loader_host) == {size}" in text
        assert f"offsetof(loader_host, {header}) == {size - 8}" in text
    # A minor each, from 0 on: what plugin.h says of LOADER_ABI_MINOR.
    assert sorted(sizes.values()) == [48, 56, 64]
    assert len(HEADERS) == LOADER_ABI_MINOR
    assert "sizeof(loader_host) == 72" in (ROOT / "include" / "loader" / "plugin.h").read_text(), (
        "the table has grown: see tests/plugins/older/README.md"
    )


TABLES = {
    48: " path= alloc=no write=no",
    56: " path=here alloc=no write=no",
    64: " path=here alloc=no write=yes",
    72: " path=here alloc=yes write=yes",
}


@pytest.fixture(scope="module")
def older_host(tool: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/plugins/older/host.c."""
    target = tmp_path_factory.mktemp("host") / "host"
    sanitize = os.environ.get("LOADER_SANITIZE")  # as the plugins are
    extra = [f"-fsanitize={sanitize}"] if sanitize else []
    command = [tool("cc", "gcc", "clang"), *STRICT, *extra, f"-I{ROOT / 'include'}", "-o", str(target)]
    subprocess.run([*command, str(OLDER / "host.c"), "-ldl"], check=True)
    return target


@pytest.mark.in_process("a host in C")
@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("size", TABLES)
def test_helpers_read_no_table_beyond_its_end(
    size: int, language: str, build: Callable[..., Path], older_host: Path
) -> None:
    """In an older host, behind whose table no memory can be read, a helper does without what came later."""
    plugin = build(OLDER / "newer.c", language=language)
    done = subprocess.run([older_host, plugin, str(size)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, TABLES[size] + "\n")


@pytest.mark.in_process("a host in C")
def test_the_unreadable_end_is_there(build: Callable[..., Path], older_host: Path, tmp_path: Path) -> None:
    """The host of the test above works: a plugin that looks beyond the end dies of it."""
    source = tmp_path / "careless.c"
    source.write_text(
        '#include "loader/plugin.h"\nLOADER_CONTRACT(newer, 1, 0);\nLOADER_EXPORT int use(loader_call *call);\n'
        "int use(loader_call *call)\n{\n    return *(void *volatile *)(uintptr_t)&call->host->alloc == NULL;\n}\n"
    )
    plugin = build(source)
    for size, lives in ((64, False), (72, True)):
        done = subprocess.run([older_host, plugin, str(size)], capture_output=True, check=False)
        assert (done.returncode == 0) is lives
