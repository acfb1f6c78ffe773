"""The documentation is true: every block of README.md and docs/*.md is written, run or compared.

In each file, from top to bottom, in a folder of its own:

    ```c hello.c       a language and a name: the block is written to that file
    ```console         lines that begin with "$ " are run by bash; what they print follows, "…" stands for any
                       text, "[exit 6]" for that exit code
    ```python          is run, all blocks of a file in one namespace; an ```output block after it is what it prints
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tree import ROOT

FILES = ["README.md", "docs/hosts.md", "docs/plugins.md", "docs/htmlize.md", "docs/security.md"]
FILES += ["docs/isolation.md"] if sys.platform.startswith("linux") else []
BLOCK = re.compile(r"^```(\S+)[ ]?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    name: str
    text: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a document."""
    for match in BLOCK.finditer(text):
        yield Block(match[1], match[2], match[3], text.count("\n", 0, match.start()) + 2)


def matches(expected: str, found: str) -> bool:
    """Whether the output is what the document shows, "…" standing for anything."""
    pattern = ".*?".join(map(re.escape, expected.rstrip("\n").split("…")))
    return re.fullmatch(pattern, found.rstrip("\n"), re.DOTALL) is not None


def run_console(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Runs the commands of a block in one shell each, and compares what they print."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        wanted = 0
        exit_line = re.search(r"^\[exit (\d+)\]\n", expected, re.MULTILINE)
        if exit_line:
            wanted = int(exit_line[1])
            expected = expected.replace(exit_line[0], "")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == wanted, f"$ {command}\n{done.stdout}"
        assert matches(expected, done.stdout), f"$ {command}\n{done.stdout}"


@pytest.fixture
def environment(tool: Callable[..., str]) -> dict[str, str]:
    """The environment of a user who has activated the virtual environment."""
    if shutil.which("loader", path=sysconfig.get_path("scripts")) is None:
        pytest.skip("the package is not installed: the commands loader and htmlize are not there")
    for name in ("cc", "c++", "cargo", "go", "bash"):
        tool(name)
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "COLUMNS": "110"}


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_every_block_holds(
    file: str, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are written, commands give what is shown, Python runs and prints what is shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "native_plugins").symlink_to(ROOT / "native_plugins")  # "in a clone of this repository"
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    seen = 0
    for block in blocks((ROOT / file).read_text(encoding="utf-8")):
        if block.name:
            path = tmp_path / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            run_console(block, tmp_path, environment)
        elif block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(ROOT / file), "exec", dont_inherit=True)
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(code, namespace)
            printed = output.getvalue()
        elif block.language == "output":
            assert matches(block.text, printed), printed
        else:
            continue
        seen += 1
    assert seen > 0


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a virtual environment")
def test_readme_leads_from_the_checkout_to_the_installed_package(tmp_path: Path) -> None:
    """Its line finds the commands, and leaves the folder where Python would import sources that are not built."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (source .*)$", text, re.MULTILINE)
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "loader", checkout / "loader", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (checkout / "setup.py").touch()
    (checkout / ".venv").symlink_to(sys.prefix)
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    there = f"{line} && command -v loader && python -c 'import loader; print(loader.__file__)'"
    done = subprocess.run(["bash", "-c", there], cwd=checkout, env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(checkout / "loader") not in done.stdout
    here = ["bash", "-c", "source .venv/bin/activate && python -c 'import loader'"]
    assert subprocess.run(here, cwd=checkout, env=home, capture_output=True, check=False).returncode == 1


def test_links_lead_somewhere() -> None:
    """A relative link in the documentation names a file that is there."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_readme_shows_two_commands() -> None:
    """One line installs and runs the main job, one installs and passes the tests; .ci/run takes them from here."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (python3 -m venv .*)$", text, re.MULTILINE)
    assert len(commands) == 2
    assert "htmlize" in commands[0]
    assert "pytest" in commands[1]
