"""The cache of parsed contract headers: it saves the parser, and it is not trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from headers import HEAD, HTMLIZE, ROOT

from loader.contract import Contract

_READ = """
import sys
import loader.contract
contract = loader.contract.Contract.from_header(sys.argv[1])
slow = [name for name in ("pycparser", "cffi.cparser", "loader.contract.header.parse") if name in sys.modules]
print(contract, *slow)
"""


def _read_elsewhere(header: Path, **environment: str) -> str:
    """Reads the header in a new process. Says the contract and which slow modules it took."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("NATIVE_", "XDG_"))}
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    run = subprocess.run(
        [sys.executable, "-c", _READ, str(header)],
        env={**known, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, with htmlize.h in it. Gives the one file in it."""
    if sys.platform == "win32":
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NATIVE_PLUGIN_LOADER_CACHE")
    Contract.from_header(HTMLIZE)
    (file,) = (tmp_path / "native-plugin-loader").iterdir()
    return file


def test_cached_contract_needs_no_parser(cached: Path) -> None:
    """A header that was read before is not parsed again, and the parser is not even imported."""
    cache = str(cached.parent.parent)
    assert _read_elsewhere(HTMLIZE, XDG_CACHE_HOME=cache, LOCALAPPDATA=cache) == "htmlize 1.0"
    off = {"NATIVE_PLUGIN_LOADER_CACHE": "off"}
    cold = _read_elsewhere(HTMLIZE, XDG_CACHE_HOME=cache, LOCALAPPDATA=cache, **off)
    assert "pycparser" in cold


def test_cached_contract_is_the_same(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache gives equals what the header gives."""
    again = Contract.from_header(HTMLIZE)
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_CACHE", "off")
    read = Contract.from_header(HTMLIZE)
    assert again == read
    assert again.digest == read.digest is not None
    assert cached.name.startswith(read.digest)


def _plant(cached: Path) -> None:
    """Makes the cache say, in good form, something else than the header: minor version 7."""
    from hashlib import sha256

    body = cached.read_bytes()[65:].replace(b'"minor":0', b'"minor":7')
    cached.write_bytes(sha256(body).hexdigest().encode() + b"\n" + body)


def test_cache_is_believed(cached: Path) -> None:
    """A well-formed file of ours is taken: without this, the tests below would show nothing."""
    _plant(cached)
    assert Contract.from_header(HTMLIZE).version == "1.7"


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign", "other digest", "no json", "folder"])
def test_damaged_cache(cached: Path, damage: str) -> None:
    """A damaged file in the cache is as good as none, and is replaced."""
    from hashlib import sha256

    _plant(cached)
    content = cached.read_bytes()
    body = {
        "foreign": b'{"name":"x"}',
        "other digest": content[65:].replace(b'"digest":"', b'"digest":"0'),
        "no json": b"\xff{",
    }.get(damage)
    if body is not None:
        content = sha256(body).hexdigest().encode() + b"\n" + body
    cut = {"empty": 0, "cut": len(content) - 5}.get(damage, len(content))
    cached.write_bytes(content[:cut])
    if damage == "flipped":
        cached.write_bytes(content.replace(b'"offset":16', b'"offset":24', 1))
    if damage == "folder":
        cached.unlink()
        cached.mkdir()
    assert Contract.from_header(HTMLIZE).version == "1.0"
    if damage != "folder":
        assert b'"minor":0' in cached.read_bytes()
    assert [file.name for file in cached.parent.iterdir()] == [cached.name]  # nothing half written is left


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_cache_that_others_can_write(cached: Path, mode: int) -> None:
    """A file that somebody else could have written is not believed."""
    _plant(cached)
    cached.chmod(mode)
    assert Contract.from_header(HTMLIZE).version == "1.0"


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs root, to give files away")
def test_cache_of_somebody_else(cached: Path) -> None:
    """A file of another user is not believed."""
    _plant(cached)
    os.chown(cached, 12345, -1)
    assert Contract.from_header(HTMLIZE).version == "1.0"


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_cache_through_a_link(cached: Path, tmp_path: Path) -> None:
    """A symbolic link in the cache is not followed."""
    _plant(cached)
    cached.rename(tmp_path / "elsewhere")
    cached.symlink_to(tmp_path / "elsewhere")
    assert Contract.from_header(HTMLIZE).version == "1.0"


def test_changed_include_is_noticed(cached: Path, tmp_path: Path) -> None:
    """The digest covers what a header includes, also a file that was not there before."""
    header = tmp_path / "test.h"
    header.write_text(HEAD + '#include "more.h"\n#include <other.h>\n')
    (tmp_path / "more.h").write_text("int f(loader_call *call);\n")
    (tmp_path / "lent").mkdir()
    first = Contract.from_header(header, include=[tmp_path / "lent"])
    (tmp_path / "more.h").write_text("int f(loader_call *call, int x);\n")
    second = Contract.from_header(header, include=[tmp_path / "lent"])
    (tmp_path / "lent" / "other.h").write_text("int g(loader_call *call);\n")
    third = Contract.from_header(header, include=[tmp_path / "lent"])
    assert [len(contract.functions) for contract in (first, second, third)] == [2, 2, 3]
    assert len(second.function("f").parameters) == 1
    assert len({first.digest, second.digest, third.digest}) == 3
    assert len(list(cached.parent.iterdir())) == 4


@pytest.mark.parametrize("where", ["relative/path", "", "file"])
def test_cache_that_cannot_be_used(cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Without a folder to write in, everything works and nothing is written."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file") if where == "file" else where)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "file"))
    before = sorted(tmp_path.rglob("*"))
    assert Contract.from_header(HTMLIZE).version == "1.0"
    assert sorted(tmp_path.rglob("*")) == before
    assert cached.exists()
