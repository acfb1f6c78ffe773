"""What tests of contracts share: where headers are, how one is read from text, a C compiler to ask."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tree import ROOT

from loader.contract import Contract
from loader.errors import ContractError

__all__ = ["HEAD", "HTMLIZE", "ROOT", "check_refused", "compile_header", "read_header"]

HTMLIZE = ROOT / "include" / "htmlize" / "htmlize.h"

# Lines 1 and 2 of every small header; line 3 is a function, and the case itself begins in line 4.
HEAD = '#include "loader/plugin.h"\nLOADER_CONTRACT(test, 1, 0);\nint fine(loader_call *call);\n'


def read_header(folder: Path, text: str, *, files: dict[str, str] | None = None, head: str = HEAD) -> Contract:
    """Reads a header given as text, as test.h in `folder`; `files` are put beside it."""
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "test.h").write_text(head + text, encoding="utf-8")
    return Contract.from_header(folder / "test.h")


def check_refused(folder: Path, text: str, line: int, reason: str) -> None:
    """The header is refused with its file, that line and that reason, in words of a bearable length."""
    with pytest.raises(ContractError) as caught:
        read_header(folder, text + "\n")
    found = caught.value.found
    assert found is not None
    assert found.startswith(f"line {line}: "), found
    assert reason in found, found
    assert caught.value.path == str(folder / "test.h")
    assert len(str(caught.value)) < 600


def compile_header(header: str, folder: Path) -> None:
    """Fails with the compiler's words if `header` is not what a C11 compiler takes without a warning."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    source = folder / "compiled.c"
    source.write_text(header, encoding="utf-8")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wno-type-limits", "-Werror", "-fsyntax-only", "-DLOADER_HOST"]
    command = [compiler, *flags, f"-I{ROOT / 'include'}", str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr + header
