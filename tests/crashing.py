"""Programs that are to die in a plugin: how they begin, and what each death is a signal of."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tree import PLUGINS

import loader

if TYPE_CHECKING:
    from pathlib import Path

#: Where these tests cannot be run. A sanitizer has handlers of its own for these signals, and stacks of its own.
SKIPPED = [
    pytest.mark.skipif(sys.platform == "win32", reason="crash reports need POSIX signals"),
    pytest.mark.skipif(bool(os.environ.get("LOADER_SANITIZE")), reason="sanitizers handle these signals"),
]
HEADER = PLUGINS / "fatal.h"
#: What each death is a signal of.
DEATHS = {
    "read": "SIGSEGV",
    "write": "SIGSEGV",
    "jump": "SIGSEGV",
    "abort": "SIGABRT",
    "divide": "SIGFPE",
    "bus": "SIGBUS",
    "illegal": "SIGILL",
    "overflow": "SIGSEGV",
}
BEGIN = """
import sys, threading, loader, loader.crash
report, header, path, *more = sys.argv[1:]
def plugin(): return loader.load(path, contract=loader.Contract.from_header(header))
def elsewhere(work, *arguments):
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()
"""
ENABLE = "loader.crash.enable(report)\n"


def digest(path: Path) -> str:
    """SHA-256 of a plugin file."""
    return loader.read_image(path).digest
