"""loader/observe/crash.py, trust/quarantine.py: what reports say, damaged ones too, and whom they keep out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import ENABLE, HEADER, SKIPPED, digest
from tree import ROOT

import loader
from loader.errors import LoaderError, TrustError
from loader.observe.crash import Crash, Quarantine, quarantined, read_report, release

Build = Callable[..., Path]
Die = Callable[..., list[Crash]]

pytestmark = SKIPPED


def line(**fields: object) -> str:
    """One line of a report."""
    known = {"signal": "SIGSEGV", "time": 1.5, "process": 1, "thread": 1, "main_thread": True, "plugin": "p"}
    return json.dumps(known | fields)


def test_no_report() -> None:
    """A report that is not there speaks against nobody."""
    assert read_report("/nonexistent/report") == []
    assert quarantined("0" * 64, "/nonexistent/report") is None


@pytest.mark.parametrize(
    "damage",
    [
        *("", "{", "[]", "null", "\0\xff", '{"signal": "SIGSEGV"}', '{"mended": true}', '{"released": 7}'),
        *(line(signal=7), line(digest=7), line(process="x"), "[" * 100000, '{"a":' * 100000),
    ],
)
def test_damaged_report(tmp_path: Path, damage: str) -> None:
    """Lines that are not right are passed over, and the others read."""
    report = tmp_path / "report"
    report.write_bytes(f"{line()}\nFatal Python error\n{damage}\n{line(plugin='q')}\n".encode("latin-1"))
    assert [crash.plugin for crash in read_report(report)] == ["p", "q"]


def test_mended_fault_is_no_crash(tmp_path: Path) -> None:
    """A line that was revoked by its own thread does not count; those of other threads do."""
    report = tmp_path / "report"
    mended = '{"mended": true, "process": 1, "thread": 1}'
    report.write_text("\n".join([line(), line(thread=2), mended]) + "\n")
    assert [crash.thread for crash in read_report(report)] == [2]


def test_file_name_of_any_bytes(die: Die, fatal: Path, tmp_path: Path) -> None:
    """Quotes, control characters and bytes that are not UTF-8 in a plugin's path come back as they were."""
    path = tmp_path / os.fsdecode(b'a"b\\c\n\x7f\xff\xc3\xa9.so')
    path.write_bytes(fatal.read_bytes())
    [crash] = die(ENABLE + "plugin().die('read')", path, by="SIGSEGV")
    assert crash.path == str(path)


def test_report_is_private(die: Die, fatal: Path, tmp_path: Path) -> None:
    """The file is made for its owner only, and not through a symbolic link."""
    die(ENABLE, fatal)
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "report")
    with pytest.raises(OSError, match="symbolic"):
        loader.crash.enable(tmp_path / "link")


def test_quarantine(die: Die, fatal: Path, tmp_path: Path) -> None:
    """The next start refuses the file that crashed, until it is released or is another file."""
    report = tmp_path / "report"
    die(ENABLE + "plugin().die('read')", fatal, by="SIGSEGV")
    contract = loader.Contract.from_header(HEADER)
    host = loader.Host(contract, quarantine=report)
    with pytest.raises(TrustError, match="in quarantine: it crashed an earlier process") as caught:
        host.load(fatal)
    assert "SIGSEGV in die on" in str(caught.value)
    assert host.plugins == ()
    crash = quarantined(digest(fatal), report)
    assert crash is not None
    assert crash.function == "die"
    assert loader.Host(contract, quarantine=[]).load(fatal).echo("x") == "x"
    release(digest(fatal), report)
    assert quarantined(digest(fatal), report) is None
    assert loader.Host(contract, quarantine=[report]).load(fatal).echo("x") == "x"
    die(ENABLE + "plugin().die('read')", fatal, by="SIGSEGV")
    assert quarantined(digest(fatal), report) is not None


def test_quarantine_comes_before_constructors(die: Die, build: Build, tmp_path: Path) -> None:
    """A file that dies while it is loaded kills one start, not the next."""
    path = build("fatal.c", "LOADING=abort", name="loading", flags=["-Wno-infinite-recursion"])
    die(ENABLE + "plugin()", path, by="SIGABRT")
    host = loader.Host(loader.Contract.from_header(HEADER), quarantine=tmp_path / "report")
    with pytest.raises(LoaderError, match="SIGABRT in dlopen"):
        host.load(path)


def test_service_crash_is_no_quarantine(tmp_path: Path) -> None:
    """Who called a service of the host that crashed is not to blame."""
    (tmp_path / "report").write_text(line(digest="d", in_service=True) + "\n")
    assert Quarantine(tmp_path / "report").crash_of("d") is None


def test_descriptor_that_is_closed(run_python: Callable[..., object]) -> None:
    """A report that cannot be written to is refused, and faulthandler is not left on with it."""
    run_python(
        "import faulthandler\n"
        "import loader.crash\n"
        "try:\n"
        "    loader.crash.enable(999)\n"
        "except ValueError:\n"
        "    assert not faulthandler.is_enabled()\n"
        "else:\n"
        "    raise AssertionError\n"
    )


def test_breadcrumb_can_still_be_taken_out(tmp_path: Path) -> None:
    """tests/benchmarks/breadcrumb.py knows each place of the C code where a breadcrumb is kept."""
    shutil.copytree(ROOT / "loader", tmp_path / "loader", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    program = f"import breadcrumb, pathlib; breadcrumb.change(pathlib.Path({str(tmp_path)!r}), breadcrumb.WITHOUT)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "tests/benchmarks", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
