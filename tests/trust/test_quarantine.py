"""loader/trust/quarantine.py as a policy: who crashed an earlier process is refused, wherever it is loaded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import PLUGINS

import loader
from loader.errors import TrustError
from loader.htmlize import Htmlizer, Post
from loader.observe.crash import Quarantine, release
from loader.trust import Policy, check_image

HEADER = PLUGINS / "fatal.h"

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="crash reports need POSIX signals"),
    pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="sanitizers handle these signals"),
]


@pytest.fixture
def role(build: Callable[..., Path], tmp_path: Path) -> Path:
    """A plugin of htmlize with the role "fatal", which dies of what its text says."""
    built = build("fatal.c", "HTMLIZE", name="role", flags=["-Wno-infinite-recursion"])
    return Path(shutil.copy(built, tmp_path / "role.so"))


@pytest.fixture
def crashed(role: Path, tmp_path: Path) -> Path:
    """The report of a process that the plugin has killed."""
    report, program = tmp_path / "app.crashes", tmp_path / "app.py"
    program.write_text(
        "import sys, loader.crash\nfrom loader.htmlize import Htmlizer\n"
        "loader.crash.enable(sys.argv[1])\n"
        "Htmlizer([sys.argv[2]]).htmlize(':fatal:`abort`')\n"
    )
    here = str(Path(loader.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, str(program), str(report), str(role)],
        env=os.environ | {"PYTHONPATH": here},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGABRT, done.stderr
    return report


def test_the_next_start_of_an_htmlizer_refuses_the_culprit(role: Path, crashed: Path) -> None:
    """By its digest, naming report and cure; released, it works again; a mended build always did."""
    with pytest.raises(TrustError) as caught:
        Htmlizer([role], quarantine=crashed, strict=True)
    error = caught.value
    assert error.what == "is in quarantine: it crashed an earlier process"
    assert (error.path, error.plugin, error.function) == (str(role), "role", "process_role")
    assert str(crashed) in str(error.found)
    assert f"loader crashes {crashed} --release {role}" in str(error.cure)
    app = Htmlizer([role], quarantine=[crashed])
    assert app.plugins == ()
    assert [type(failure) for failure in app.failures] == [TrustError]

    mended = role.with_name("mended.so")
    mended.write_bytes(role.read_bytes() + b"mended")
    assert Htmlizer([mended], quarantine=crashed).process_role("fatal", "x", Post()) == "x"
    release(loader.read_image(role).digest, crashed)
    assert Htmlizer([role], quarantine=crashed).process_role("fatal", "x", Post()) == "x"


def test_a_policy_can_ask_for_it(role: Path, crashed: Path, tmp_path: Path) -> None:
    """From Python and from a file, and only for the folders that it names."""
    (tmp_path / "loader.toml").write_text('[policy]\nquarantine = "app.crashes"\n')
    (tmp_path / "elsewhere").mkdir()
    image = loader.read_image(role)
    for policy in (
        Policy(quarantine=crashed),
        Policy(quarantine=["/nonexistent/report", crashed]),
        Policy.from_file(tmp_path / "loader.toml"),
        Policy.for_folders({str(tmp_path): Policy(quarantine=crashed)}),
    ):
        with pytest.raises(TrustError, match="in quarantine"):
            check_image(image, policy)
        with pytest.raises(TrustError, match="in quarantine"):
            Htmlizer([role], policy=policy, strict=True)
    assert check_image(image, Policy.for_folders({str(tmp_path / "elsewhere"): Policy(quarantine=crashed)})) == ()
    assert check_image(image, Policy(quarantine="/nonexistent/report")) == ("crashed no earlier process",)


def test_a_policy_reads_the_report_anew(role: Path, crashed: Path) -> None:
    """What is released while the application runs can be loaded without a new start."""
    policy, image = Policy(quarantine=crashed), loader.read_image(role)
    with pytest.raises(TrustError):
        check_image(image, policy)
    release(image.digest, crashed)
    assert check_image(image, policy) == ("crashed no earlier process",)


@pytest.mark.parametrize("permissions", [False, True])
def test_a_report_that_cannot_be_read_refuses(tmp_path: Path, permissions: bool) -> None:
    """What it says is not known then: not the same as a report that is not there."""
    with pytest.raises(TrustError, match="cannot be read as a crash report"):
        Quarantine(tmp_path, permissions=permissions)
    assert Quarantine(tmp_path / "none", permissions=permissions).crash_of("d") is None


def test_with_permissions_the_report_is_nobody_elses(role: Path, crashed: Path) -> None:
    """Who can write to a report can release a file in it."""
    image = loader.read_image(role)
    crashed.chmod(0o666)
    with pytest.raises(TrustError, match="in quarantine"):
        Quarantine(crashed).check(image)
    with pytest.raises(TrustError, match=r"app\.crashes: .*can be changed by others"):
        Quarantine(crashed, permissions=True)
    crashed.chmod(0o600)
    with pytest.raises(TrustError, match="in quarantine"):
        Quarantine(crashed, permissions=True).check(image)


def test_a_report_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not cut off: what was cut off might speak against a file."""
    (tmp_path / "report").write_text(json.dumps({"signal": "SIGSEGV"}) + "\n")
    monkeypatch.setattr("loader.trust.quarantine.MAX_REPORT", 10)
    with pytest.raises(TrustError, match="too large for a crash report"):
        Quarantine(tmp_path / "report", permissions=True)
