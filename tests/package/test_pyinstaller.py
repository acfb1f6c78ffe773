"""loader/__pyinstaller: a real application, frozen without an option for us, loads plugins and renders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tree import GREETER, ROOT

import loader

APPLICATION = """
import sys
from pathlib import Path

import loader
from loader.htmlize import Htmlizer, Post

here = Path(sys.argv[1])
greeter = loader.Contract.from_header(here / "greeter.h")
plugin = loader.load(here / "hello.so", contract=greeter)
print(plugin.greet("frozen"))
host = loader.Host(greeter, policy=loader.Policy(permissions=False), debug=True)
print(host.load(here / "hello.so").greet("host"))
print(Htmlizer().htmlize("I like :tt:`pie`", Post(id=1, author="Joe")).strip())
print(loader.crash.__name__, getattr(sys, "frozen", False))
"""


def installed(site: Path) -> Path:
    """A folder with the package and its entry points, as an installation has them. (An editable one's finder is not
    followed by PyInstaller, and a checkout's egg-info may be of an earlier time.)
    """
    info = site / "native_plugin_loader-0.dist-info"
    info.mkdir(parents=True)
    (site / "loader").symlink_to(Path(loader.__file__).parent)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: native-plugin-loader\nVersion: 0\n")
    project = (ROOT / "pyproject.toml").read_text()
    declared = re.search(r'^\[project\.entry-points\.(pyinstaller40)\]\n(\S+) = "(\S+)"$', project, re.MULTILINE)
    assert declared is not None
    (info / "entry_points.txt").write_text("[{}]\n{} = {}\n".format(*declared.groups()))
    return site


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="where all of this is run")
def test_a_frozen_application(hello: Path, tmp_path: Path) -> None:
    """A one-folder application needs nothing but itself: no Python, no package, and no option when it is made."""
    pytest.importorskip("PyInstaller")
    if os.environ.get("LOADER_SANITIZE"):
        pytest.skip("the run time of the sanitizer is not there")
    (tmp_path / "app.py").write_text(APPLICATION)
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(hello, data)
    shutil.copy(GREETER, data)
    environment = {**os.environ, "PYTHONPATH": str(installed(tmp_path / "site"))}
    for name in ("LD_PRELOAD", "PYTHONWARNINGS"):
        environment.pop(name, None)
    freeze = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "app.py"]
    done = subprocess.run(freeze, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    moved = tmp_path / "elsewhere"
    (tmp_path / "dist" / "app").rename(moved)
    bare = {"PATH": "/usr/bin", "HOME": str(tmp_path)}
    words = [str(moved / "app"), str(data)]
    ran = subprocess.run(words, cwd="/", env=bare, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "Hello, frozen!",
        "Hello, host!",
        "<p><b>I (Joe)</b> like <tt>pie</tt></p>",
        "loader.observe.crash True",
    ]
