"""A plugin of pytest, in a Python for Windows under Wine: the compilers that tests call are MinGW's, outside of Wine.

Wine starts programs of Linux but does not tell when they end, nor how. So a shell is started, which leaves the
compiler's words and exit code in files.
"""

from __future__ import annotations

import _winapi
import os
import re
import shlex
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

_COMPILERS = {
    "cc": "x86_64-w64-mingw32-gcc-win32",
    "gcc": "x86_64-w64-mingw32-gcc-win32",
    "c++": "x86_64-w64-mingw32-g++-win32",
    "g++": "x86_64-w64-mingw32-g++-win32",
}
_SPOOL = Path(os.environ["LOADER_TEST_SPOOL"])
_run = subprocess.run
_which = shutil.which


def _unix(path: object) -> str:
    """Z: is Linux's root. Options may stand before a path."""
    return re.sub(r"Z:[^ ]*", lambda found: found[0][2:].replace("\\", "/"), str(path))


def _compile(command: list[Any], **options: Any) -> subprocess.CompletedProcess[str]:
    # -static: what MinGW's run time is made of lies in no folder of Windows'.
    words = [_COMPILERS[str(command[0])], *map(_unix, command[1:]), "-static", "-lpthread"]
    base = _SPOOL / uuid.uuid4().hex
    script, text, code = (base.with_suffix(f".{each}") for each in ("sh", "text", "code"))
    script.write_bytes(
        f"cd {shlex.quote(_unix(options.get('cwd') or _SPOOL))}\n"
        f"{shlex.join(words)} >{_unix(text)} 2>&1\n"
        f"echo $? >{_unix(code)}.new; mv {_unix(code)}.new {_unix(code)}\n".encode()
    )
    # Not by subprocess: it closes handles, and there are none of a program of Linux.
    line = subprocess.list2cmdline(["sh", _unix(script)])
    _winapi.CreateProcess("/bin/sh", line, None, None, 0, 0, None, None, None)
    end = time.monotonic() + 60
    while not code.exists():
        if time.monotonic() > end:
            raise TimeoutError(shlex.join(words))
        time.sleep(0.01)
    done = subprocess.CompletedProcess(words, int(code.read_text()), "", text.read_text(errors="replace"))
    if options.get("check"):
        done.check_returncode()
    return done


def run(command: Any, **options: Any) -> Any:
    """subprocess.run, with compilers outside of Wine."""
    if isinstance(command, list) and str(command[0]) in _COMPILERS:
        return _compile(command, **options)
    return _run(command, **options)


def which(name: str, *arguments: Any, **options: Any) -> str | None:
    """shutil.which, to which compilers are there."""
    return name if name in _COMPILERS else _which(name, *arguments, **options)


subprocess.run = run
shutil.which = which
